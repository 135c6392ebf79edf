/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* session.h - the HelixClient, from READY-to-PAUSED to stop, and its statistics, which outlive it. */
#ifndef VSOCKENC_SESSION_H
#define VSOCKENC_SESSION_H

#include "../client/helix-client.h"
#include "element.h"

typedef struct VsockEncSession {
    /* With the object lock. */
    HelixClient *client;    /* NULL: not started */
    HelixClientStats stats; /* of the last client, after stop */
    /* With the stream lock. */
    gboolean active; /* a frame was submitted since the statistics were posted */
} VsockEncSession;

/* The client, to be unreffed, or NULL. Any thread. */
HelixClient *vsockenc_ref_client(GstVsockEnc *self);
/* The same, not referenced: only on threads that stop waits for, such as the streaming threads. */
HelixClient *vsockenc_client(GstVsockEnc *self);
/* Wake all threads that wait for the host: they hold locks that deactivating the pads needs. Any thread. */
void vsockenc_session_interrupt(GstVsockEnc *self);
/* Of the client, or of the last one after stop. Any thread. */
void vsockenc_session_get_stats(GstVsockEnc *self, HelixClientStats *stats);
/* With the stream lock. */
gboolean vsockenc_session_is_active(GstVsockEnc *self);
void vsockenc_session_set_active(GstVsockEnc *self, gboolean active);

/* For start.c: @client is taken over; and given back. */
void vsockenc_session_set(GstVsockEnc *self, HelixClient *client);
HelixClient *vsockenc_session_close(GstVsockEnc *self);
void vsockenc_session_keep_stats(GstVsockEnc *self, HelixClient *client);

#endif
