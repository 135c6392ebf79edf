/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client-handle.h - the HelixClient, from READY-to-PAUSED to stop, and its statistics, which outlive it. */
#ifndef VSOCKENC_CLIENT_HANDLE_H
#define VSOCKENC_CLIENT_HANDLE_H

#include "../client/helix-client.h"
#include "element.h"

typedef struct VsockEncClientHandle {
    /* With the object lock. */
    HelixClient *client;    /* NULL: not started */
    HelixClientStats stats; /* of the last client, after stop */
    /* With the stream lock. */
    gboolean active; /* a frame was submitted since the statistics were posted */
} VsockEncClientHandle;

/* The client, to be unreffed, or NULL. Any thread. */
HelixClient *vsockenc_ref_client(GstVsockEnc *self);
/* The same, not referenced: only on threads that stop waits for, such as the streaming threads. */
HelixClient *vsockenc_client(GstVsockEnc *self);
/* Wake all threads that wait for the host: they hold locks that deactivating the pads needs. Any thread. */
void vsockenc_client_interrupt(GstVsockEnc *self);
/* Of the client, or of the last one after stop. Any thread. */
void vsockenc_client_get_stats(GstVsockEnc *self, HelixClientStats *stats);
/* With the stream lock. */
gboolean vsockenc_client_is_active(GstVsockEnc *self);
void vsockenc_client_set_active(GstVsockEnc *self, gboolean active);

/* For start.c: @client is taken over; and given back. */
void vsockenc_client_set(GstVsockEnc *self, HelixClient *client);
HelixClient *vsockenc_client_close(GstVsockEnc *self);
void vsockenc_client_keep_stats(GstVsockEnc *self, HelixClient *client);

#endif
