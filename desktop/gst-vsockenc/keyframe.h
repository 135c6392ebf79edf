/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keyframe.h - when a frame is requested from the host as an IDR: force-key-unit, which the base class marks on the
 * frame; a request whose frame brought no keyframe; key-int-max. All with the stream lock, unless said.
 */
#ifndef VSOCKENC_KEYFRAME_H
#define VSOCKENC_KEYFRAME_H

#include "element.h"

typedef struct VsockEncKeyframe {
    gboolean wanted;      /* the next frame must be an IDR */
    gboolean idr_pending; /* the same, unless a keyframe arrives before: a forced frame brought none */
    guint since;          /* frames since the last forced one, for key-int-max */
    gboolean automatic;   /* key-int-max is 0, and downstream writes files */
    GstClockTime latest;  /* the pts of the last forced one; GST_CLOCK_TIME_NONE: none yet */
} VsockEncKeyframe;

void vsockenc_keyframe_reset(GstVsockEnc *self);
/* Look at downstream, for key-int-max 0: its elements are new, or were linked anew. */
void vsockenc_keyframe_look_downstream(GstVsockEnc *self);
/* The time between keyframes that nothing asks for, in milliseconds. 0: there are none. Any thread. */
guint vsockenc_keyframe_interval_ms(GstVsockEnc *self);
/* If @wanted, the next frame must be a keyframe. */
void vsockenc_keyframe_want(GstVsockEnc *self, gboolean wanted);
/* If @pending, a forced frame brought no keyframe. The host remembers the request: a frame under way may become it. */
void vsockenc_keyframe_set_pending(GstVsockEnc *self, gboolean pending);
/* An access unit came. */
void vsockenc_keyframe_came(GstVsockEnc *self, gboolean keyframe);
/* Whether @frame must be a keyframe. */
gboolean vsockenc_keyframe_is_due(GstVsockEnc *self, const GstVideoCodecFrame *frame);
/* The same for @frame, which is submitted now, and is counted: key-int-max is kept here for hosts that do not know it.
 */
gboolean vsockenc_keyframe_take(GstVsockEnc *self, const GstVideoCodecFrame *frame);
/* A frame that was submitted before becomes the keyframe that was wanted. */
void vsockenc_keyframe_satisfied(GstVsockEnc *self);

#endif
