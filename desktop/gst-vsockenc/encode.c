/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * encode.c - the input side: start, format, pictures, drain, flush, stop.
 *
 * The stream lock is given up while waiting for the host, or the task that delivers its answers could not take it.
 */
#include <string.h>
#include "gstvsockenc.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* ---- errors and statistics ---- */

void vsockenc_post_error(GstVsockEnc *self, GError *error)
{
    vsockenc_tell_no_path(self, error->message);
    gst_element_message_full(GST_ELEMENT(self), GST_MESSAGE_ERROR, error->domain, error->code, g_strdup(error->message),
                             NULL, __FILE__, __func__, __LINE__);
    g_error_free(error);
}

/* Connection's thread. */
static void stream_failed(gpointer user, GError *error)
{
    GstVsockEnc *self = user;
    g_autofree char *doubt = NULL;

    if (g_error_matches(error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS) && (doubt = vsockenc_unit_doubt(self))) {
        g_prefix_error(&error, "%s ", doubt);
    }
    vsockenc_post_error(self, error);
}

/* Connection's thread. @error NULL: it is back. */
static void stream_lost(gpointer user, GError *error)
{
    GstVsockEnc *self = user;

    if (error) {
        g_atomic_int_set(&self->lost_host, TRUE);
        g_atomic_int_set(&self->vain_repeats, 0); /* the next host has not failed yet */
        gst_element_message_full(
            GST_ELEMENT(self), GST_MESSAGE_WARNING, error->domain, error->code,
            g_strdup_printf("%s It is tried again until it is there (reconnect=true).", error->message), NULL, __FILE__,
            __func__, __LINE__);
        g_error_free(error);
    } else {
        GST_ELEMENT_INFO(self, RESOURCE, OPEN_READ_WRITE, ("The host is there, and connected."), (NULL));
    }
}

GstStructure *vsockenc_stats(GstVsockEnc *self)
{
    GstStructure *stats = vsock_stats_structure(self->stats);
    const VsockAgreement *agreement = &self->agreement;

    GST_OBJECT_LOCK(self);
    gst_structure_set(stats, "encoder", G_TYPE_STRING, *agreement->encoder ? agreement->encoder : "unknown",
                      "bitrate-kbps", G_TYPE_UINT, agreement->config.bitrate / 1000, "max-in-flight", G_TYPE_UINT,
                      agreement->max_in_flight, "capabilities", G_TYPE_UINT, agreement->capabilities, NULL);
    GST_OBJECT_UNLOCK(self);
    return stats;
}

static void post_stats(GstVsockEnc *self)
{
    if (!self->gave_stats) {
        self->gave_stats = TRUE;
        gst_element_post_message(GST_ELEMENT(self), gst_message_new_element(GST_OBJECT(self), vsockenc_stats(self)));
    }
}

/* ---- start and stop ---- */

static void free_frame(gpointer frame)
{
    gst_video_codec_frame_unref(frame);
}

static void set_no_gpu(GstVsockEnc *self, const char *why)
{
    GST_OBJECT_LOCK(self);
    g_free(self->no_gpu);
    self->no_gpu = g_strdup(why);
    GST_OBJECT_UNLOCK(self);
}

static void open_gpu(GstVsockEnc *self)
{
    VsockNode *node = vsock_node_open(NULL, &self->gpu_error);

    self->source.gpu_error = self->gpu_error;
    if (node) {
        self->source.gpu = vsock_gpu_new(node);
        self->source.copier = vsock_copier_new(node);
        vsock_node_unref(node);
    } else {
        GST_INFO_OBJECT(self, "no pictures by resource id: %s", self->gpu_error->message);
    }
    set_no_gpu(self, self->gpu_error ? self->gpu_error->message : NULL);
    vsockenc_set_path(self, VSOCK_N_PATHS, NULL);
}

