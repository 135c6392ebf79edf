/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* submit.c - see submit.h. */
#include "input.h"
#include "kept.h"
#include "keyframe.h"
#include "client-handle.h"
#include "submit.h"
#include "times.h"

void vsockenc_give_up_frame(GstVsockEnc *self, GstVideoCodecFrame *frame, gboolean forced, HelixClientEventType type)
{
    vsockenc_keyframe_want(self, forced);
    helix_client_submit_nothing(vsockenc_client(self), type, frame);
}

/* The base class wants the input's metas when the access unit goes out; its memory must go back long before. */
static void keep_metas_only(GstVideoCodecFrame *frame)
{
    GstBuffer *metas = gst_buffer_new();
    GstMeta *meta;

    gst_buffer_copy_into(metas, frame->input_buffer,
                         GST_BUFFER_COPY_FLAGS | GST_BUFFER_COPY_TIMESTAMPS | GST_BUFFER_COPY_META, 0, (gsize)-1);
    /* The first would hold the pool's buffer; the second was obeyed and says nothing about the access unit. */
    while ((meta = gst_buffer_get_meta(metas, GST_PARENT_BUFFER_META_API_TYPE)) ||
           (meta = gst_buffer_get_meta(metas, GST_VIDEO_CROP_META_API_TYPE))) {
        gst_buffer_remove_meta(metas, meta);
    }
    gst_buffer_replace(&frame->input_buffer, metas);
    gst_buffer_unref(metas);
}

void vsockenc_submit(GstVsockEnc *self, GstVideoCodecFrame *frame, HelixClientFrame *picture)
{
    gboolean forced = vsockenc_keyframe_take(self, frame);
    GstClockTime pts = vsockenc_times_wire_pts(self, frame), duration = frame->duration;

    vsockenc_client_set_active(self, TRUE);
    if (picture) {
        vsockenc_kept_set(self, picture, frame->input_buffer);
    }
    keep_metas_only(frame);
    /* The output caps of its access unit come from these, whatever is set meanwhile. */
    gst_video_codec_frame_set_user_data(frame, gst_video_codec_state_ref(vsockenc_input_get_state(self)),
                                        (GDestroyNotify)gst_video_codec_state_unref);
    if (picture) {
        helix_client_submit(vsockenc_client(self), picture, pts, duration, forced, frame);
    } else {
        helix_client_submit_repeat(vsockenc_client(self), pts, duration, forced, frame);
    }
}
