/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* session.h - the client of the host, which lives from READY-to-PAUSED to stop, and what is left of it: its numbers. */
#ifndef VSOCKENC_SESSION_H
#define VSOCKENC_SESSION_H

#include "../client/helix-client.h"
#include "element.h"

typedef struct VsockEncSession {
    /* With the object lock. */
    HelixClient *client;    /* NULL: not started */
    HelixClientStats stats; /* of the client before, once that is gone */
    /* With the stream lock. */
    gboolean active; /* a frame was submitted since the statistics were posted */
} VsockEncSession;

/* The client, to be unreffed, or NULL. Any thread. */
HelixClient *vsockenc_ref_client(GstVsockEnc *self);
/* The same, not referenced: on threads that stopping waits for. */
HelixClient *vsockenc_client(GstVsockEnc *self);
/* Let go of what waits for the host: waiting threads hold locks that shutting the pads needs. Any thread. */
void vsockenc_session_interrupt(GstVsockEnc *self);
/* Of the client, or of the one before. Any thread. */
void vsockenc_session_get_stats(GstVsockEnc *self, HelixClientStats *stats);
/* With the stream lock. */
gboolean vsockenc_session_is_active(GstVsockEnc *self);
void vsockenc_session_set_active(GstVsockEnc *self, gboolean active);

/* For start.c: @client is taken over; and given back. */
void vsockenc_session_set(GstVsockEnc *self, HelixClient *client);
HelixClient *vsockenc_session_close(GstVsockEnc *self);
void vsockenc_session_keep_stats(GstVsockEnc *self, HelixClient *client);

#endif