gboolean vsockenc_start(GstVideoEncoder *encoder)
{
    GstVsockEnc *self = GST_VSOCKENC(encoder);
    g_autofree char *path = NULL;
    VsockStreamConfig config = { .stats = self->stats, .failed = stream_failed, .lost = stream_lost, .user = self };
    VsockStream *stream;
    GError *error = NULL;

    GST_OBJECT_LOCK(self);
    path = self->socket_path && *self->socket_path ? g_strdup(self->socket_path) : NULL;
    config.address = (VsockAddress){ .socket_path = path, .cid = self->cid, .port = self->port };
    config.timeout_ms = self->timeout;
    config.reconnect = self->reconnect;
    memset(&self->agreement, 0, sizeof(self->agreement));
    vsock_settings_reset(&self->settings);
    GST_OBJECT_UNLOCK(self);

    vsock_stats_reset(self->stats);
    self->gave_stats = TRUE;
    self->flow = GST_FLOW_OK;
    g_atomic_int_set(&self->lost_host, FALSE);
    self->force_keyframe = self->host_owes = FALSE;
    g_atomic_int_set(&self->vain_repeats, 0);
    self->keeps_last = TRUE;
    self->reconnects = config.reconnect;
    self->since_keyframe = G_MAXUINT; /* the first picture is one anyway, and counts as 0 */
    self->errors_in_row = 0;
    self->coded_width = self->coded_height = 0;
    self->latency_frames = self->slow_in_row = 0;
    g_clear_pointer(&self->warned_unit, g_free);
    self->last_pts = -1;
    self->flushed = FALSE;
    self->given_pts = self->given_at = self->repeat_pts = GST_CLOCK_TIME_NONE;
    open_gpu(self);
    stream = vsock_stream_new(&config, &error);
    GST_OBJECT_LOCK(self);
    self->stream = stream;
    if (stream) {
        vsock_stream_set_keepalive(stream, self->keepalive_time);
    }
    GST_OBJECT_UNLOCK(self);
    if (!stream) {
        vsockenc_post_error(self, error);
        vsockenc_stop(encoder);
        return FALSE;
    }
    return TRUE;
}

gboolean vsockenc_stop(GstVideoEncoder *encoder)
{
    GstVsockEnc *self = GST_VSOCKENC(encoder);
    VsockStream *stream = vsockenc_ref_stream(self);

    if (stream) {
        vsock_stream_end(stream);
    }
    gst_pad_stop_task(encoder->srcpad);
    GST_OBJECT_LOCK(self);
    self->stream = NULL;
    gst_event_replace(&self->eos, NULL);
    vsock_settings_reset(&self->settings); /* they read what was asked for again */
    GST_OBJECT_UNLOCK(self);
    if (stream) {
        vsock_stream_close(stream, free_frame);
        vsock_stream_unref(stream); /* this one's, and */
        vsock_stream_unref(stream); /* the element's */
        post_stats(self);
    }
    vsockenc_keep_last(self, NULL);
    g_clear_pointer(&self->input_state, gst_video_codec_state_unref);
    g_clear_pointer(&self->told_input, gst_video_codec_state_unref);
    g_clear_pointer(&self->source.gpu, vsock_gpu_free);
    g_clear_pointer(&self->source.copier, vsock_copier_free);
    g_clear_error(&self->gpu_error);
    set_no_gpu(self, NULL);
    self->source.gpu_error = NULL;
    return TRUE;
}

/* ---- format ---- */

/* What the latest push says of the next; "not linked" nothing any more once the pad was linked. With the stream lock.
 */
static GstFlowReturn downstream_flow(const GstVsockEnc *self)
{
    gboolean old = self->flow == GST_FLOW_NOT_LINKED && self->flow_relinks != g_atomic_int_get(&self->relinks);

    return old ? GST_FLOW_OK : self->flow;
}

/* A flow that downstream returned goes before what the wait says. With the stream lock. */
GstFlowReturn vsockenc_flow_of(const GstVsockEnc *self, VsockWait state)
{
    GstFlowReturn flow = downstream_flow(self);

    if (flow != GST_FLOW_OK) {
        return flow;
    }
    switch (state) {
    case VSOCK_WAIT_FLUSHING:
        return GST_FLOW_FLUSHING;
    case VSOCK_WAIT_FAILED:
        return GST_FLOW_ERROR;
    default:
        return GST_FLOW_OK;
    }
}

/* Whoever waits for answers needs the task that takes them: agreements too, before the first picture. */
void vsockenc_run_output(GstVsockEnc *self)
{
    GstPad *pad = GST_VIDEO_ENCODER_SRC_PAD(self);

    if (gst_pad_get_task_state(pad) != GST_TASK_STARTED) {
        gst_pad_start_task(pad, vsockenc_output_loop, self, NULL);
    }
}

