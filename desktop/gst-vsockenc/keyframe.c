/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* keyframe.c - see keyframe.h. */
#include "keyframe.h"
#include "properties.h"
#include "client-handle.h"

void vsockenc_keyframe_reset(GstVsockEnc *self)
{
    *self->keyframe = (VsockEncKeyframe){ .since = G_MAXUINT }; /* the first frame is one anyway, and counts as 0 */
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
    if (due) {
        self->keyframe->since = 0;
    }
    vsockenc_keyframe_satisfied(self);
    return due;
}

void vsockenc_keyframe_satisfied(GstVsockEnc *self)
{
    self->keyframe->wanted = self->keyframe->idr_pending = FALSE;
}
