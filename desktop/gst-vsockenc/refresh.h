/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * refresh.h - a keyframe, or a sign of life, on a screen that stands still: upstream gives no picture to make one of,
 * so the host is asked to encode its last picture again. A host that came back has none, and is given the last one that
 * upstream gave.
 *
 * The request is an empty buffer given to the base class, as pictures are: its bookkeeping (which keyframe was
 * asked for, the event that tells downstream of it, times) stays right.
 */
#ifndef VSOCKENC_REFRESH_H
#define VSOCKENC_REFRESH_H

#include "../client/helix-client.h"
#include "element.h"

typedef struct VsockEncRefresh {
    gint failures; /* atomic: repeats that brought no access unit, one after the other */
    /* With the sink pad's stream lock. */
    gboolean repeating;     /* what is chained is no picture of upstream's, */
    gboolean keeping_alive; /* and goes to the host also where no keyframe is wanted */
} VsockEncRefresh;

void vsockenc_refresh_reset(GstVsockEnc *self);
/* A keyframe is wanted, of the last picture if no other comes soon. Any thread. */
void vsockenc_refresh_want_keyframe(GstVsockEnc *self);
/* None came; or, @keepalive, none of any kind for the keepalive time. On the source pad's task, no lock held. */
void vsockenc_refresh_repeat(GstVsockEnc *self, gboolean keepalive);
/* An access unit came, or the next host has not failed yet. Any thread. */
void vsockenc_refresh_forget_failures(GstVsockEnc *self);
/* Whether handle_frame() is called for a repeat. With the sink pad's stream lock. */
gboolean vsockenc_refresh_is_repeating(GstVsockEnc *self);
/* Then this does it. With the stream lock. */
GstFlowReturn vsockenc_refresh_handle(GstVsockEnc *self, GstVideoCodecFrame *frame);
/* @event says that no access unit came of a frame: whether the host is asked to repeat its last. With the stream lock.
 */
gboolean vsockenc_refresh_is_wanted_after(GstVsockEnc *self, const HelixClientEvent *event);

#endif
