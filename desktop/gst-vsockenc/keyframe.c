/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* keyframe.c - see keyframe.h. */
#include "keyframe.h"
#include "downstream-caps.h"
#include "properties.h"
#include "client-handle.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* Films seek in steps of this. */
#define AUTOMATIC_INTERVAL (2 * GST_SECOND)

void vsockenc_keyframe_reset(GstVsockEnc *self)
{
    *self->keyframe = (VsockEncKeyframe){
        .since = G_MAXUINT, .latest = GST_CLOCK_TIME_NONE
    }; /* the first frame is one anyway, and counts as 0 */
}

void vsockenc_keyframe_look_downstream(GstVsockEnc *self)
{
    gboolean automatic = vsockenc_properties_asked(self, VSOCKENC_SETTING_KEY_INT_MAX) == 0 &&
        vsockenc_downstream_writes_files(GST_VIDEO_ENCODER_SRC_PAD(self));

    if (automatic != g_atomic_int_get(&self->keyframe->automatic)) {
        g_atomic_int_set(&self->keyframe->automatic, automatic);
        GST_INFO_OBJECT(self, "key-int-max=0: %s",
                        automatic ? "a keyframe every 2 s, as downstream writes files" : "keyframes on request only");
    }
}

guint vsockenc_keyframe_interval_ms(GstVsockEnc *self)
{
    return g_atomic_int_get(&self->keyframe->automatic) ? (guint)(AUTOMATIC_INTERVAL / GST_MSECOND) : 0;
}

/* Whether @frame comes as long after the last forced one as key-int-max 0 allows. */
static gboolean is_automatic(GstVsockEnc *self, const GstVideoCodecFrame *frame)
{
    const VsockEncKeyframe *keyframe = self->keyframe;

    return keyframe->automatic && GST_CLOCK_TIME_IS_VALID(frame->pts) &&
        (!GST_CLOCK_TIME_IS_VALID(keyframe->latest) || frame->pts < keyframe->latest ||
         frame->pts - keyframe->latest >= AUTOMATIC_INTERVAL);
}

void vsockenc_keyframe_want(GstVsockEnc *self, gboolean wanted)
{
    self->keyframe->wanted |= wanted;
}

void vsockenc_keyframe_set_pending(GstVsockEnc *self, gboolean pending)
{
    self->keyframe->idr_pending |= pending;
}

void vsockenc_keyframe_came(GstVsockEnc *self, gboolean keyframe)
{
    self->keyframe->idr_pending &= !keyframe;
}

gboolean vsockenc_keyframe_is_due(GstVsockEnc *self, const GstVideoCodecFrame *frame)
{
    return self->keyframe->wanted || self->keyframe->idr_pending || GST_VIDEO_CODEC_FRAME_IS_FORCE_KEYFRAME(frame);
}

gboolean vsockenc_keyframe_take(GstVsockEnc *self, const GstVideoCodecFrame *frame)
{
    guint key_int_max = vsockenc_properties_asked(self, VSOCKENC_SETTING_KEY_INT_MAX);
    gboolean due = vsockenc_keyframe_is_due(self, frame);
    HelixClientHost host;

    helix_client_get_host(vsockenc_client(self), &host);
    if (host.capabilities & HELIX_CLIENT_CAP_LONG_CONFIG) {
        key_int_max = 0;
    }
    self->keyframe->since++;
    due |= key_int_max && self->keyframe->since >= key_int_max;
    due |= is_automatic(self, frame);
    if (due) {
        self->keyframe->since = 0;
        self->keyframe->latest = frame->pts;
    }
    vsockenc_keyframe_satisfied(self);
    return due;
}

void vsockenc_keyframe_satisfied(GstVsockEnc *self)
{
    self->keyframe->wanted = self->keyframe->idr_pending = FALSE;
}
