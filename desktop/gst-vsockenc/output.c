/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * output.c - the output side: the source pad's task turns the host's answers into buffers as soon as they are there.
 */
#include <gst/pbutils/codec-utils.h>
#include "gstvsockenc.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* So many pictures refused one after the other are no accident any more. */
#define MAX_ERRORS_IN_ROW 30

/* With the stream lock. Width and height the decoder will see: the host's word, or rounded up as 4:2:0 needs. */
static void coded_size(const GstVsockEnc *self, const VsockAnswer *answer, gint *width, gint *height)
{
    *width = (gint)(self->coded_width ? self->coded_width : GST_ROUND_UP_2(answer->width));
    *height = (gint)(self->coded_height ? self->coded_height : GST_ROUND_UP_2(answer->height));
}

static GstCaps *caps_of(const guint8 *sps, gint width, gint height)
{
    GstCaps *caps = gst_caps_new_simple("video/x-h264", "stream-format", G_TYPE_STRING, "byte-stream",
                                        "alignment", G_TYPE_STRING, "au", "width", G_TYPE_INT, width,
                                        "height", G_TYPE_INT, height, NULL);
    const char *profile = gst_codec_utils_h264_get_profile(sps, 3);
    const char *level = gst_codec_utils_h264_get_level(sps, 3);

    if (profile) {
        gst_caps_set_simple(caps, "profile", G_TYPE_STRING, profile, NULL);
    }
    if (level) {
        gst_caps_set_simple(caps, "level", G_TYPE_STRING, level, NULL);
    }
    return caps;
}

/* With the stream lock. Says what the stream is, from its own SPS, whenever that changes. */
static void update_caps(GstVsockEnc *self, const VsockAnswer *answer)
{
    GstVideoEncoder *encoder = GST_VIDEO_ENCODER(self);
    GstVideoCodecState *state = gst_video_encoder_get_output_state(encoder);
    gsize len;
    const guint8 *unit = g_bytes_get_data(answer->unit, &len);
    const guint8 *sps = vsock_wire_find_sps(unit, len);
    const char *profile, *level;
    gint width, height;
    gboolean same = FALSE;

    if (sps && state) {
        const GstStructure *now = gst_caps_get_structure(state->caps, 0);

        profile = gst_codec_utils_h264_get_profile(sps, 3);
        level = gst_codec_utils_h264_get_level(sps, 3);
        coded_size(self, answer, &width, &height);
        same = state->info.width == width && state->info.height == height &&
               g_strcmp0(gst_structure_get_string(now, "profile"), profile) == 0 &&
               g_strcmp0(gst_structure_get_string(now, "level"), level) == 0;
    }
    g_clear_pointer(&state, gst_video_codec_state_unref);
    if (!sps || same) {
        return;
    }
    coded_size(self, answer, &width, &height);
    state = gst_video_encoder_set_output_state(encoder, caps_of(sps, width, height), self->input_state);
    state->info.width = width;
    state->info.height = height;
    gst_video_colorimetry_from_string(&state->info.colorimetry, GST_VIDEO_COLORIMETRY_BT709);
    gst_video_codec_state_unref(state);
}

static GstFlowReturn push_unit(GstVsockEnc *self, VsockAnswer *answer)
{
    GstVideoCodecFrame *frame = answer->frame;

    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    self->errors_in_row = 0;
    update_caps(self, answer);
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);

    vsock_stats_count(self->stats, VSOCK_COUNT_FRAMES, 1);
    vsock_stats_count(self->stats, VSOCK_COUNT_BITSTREAM_BYTES, g_bytes_get_size(answer->unit));
    if (answer->keyframe) {
        vsock_stats_count(self->stats, VSOCK_COUNT_KEYFRAMES, 1);
        GST_VIDEO_CODEC_FRAME_SET_SYNC_POINT(frame);
    }
    frame->dts = frame->pts;
    frame->output_buffer = gst_buffer_new_wrapped_bytes(answer->unit);
    answer->frame = NULL;
    return gst_video_encoder_finish_frame(GST_VIDEO_ENCODER(self), frame);
}

/* No access unit came of it. */
static void drop_frame(GstVsockEnc *self, VsockAnswer *answer)
{
    GstVideoCodecFrame *frame = g_steal_pointer(&answer->frame);

    /* The host remembers a keyframe it owes for a picture it dropped; for one it refused, it is asked again. */
    if (answer->kind == VSOCK_ANSWER_ERROR && answer->was_forced) {
        GST_VIDEO_ENCODER_STREAM_LOCK(self);
        self->force_keyframe = TRUE;
        GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    }
    vsock_stats_count(self->stats, VSOCK_COUNT_DROPPED, 1);
#if GST_CHECK_VERSION(1, 26, 0)
    gst_video_encoder_drop_frame(GST_VIDEO_ENCODER(self), frame);
#else
    gst_video_encoder_finish_frame(GST_VIDEO_ENCODER(self), frame);
#endif
}

static GstFlowReturn refuse(GstVsockEnc *self, const VsockAnswer *answer)
{
    guint in_row;

    vsock_stats_count(self->stats, VSOCK_COUNT_ERRORS, 1);
    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    in_row = ++self->errors_in_row;
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    if (in_row >= MAX_ERRORS_IN_ROW) {
        GST_ELEMENT_ERROR(self, STREAM, ENCODE,
                          ("The host refused %u pictures one after the other: %s", in_row, answer->message),
                          ("error %d", answer->code));
        return GST_FLOW_ERROR;
    }
    if (in_row == 1 && answer->code != HELIX_CODE_BUSY) {
        GST_ELEMENT_WARNING(self, STREAM, ENCODE, ("The host refused a picture: %s", answer->message),
                            ("error %d", answer->code));
    }
    return GST_FLOW_OK;
}

static void take_agreement(GstVsockEnc *self, const VsockAgreement *agreement)
{
    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    self->coded_width = agreement->config.width;
    self->coded_height = agreement->config.height;
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    GST_OBJECT_LOCK(self);
    self->agreement = *agreement;
    GST_OBJECT_UNLOCK(self);
}

void vsockenc_output_loop(gpointer element)
{
    GstVsockEnc *self = element;
    VsockAnswer *answer = vsock_stream_next_answer(self->stream);
    GstFlowReturn flow = GST_FLOW_OK;

    if (!answer) {
        gst_pad_pause_task(GST_VIDEO_ENCODER_SRC_PAD(self));
        return;
    }
    switch (answer->kind) {
    case VSOCK_ANSWER_CONFIG:
        take_agreement(self, &answer->agreement);
        break;
    case VSOCK_ANSWER_UNIT:
        flow = push_unit(self, answer);
        break;
    case VSOCK_ANSWER_ERROR:
        flow = refuse(self, answer);
        drop_frame(self, answer);
        break;
    case VSOCK_ANSWER_DROPPED:
        drop_frame(self, answer);
        break;
    }
    vsock_answer_free(answer);
    if (flow != GST_FLOW_OK) {
        GST_DEBUG_OBJECT(self, "push: %s", gst_flow_get_name(flow));
        GST_VIDEO_ENCODER_STREAM_LOCK(self);
        self->flow = flow;
        GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    }
    vsock_stream_answer_done(self->stream);
}
