/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * output.c - the output side: the source pad's task turns the host's answers into buffers as soon as they are there.
 */
#include <string.h>
#include <gst/pbutils/codec-utils.h>
#include "gstvsockenc.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* So often a host is asked in vain to repeat its last picture, 100 ms apart. */
#define MAX_VAIN_REPEATS 10

/* With the stream lock. Width and height the decoder will see: the host's word, or rounded up as 4:2:0 needs. */
static void coded_size(const GstVsockEnc *self, const VsockAnswer *answer, gint *width, gint *height)
{
    *width = (gint)(self->coded_width ? self->coded_width : GST_ROUND_UP_2(answer->width));
    *height = (gint)(self->coded_height ? self->coded_height : GST_ROUND_UP_2(answer->height));
}

/* What downstream has to be told of a stream of @profile: a lower profile's stream is one of the higher ones too. */
static const char *told_profile(GstVsockEnc *self, const char *profile)
{
    static const char *const fits[][4] = {
        { "constrained-baseline", "baseline", "main", "high" },
        { "main", "high" },
    };
    GstPad *pad = GST_VIDEO_ENCODER_SRC_PAD(self);

    for (guint i = 0; i < G_N_ELEMENTS(fits); i++) {
        for (guint j = 0; g_strcmp0(profile, fits[i][0]) == 0 && j < G_N_ELEMENTS(fits[i]) && fits[i][j]; j++) {
            g_autoptr(GstCaps) caps = gst_caps_new_simple("video/x-h264", "profile", G_TYPE_STRING, fits[i][j], NULL);
            g_autoptr(GstCaps) allowed = gst_pad_peer_query_caps(pad, caps);

            if (!gst_caps_is_empty(allowed)) {
                return fits[i][j];
            }
        }
    }
    return profile;
}

static GstCaps *caps_of(GstVsockEnc *self, const guint8 *sps, gint width, gint height)
{
    GstCaps *caps = gst_caps_new_simple("video/x-h264", "stream-format", G_TYPE_STRING, "byte-stream", "alignment",
                                        G_TYPE_STRING, "au", "width", G_TYPE_INT, width, "height", G_TYPE_INT, height,
                                        NULL);
    const char *profile = gst_codec_utils_h264_get_profile(sps, 3);
    const char *level = gst_codec_utils_h264_get_level(sps, 3);

    if (profile) {
        gst_caps_set_simple(caps, "profile", G_TYPE_STRING, told_profile(self, profile), NULL);
    }
    if (level) {
        gst_caps_set_simple(caps, "level", G_TYPE_STRING, level, NULL);
    }
    return caps;
}

static void set_caps(GstVsockEnc *self, GstCaps *caps, GstVideoCodecState *input, gint width, gint height)
{
    GstVideoEncoder *encoder = GST_VIDEO_ENCODER(self);
    GstVideoCodecState *state = gst_video_encoder_set_output_state(encoder, caps, input);

    state->info.width = width;
    state->info.height = height;
    state->info.colorimetry = vsock_colours_of(&self->told_vui);
    gst_video_codec_state_unref(state);
}

/*
 * With the stream lock. Sets the output caps anew when something in them changes: the size, the profile or level of the
 * stream's SPS, the colours that the host says are in it, or the input caps, from which frame rate and pixel aspect
 * ratio come. Those of the access unit's own picture count, as new input caps may be set while older pictures are under
 * way.
 */
static void update_caps(GstVsockEnc *self, const VsockAnswer *answer)
{
    GstVideoCodecState *state = gst_video_encoder_get_output_state(GST_VIDEO_ENCODER(self));
    GstVideoCodecState *input = gst_video_codec_frame_get_user_data(answer->frame);
    gsize len;
    const guint8 *unit = g_bytes_get_data(answer->unit, &len);
    const guint8 *sps = vsock_wire_find_sps(unit, len);
    const VsockVui *vui = &self->agreement.config.vui; /* set on this thread */
    gboolean known = sps || state,
             same = state && input == self->told_input && vsock_wire_vui_equal(vui, &self->told_vui);
    gint width, height;

    coded_size(self, answer, &width, &height);
    same = same && state->info.width == width && state->info.height == height &&
        (!sps || memcmp(self->sps, sps, sizeof(self->sps)) == 0);
    g_clear_pointer(&state, gst_video_codec_state_unref);
    if (same || !known) {
        return;
    }
    if (sps) {
        memcpy(self->sps, sps, sizeof(self->sps));
    }
    g_clear_pointer(&self->told_input, gst_video_codec_state_unref);
    self->told_input = gst_video_codec_state_ref(input);
    self->told_vui = *vui;
    set_caps(self, caps_of(self, self->sps, width, height), input, width, height);
}