VsockWait vsockenc_drain(GstVsockEnc *self, guint ms)
{
    VsockWait state;

    vsockenc_run_output(self);
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    state = vsock_stream_drain(self->stream, self->live ? ms : 0);
    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    return state;
}

/* Can upstream wait? A screen or a camera cannot: what it is not asked for in time is old, or holds up others. */
static gboolean is_live(GstVsockEnc *self)
{
    GstQuery *query = gst_query_new_latency();
    gboolean live = FALSE;

    if (gst_pad_peer_query(GST_VIDEO_ENCODER_SINK_PAD(self), query)) {
        gst_query_parse_latency(query, &live, NULL, NULL);
    }
    gst_query_unref(query);
    return live;
}

/* A live source does not wait for a host that says nothing: what is under way comes before what is new all the same. */
static gboolean end_format(GstVsockEnc *self)
{
    VsockWait state = vsockenc_drain(self, VSOCK_DRAIN_MS);

    if (state == VSOCK_WAIT_LATE) {
        vsock_stream_skip_held(self->stream);
    }
    return state == VSOCK_WAIT_READY || state == VSOCK_WAIT_LATE;
}

gboolean vsockenc_set_format(GstVideoEncoder *encoder, GstVideoCodecState *state)
{
    GstVsockEnc *self = GST_VSOCKENC(encoder);

    if (self->input_state && !end_format(self)) {
        return FALSE;
    }
    vsockenc_keep_last(self, NULL);
    if (!vsockenc_use_caps(self, state->caps, &state->info)) {
        return FALSE;
    }
    g_clear_pointer(&self->input_state, gst_video_codec_state_unref);
    self->input_state = gst_video_codec_state_ref(state);
    self->width = (guint32)GST_VIDEO_INFO_WIDTH(&self->source.info);
    self->height = (guint32)GST_VIDEO_INFO_HEIGHT(&self->source.info);
    self->live = is_live(self);
    vsock_stream_set_still(self->stream, self->live);
    vsockenc_update_latency(self, 0);
    vsockenc_configure(self);
    return TRUE;
}

/* ---- pictures ---- */

/* Until the host can take one more picture, or a live source need not wait. Without the stream lock meanwhile. */
static VsockWait wait_for_host(GstVsockEnc *self)
{
    VsockWait state;

    vsockenc_run_output(self);
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    state = vsock_stream_wait(self->stream, self->live);
    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    return state;
}

