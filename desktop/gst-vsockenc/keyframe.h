/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* keyframe.h - keyframes that downstream waits for. All with the stream lock. */
#ifndef VSOCKENC_KEYFRAME_H
#define VSOCKENC_KEYFRAME_H

#include "element.h"

typedef struct VsockEncKeyframe {
    gboolean wanted;      /* the next frame must be an IDR */
    gboolean idr_pending; /* the same, unless the host makes one of a frame under way: no keyframe came of one */
    guint since;          /* frames since the last forced one */
} VsockEncKeyframe;

void vsockenc_keyframe_reset(GstVsockEnc *self);
/* The next frame must be one, if @wanted. */
void vsockenc_keyframe_want(GstVsockEnc *self, gboolean wanted);
/* A frame that was to be one brought none, if @pending; the host remembers the request, so the next may be it. */
void vsockenc_keyframe_set_pending(GstVsockEnc *self, gboolean pending);
/* An access unit came. */
void vsockenc_keyframe_came(GstVsockEnc *self, gboolean keyframe);
/* Whether @frame is to be one. */
gboolean vsockenc_keyframe_is_due(GstVsockEnc *self, const GstVideoCodecFrame *frame);
/* The same, and count @frame: it is submitted now. A host that cannot be told key-int-max is asked for each. */
gboolean vsockenc_keyframe_take(GstVsockEnc *self, const GstVideoCodecFrame *frame);
/* What was wanted goes with a frame that was submitted before. */
void vsockenc_keyframe_satisfied(GstVsockEnc *self);

#endif