static void post_not_negotiated(GstVsockEnc *self)
{
    GstVideoCodecState *state = gst_video_encoder_get_output_state(GST_VIDEO_ENCODER(self));
    g_autofree char *caps = state ? gst_caps_to_string(state->caps) : NULL;

    GST_ELEMENT_ERROR(
        self, CORE, NEGOTIATION,
        ("What the host codes is not what downstream takes. If caps behind vsockenc ask for a level, size, "
         "frame rate and bitrate have to fit it: take them down, or the level up."),
        ("the stream is %s", caps ? caps : "unknown"));
    g_clear_pointer(&state, gst_video_codec_state_unref);
}

/* Of a repeat without an access unit: may the next try go better? With the stream lock. */
static gboolean may_repeat_again(GstVsockEnc *self, const VsockAnswer *answer)
{
    gboolean passes = answer->kind == VSOCK_ANSWER_DROPPED ||
        (answer->kind == VSOCK_ANSWER_ERROR && vsock_is_passing_code(answer->code)) ||
        vsock_stream_wants_first(self->stream);

    return passes && g_atomic_int_add(&self->vain_repeats, 1) + 1 < MAX_VAIN_REPEATS;
}

/* No access unit comes of @answer's frame, counted as @why too; VSOCK_N_COUNTERS: not at all, it was no picture of
 * upstream's. */
static void drop(GstVsockEnc *self, VsockAnswer *answer, VsockCounter why)
{
    GstVideoEncoder *encoder = GST_VIDEO_ENCODER(self);
    GstVideoCodecFrame *frame = g_steal_pointer(&answer->frame);

    if (why != VSOCK_N_COUNTERS) {
        vsock_stats_count(self->stats, VSOCK_COUNT_DROPPED, 1);
        if (why != VSOCK_COUNT_DROPPED) {
            vsock_stats_count(self->stats, why, 1);
        }
    }
#if GST_CHECK_VERSION(1, 26, 0)
    if (answer->kind == VSOCK_ANSWER_UNUSED) {
        gst_video_encoder_release_frame(encoder, frame);
    } else {
        gst_video_encoder_drop_frame(encoder, frame);
    }
#else
    gst_video_encoder_finish_frame(encoder, frame);
#endif
}

/* The host made none, or was not asked in time. A keyframe that it owed, the stream's first picture and its latest are
 * asked for again, also where no picture follows. */
static void drop_frame(GstVsockEnc *self, VsockAnswer *answer, VsockCounter why)
{
    gboolean wanted;

    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    /* A host remembers what it owes for a picture it dropped or refused, so one that is under way may be it already. */
    self->host_owes |= answer->was_forced;
    drop(self, answer, answer->was_repeat ? VSOCK_N_COUNTERS : why);
    if (answer->was_repeat && answer->kind == VSOCK_ANSWER_ERROR && !vsock_is_passing_code(answer->code)) {
        vsock_stream_count_keepalive(self->stream, FALSE); /* this picture it cannot repeat */
    }
    wanted = answer->was_repeat
        ? may_repeat_again(self, answer)
        : answer->was_forced || vsock_stream_wants_first(self->stream) || vsock_stream_wants_last(self->stream);
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    if (wanted) {
        vsockenc_want_keyframe(self);
    }
}