void vsockenc_give_up_frame(GstVsockEnc *self, GstVideoCodecFrame *frame, gboolean forced, VsockAnswerKind kind)
{
    self->force_keyframe |= forced;
    vsock_stream_give_up(self->stream, frame, kind);
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

/* The wire's pts: upstream's where it has one; always growing, so that it tells requests apart. */
static GstClockTime wire_pts(GstVsockEnc *self, const GstVideoCodecFrame *frame)
{
    gint64 pts = GST_CLOCK_TIME_IS_VALID(frame->pts) ? (gint64)frame->pts : self->last_pts + 1;

    self->last_pts = MAX(pts, self->last_pts + 1);
    return (GstClockTime)self->last_pts;
}

static gboolean picture_size_changed(GstVsockEnc *self, GstBuffer *buffer)
{
    guint32 width, height;
    gboolean changed;

    vsock_picture_size(&self->source.info, buffer, &width, &height);
    changed = width != self->width || height != self->height;
    self->width = width;
    self->height = height;
    return changed;
}

/* A host that cannot be told key-int-max is asked for each keyframe. */
static gboolean keyframe_due(GstVsockEnc *self, gboolean forced)
{
    guint key_int_max;

    GST_OBJECT_LOCK(self);
    key_int_max = self->settings.asked[VSOCK_SETTING_KEY_INT_MAX];
    GST_OBJECT_UNLOCK(self);
    if (vsock_stream_capabilities(self->stream) & HELIX_CAP_LONG_CONFIG) {
        key_int_max = 0;
    }
    self->since_keyframe++;
    if (forced || (key_int_max && self->since_keyframe >= key_int_max)) {
        self->since_keyframe = 0;
        return TRUE;
    }
    return FALSE;
}

void vsockenc_submit(GstVsockEnc *self, GstVideoCodecFrame *frame, VsockPicture *picture)
{
    gboolean forced = keyframe_due(
        self, self->force_keyframe || self->host_owes || GST_VIDEO_CODEC_FRAME_IS_FORCE_KEYFRAME(frame));
    GstClockTime pts = wire_pts(self, frame), duration = frame->duration;

    self->force_keyframe = self->host_owes = FALSE;
    self->gave_stats = FALSE;
    keep_metas_only(frame);
    /* The output caps of its access unit come from these, whatever is set meanwhile. */
    gst_video_codec_frame_set_user_data(frame, gst_video_codec_state_ref(self->input_state),
                                        (GDestroyNotify)gst_video_codec_state_unref);
    if (picture && !picture->again) {
        vsockenc_keep_last(self, picture);
    }
    vsock_stream_submit(self->stream, picture, frame, pts, duration, forced);
}

static gboolean is_late(GstVsockEnc *self, GstVideoCodecFrame *frame)
{
    GstVideoEncoder *encoder = GST_VIDEO_ENCODER(self);

    return gst_video_encoder_is_qos_enabled(encoder) && gst_video_encoder_get_max_encode_time(encoder, frame) < 0;
}

static gboolean settings_changed(GstVsockEnc *self)
{
    gboolean changed;

    GST_OBJECT_LOCK(self);
    changed = vsock_settings_changed(&self->settings);
    GST_OBJECT_UNLOCK(self);
    return changed;
}

GstFlowReturn vsockenc_handle_frame(GstVideoEncoder *encoder, GstVideoCodecFrame *frame)
{
    GstVsockEnc *self = GST_VSOCKENC(encoder);
    gboolean forced, resized;
    GstFlowReturn flow;
    VsockWait state;

    if (self->repeating) {
        return vsockenc_handle_repeat(self, frame);
    }
    vsockenc_keep_last(self, NULL);
    vsockenc_note_picture(self, frame);
    resized = picture_size_changed(self, frame->input_buffer);
    if (settings_changed(self) || resized) {
        vsockenc_configure(self);
    }
    state = wait_for_host(self);
    /* A keyframe that was asked for is owed by the next picture. */
    forced = GST_VIDEO_CODEC_FRAME_IS_FORCE_KEYFRAME(frame);
    if (state != VSOCK_WAIT_READY) {
        vsockenc_give_up_frame(self, frame, forced, VSOCK_ANSWER_GIVEN_UP);
        return vsockenc_flow_of(self, state);
    }
    if (is_late(self, frame)) {
        vsockenc_give_up_frame(self, frame, forced, VSOCK_ANSWER_LATE);
        return downstream_flow(self);
    }
    /* What downstream said of an earlier picture is upstream's to judge; the next may be welcome, as behind a pad that
     * is linked again. */
    flow = vsockenc_send(self, frame);
    return flow == GST_FLOW_OK ? downstream_flow(self) : flow;
}

/* ---- drain and flush ---- */

GstFlowReturn vsockenc_finish(GstVideoEncoder *encoder)
{
    GstVsockEnc *self = GST_VSOCKENC(encoder);
    GstFlowReturn flow = vsockenc_flow_of(self, self->ending ? VSOCK_WAIT_READY : vsockenc_drain(self, VSOCK_DRAIN_MS));

    vsockenc_keep_last(self, NULL);
    post_stats(self);
    return flow;
}

/* After FLUSH_STOP: the task is paused, nobody waits any more. */
gboolean vsockenc_flush(GstVideoEncoder *encoder)
{
    GstVsockEnc *self = GST_VSOCKENC(encoder);

    if (!self->stream) {
        return TRUE;
    }
    vsock_stream_discard(self->stream, free_frame);
    GST_OBJECT_LOCK(self);
    gst_event_replace(&self->eos, NULL); /* one that came while FLUSH_START went through */
    GST_OBJECT_UNLOCK(self);
    vsockenc_keep_last(self, NULL);
    /* One that was asked for between two pictures is owed too, and downstream forgot what came before. */
    self->force_keyframe = TRUE;
    self->flow = GST_FLOW_OK;
    self->flushes++;
    self->given_pts = self->repeat_pts = GST_CLOCK_TIME_NONE;
    self->flushed = TRUE;
    vsock_stream_set_flushing(self->stream, FALSE);
    return TRUE;
}
