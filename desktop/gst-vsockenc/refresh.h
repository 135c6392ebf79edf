/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * refresh.h - a keyframe, or a frame of keepalive-time, on a still screen: upstream gives no picture, so the host is
 * asked to encode its last one again. A host that reconnected has none, and is sent upstream's last one. The timers are
 * the library's (events REPEAT and KEEPALIVE).
 *
 * The request is an empty buffer given to the base class, as pictures are: its bookkeeping (which keyframe was
 * asked for, the event that tells downstream of it, times) stays right.
 */
#ifndef VSOCKENC_REFRESH_H
#define VSOCKENC_REFRESH_H

#include "../client/helix-client.h"
#include "element.h"

typedef struct VsockEncRefresh {
    gint failures; /* atomic: repeats in a row that brought no access unit */
    /* With the sink pad's stream lock. */
    gboolean repeating;     /* the buffer that is chained is a repeat, not upstream's, */
    gboolean keeping_alive; /* for keepalive-time: sent even if no keyframe is wanted */
} VsockEncRefresh;

void vsockenc_refresh_reset(GstVsockEnc *self);
/* A keyframe is wanted, of the last picture if no other comes soon. Any thread. */
void vsockenc_refresh_want_keyframe(GstVsockEnc *self);
/* The event REPEAT, or with @keepalive KEEPALIVE: chain a repeat. On the source pad's task, no lock held. */
void vsockenc_refresh_repeat(GstVsockEnc *self, gboolean keepalive);
/* An access unit came, or the next host has not failed yet. Any thread. */
void vsockenc_refresh_forget_failures(GstVsockEnc *self);
/* Whether handle_frame() is called for a repeat. With the sink pad's stream lock. */
gboolean vsockenc_refresh_is_repeating(GstVsockEnc *self);
/* If so, this is handle_frame(). With the stream lock. */
GstFlowReturn vsockenc_refresh_handle(GstVsockEnc *self, GstVideoCodecFrame *frame);
/* @event says that no access unit came of a frame: whether the host is asked to repeat its last. With the stream lock.
 */
gboolean vsockenc_refresh_is_wanted_after(GstVsockEnc *self, const HelixClientEvent *event);

#endif