static GstFlowReturn push_unit(GstVsockEnc *self, VsockAnswer *answer)
{
    GstVideoCodecFrame *frame = answer->frame;

    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    self->errors_in_row = 0;
    g_atomic_int_set(&self->vain_repeats, 0);
    if ((self->keeps_last || answer->unjudged) && !self->reconnects) {
        self->keeps_last = FALSE; /* the host has one now, and can read the way it came by */
        vsockenc_keep_last(self, NULL);
    }
    self->host_owes &= !answer->keyframe;
    if (answer->unjudged) {
        vsock_copier_accepted(self->source.copier, answer->way);
    }
    vsockenc_update_latency(self, answer->took_us);
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

static GstFlowReturn refuse(GstVsockEnc *self, const VsockAnswer *answer)
{
    guint in_row;

    if (answer->was_repeat || vsockenc_is_of_way(answer)) {
        GST_INFO_OBJECT(self, "nothing comes of it: %s", answer->message);
        return GST_FLOW_OK;
    }
    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    in_row = ++self->errors_in_row;
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    if (in_row >= VSOCKENC_MAX_ERRORS_IN_ROW) {
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

void vsockenc_push_eos(GstVsockEnc *self)
{
    GstVideoEncoderClass *base = g_type_class_peek(GST_TYPE_VIDEO_ENCODER);
    GstEvent *eos;

    /* Over both, so that who comes second finds it gone downstream. */
    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    GST_OBJECT_LOCK(self);
    eos = g_steal_pointer(&self->eos);
    GST_OBJECT_UNLOCK(self);
    if (eos) {
        /* Nothing to wait for: an agreement that comes now would be taken by this very thread, or one that waits for
         * it. */
        self->ending = TRUE;
        base->sink_event(GST_VIDEO_ENCODER(self), eos);
        self->ending = FALSE;
    }
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
}

/* @flow is what came of an answer taken after @flushes flushes and @relinks relinks. */
static void note_flow(GstVsockEnc *self, GstFlowReturn flow, guint flushes, gint relinks)
{
    gboolean not_negotiated;

    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    if (flushes != self->flushes) {
        flow = GST_FLOW_OK; /* downstream seeked from within the push: that is over */
    }
    not_negotiated = flow == GST_FLOW_NOT_NEGOTIATED && self->flow != flow;
    self->flow = flow;
    self->flow_relinks = relinks;
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    if (flow != GST_FLOW_OK) {
        GST_DEBUG_OBJECT(self, "push: %s", gst_flow_get_name(flow));
    }
    if (not_negotiated) {
        post_not_negotiated(self);
    }
}

static guint count_flushes(GstVsockEnc *self)
{
    guint flushes;

    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    flushes = self->flushes;
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    return flushes;
}

void vsockenc_output_loop(gpointer element)
{
    GstVsockEnc *self = element;
    VsockAnswer *answer = vsock_stream_next_answer(self->stream);
    GstFlowReturn flow = GST_FLOW_OK;
    gboolean pushes = answer && answer->kind == VSOCK_ANSWER_UNIT;
    guint flushes = pushes ? count_flushes(self) : 0;
    gint relinks = g_atomic_int_get(&self->relinks);

    if (!answer) {
        gst_pad_pause_task(GST_VIDEO_ENCODER_SRC_PAD(self));
        if (!vsock_stream_is_flushing(self->stream)) {
            vsockenc_run_output(self); /* the flush ended, and a picture that came found the task running yet */
        }
        return;
    }
    switch (answer->kind) {
    case VSOCK_ANSWER_CONFIG:
        vsockenc_take_agreement(self, answer);
        break;
    case VSOCK_ANSWER_REFUSED:
        vsockenc_take_refusal(self, answer);
        break;
    case VSOCK_ANSWER_UNIT:
        flow = push_unit(self, answer);
        break;
    case VSOCK_ANSWER_ERROR:
        if (vsockenc_trial_refused(self, answer)) {
            break;
        }
        flow = refuse(self, answer);
        drop_frame(self, answer, VSOCK_COUNT_ERRORS);
        break;
    case VSOCK_ANSWER_DROPPED:
        drop_frame(self, answer, VSOCK_COUNT_DROPPED);
        break;
    case VSOCK_ANSWER_SKIPPED:
        drop_frame(self, answer, VSOCK_COUNT_SKIPPED);
        break;
    case VSOCK_ANSWER_LATE:
        drop(self, answer, VSOCK_COUNT_LATE);
        break;
    case VSOCK_ANSWER_GIVEN_UP:
        drop(self, answer, VSOCK_COUNT_DROPPED);
        break;
    case VSOCK_ANSWER_UNUSED:
        drop(self, answer, VSOCK_N_COUNTERS);
        break;
    case VSOCK_ANSWER_LOST:
        drop_frame(self, answer, VSOCK_COUNT_LOST);
        break;
    case VSOCK_ANSWER_REPEAT:
    case VSOCK_ANSWER_KEEPALIVE:
        vsockenc_repeat(self, answer->kind == VSOCK_ANSWER_KEEPALIVE);
        break;
    case VSOCK_ANSWER_DRAINED:
        vsock_answer_free(answer);
        vsock_stream_answer_done(self->stream); /* first: the base class drains */
        vsockenc_push_eos(self);
        return;
    }
    vsock_answer_free(answer);
    if (pushes || flow != GST_FLOW_OK) {
        note_flow(self, flow, pushes ? flushes : count_flushes(self), relinks);
    }
    vsock_stream_answer_done(self->stream);
}
