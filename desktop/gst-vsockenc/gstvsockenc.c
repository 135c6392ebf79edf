/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gstvsockenc.c - the element "vsockenc" as GStreamer sees it: pads, properties, events, states, the plugin.
 */
#include <string.h>
#include <gst/allocators/gstdmabuf.h>
#include <gst/video/video.h>
#include "gstvsockenc.h"
#include "upstream.h"

GST_DEBUG_CATEGORY(vsockenc_debug);
#define GST_CAT_DEFAULT vsockenc_debug

#define DRM_FORMATS "drm-format = (string) { XR24, AR24, XB24, AB24 }"
#define RGB_FORMATS "{ BGRx, BGRA, RGBx, RGBA }"
/* No field coding: what is interlaced has to be deinterlaced first. */
#define OF_SIZE(caps, width, height) \
    caps ", width = (int) [ 1, " #width " ], height = (int) [ 1, " #height " ], framerate = (fraction) [ 0, max ], " \
         "interlace-mode = (string) progressive"
/* H.264 has no level for more than 139264 macroblocks (table A-1); the host takes 8192 pixels a side. Caps know
 * rectangles only. */
#define OF_ANY_SIZE(caps) OF_SIZE(caps, 8192, 4352) "; " OF_SIZE(caps, 4352, 8192) "; " OF_SIZE(caps, 5968, 5968)

#define PLAIN_CAPS \
    OF_ANY_SIZE("video/x-raw, format = (string) " RGB_FORMATS) \
    "; " OF_ANY_SIZE("video/x-raw, format = (string) { NV12, I420 }")

/*
 * Best first. Mutter offers the implicit modifier, which PipeWire spells as plain memory:DMABuf; Weston offers linear,
 * spelled DMA_DRM; PipeWire before 1.6 can do neither and takes system memory.
 */
#define SINK_CAPS \
    OF_ANY_SIZE("video/x-raw(memory:DMABuf), format = (string) " RGB_FORMATS) \
    "; " OF_ANY_SIZE("video/x-raw(memory:DMABuf), format = (string) DMA_DRM, " DRM_FORMATS) "; " PLAIN_CAPS

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                                                                    GST_STATIC_CAPS(SINK_CAPS));

#define SRC_CAPS \
    "video/x-h264, stream-format = (string) byte-stream, alignment = (string) au, " \
    "profile = (string) { constrained-baseline, baseline, main, high }, " \
    "width = (int) [ 2, 8192 ], height = (int) [ 2, 8192 ], framerate = (fraction) [ 0, max ]"

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                                                                   GST_STATIC_CAPS(SRC_CAPS));

G_DEFINE_FINAL_TYPE(GstVsockEnc, gst_vsockenc, GST_TYPE_VIDEO_ENCODER)
GST_ELEMENT_REGISTER_DECLARE(vsockenc);
/* Never picked by itself: only a user knows whether there is a host that encodes. */
GST_ELEMENT_REGISTER_DEFINE(vsockenc, "vsockenc", GST_RANK_NONE, GST_TYPE_VSOCKENC)

#define parent_class gst_vsockenc_parent_class

VsockStream *vsockenc_ref_stream(GstVsockEnc *self)
{
    VsockStream *stream;

    GST_OBJECT_LOCK(self);
    stream = self->stream ? vsock_stream_ref(self->stream) : NULL;
    GST_OBJECT_UNLOCK(self);
    return stream;
}

/* Whoever waits for the host must let go before the pads are shut: their locks are held by the waiting threads. */
static GstStateChangeReturn gst_vsockenc_change_state(GstElement *element, GstStateChange transition)
{
    VsockStream *stream = vsockenc_ref_stream(GST_VSOCKENC(element));
    GstStateChangeReturn result;

    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY && stream) {
        vsock_stream_end(stream);
    }
    g_clear_pointer(&stream, vsock_stream_unref);
    /* Not as the base class's start(): of one that fails that says "Could not initialize supporting library", too. */
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !vsockenc_start(GST_VIDEO_ENCODER(element))) {
        return GST_STATE_CHANGE_FAILURE;
    }
    result = GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE) {
        vsockenc_stop(GST_VIDEO_ENCODER(element));
    }
    return result;
}

/*
 * The base class keeps events until their picture is pushed, and loses or misplaces the stream's start if that picture
 * is flushed or dropped. The first start goes before everything, so it can go at once.
 */
static gboolean is_first_start(GstVideoEncoder *encoder, GstEvent *event)
{
    g_autoptr(GstEvent) sent = NULL;

    if (GST_EVENT_TYPE(event) != GST_EVENT_STREAM_START) {
        return FALSE;
    }
    sent = gst_pad_get_sticky_event(encoder->srcpad, GST_EVENT_STREAM_START, 0);
    return sent == NULL;
}

/*
 * EOS goes downstream behind the last access unit, on the source pad's task: whoever sends it need not wait for a host
 * that is slow, or for one that is silent until it counts as gone.
 */
static gboolean end_later(GstVsockEnc *self, GstEvent *event)
{
    VsockStream *stream = vsockenc_ref_stream(self);
    /* Set on this thread alone while it runs, so without the stream lock, which the task holds while it pushes. */
    gboolean later = stream && self->input_state;

    if (later) {
        GST_OBJECT_LOCK(self);
        gst_event_replace(&self->eos, event);
        GST_OBJECT_UNLOCK(self);
        vsock_stream_drain_later(stream);
        vsockenc_run_output(self);
    }
    g_clear_pointer(&stream, vsock_stream_unref);
    return later;
}

/* A stream that follows without a flush waits for the end of the one before, which is still on its way. */
static void end_before(GstVsockEnc *self)
{
    VsockStream *stream = vsockenc_ref_stream(self);
    gboolean ending;

    GST_OBJECT_LOCK(self);
    ending = self->eos != NULL;
    GST_OBJECT_UNLOCK(self);
    if (stream && ending) {
        vsock_stream_drain(stream, 0);
        vsockenc_push_eos(self);
    }
    g_clear_pointer(&stream, vsock_stream_unref);
}

static gboolean gst_vsockenc_sink_event(GstVideoEncoder *encoder, GstEvent *event)
{
    GstVsockEnc *self = GST_VSOCKENC(encoder);
    gboolean flush = GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_START;
    g_autoptr(GstCaps) caps = NULL;
    GstCaps *parsed;
    gboolean ret;

    if (is_first_start(encoder, event)) {
        gst_pad_push_event(encoder->srcpad, event);
        return TRUE;
    }
    if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) {
        self->given_pts = self->repeat_pts = GST_CLOCK_TIME_NONE; /* other times begin */
        self->last_pts = -1;
    }
    if (GST_EVENT_TYPE(event) == GST_EVENT_STREAM_START) {
        end_before(self);
    }
    if (GST_EVENT_TYPE(event) == GST_EVENT_EOS && end_later(self, event)) {
        gst_event_unref(event);
        return TRUE;
    }
    if (flush) {
        VsockStream *stream = vsockenc_ref_stream(self);

        if (stream) {
            vsock_stream_set_flushing(stream, TRUE);
            vsock_stream_unref(stream);
        }
        GST_OBJECT_LOCK(self);
        gst_event_replace(&self->eos, NULL);
        GST_OBJECT_UNLOCK(self);
    }
    if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
        gst_event_parse_caps(event, &parsed);
        caps = gst_caps_ref(parsed);
    }
    ret = GST_VIDEO_ENCODER_CLASS(parent_class)->sink_event(encoder, event);
    if (caps && ret) {
        ret = vsockenc_compare_caps(self, caps);
    }
    if (flush) {
        /* Downstream flushes too by now, so the task comes back. Paused, not stopped: it may be this very thread. */
        gst_pad_pause_task(encoder->srcpad);
    }
    return ret;
}

static gboolean gst_vsockenc_src_event(GstVideoEncoder *encoder, GstEvent *event)
{
    GstClockTime running_time = GST_CLOCK_TIME_NONE;
    gboolean now = gst_video_event_is_force_key_unit(event) &&
        gst_video_event_parse_upstream_force_key_unit(event, &running_time, NULL, NULL) &&
        !GST_CLOCK_TIME_IS_VALID(running_time);
    gboolean ret;

    if (GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE) {
        g_atomic_int_inc(&GST_VSOCKENC(encoder)->relinks); /* before a queue upstream hears of it, and goes on */
    }
    ret = GST_VIDEO_ENCODER_CLASS(parent_class)->src_event(encoder, event);
    if (now) {
        vsockenc_want_keyframe(GST_VSOCKENC(encoder));
    }
    return ret;
}

/*
 * DMA-BUFs are offered only where they can be used: pictures of a virtio-gpu can neither be named without its render
 * node nor be read by the CPU, and upstream had better fall back to system memory than to an error.
 */
static GstCaps *gst_vsockenc_getcaps(GstVideoEncoder *encoder, GstCaps *filter)
{
    GstVsockEnc *self = GST_VSOCKENC(encoder);
    const char *reason = vsock_upstream_without_dmabuf(encoder->sinkpad);
    g_autofree char *no_gpu = NULL;
    GstCaps *plain = NULL, *caps;

    GST_OBJECT_LOCK(self);
    no_gpu = g_strdup(self->no_gpu);
    GST_OBJECT_UNLOCK(self);
    if (no_gpu || reason) {
        GST_INFO_OBJECT(self, "no DMA-BUFs offered: %s", no_gpu ? no_gpu : reason);
        plain = gst_caps_from_string(PLAIN_CAPS);
    }
    caps = gst_video_encoder_proxy_getcaps(encoder, plain, filter);
    g_clear_pointer(&plain, gst_caps_unref);
    return caps;
}

/* Upstream wants its buffers back: the one that is kept for a host that comes back would stay until the next picture.
 */
static void give_last_back(GstVsockEnc *self)
{
    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    vsockenc_keep_last(self, NULL);
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
}

/* What makes pictures of @caps, which are not accepted, into some that are. */
static gboolean is_too_large(const GstStructure *structure)
{
    gint width, height;

    return gst_structure_get_int(structure, "width", &width) && gst_structure_get_int(structure, "height", &height) &&
        (MAX(width, height) > 8192 || (MIN(width, height) > 4352 && MAX(width, height) > 5968));
}

static const char *what_to_insert(const GstCaps *caps)
{
    GstCapsFeatures *features = gst_caps_get_size(caps) ? gst_caps_get_features(caps, 0) : NULL;
    const char *mode = features ? gst_structure_get_string(gst_caps_get_structure(caps, 0), "interlace-mode") : NULL;

    if (mode && strcmp(mode, "progressive") != 0) {
        return "deinterlace";
    }
    if (features && is_too_large(gst_caps_get_structure(caps, 0))) {
        return "videoscale (H.264 has at most 8192x4352, 4352x8192 or 5968x5968)";
    }
    return features && !gst_caps_features_is_equal(features, GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY)
        ? "glupload ! glcolorconvert ! gldownload"
        : "videoconvert";
}

/* Where nothing is negotiated, the log says what to insert. */
static gboolean gst_vsockenc_sink_query(GstVideoEncoder *encoder, GstQuery *query)
{
    gboolean ret, accepted = TRUE;
    GstCaps *caps;

    if (GST_QUERY_TYPE(query) == GST_QUERY_DRAIN) {
        give_last_back(GST_VSOCKENC(encoder));
    }
    ret = GST_VIDEO_ENCODER_CLASS(parent_class)->sink_query(encoder, query);
    if (GST_QUERY_TYPE(query) == GST_QUERY_ACCEPT_CAPS) {
        gst_query_parse_accept_caps_result(query, &accepted);
    }
    if (!accepted) {
        gst_query_parse_accept_caps(query, &caps);
        GST_WARNING_OBJECT(encoder, "not accepted: %" GST_PTR_FORMAT ". Insert %s before vsockenc.", caps,
                           what_to_insert(caps));
    }
    return ret;
}

/* Buffers of ours, which the host can read: what upstream draws into them need not be copied. */
static void offer_pool(GstVsockEnc *self, GstQuery *query, GstCaps *caps)
{
    VsockStream *stream = vsockenc_ref_stream(self);
    guint32 capabilities = stream ? vsock_stream_expected_capabilities(stream) : 0;
    GstBufferPool *pool = NULL;
    GstStructure *config;
    GstVideoInfo info;

    g_clear_pointer(&stream, vsock_stream_unref);
    if (self->source.copier && gst_video_info_from_caps(&info, caps)) {
        GST_VIDEO_ENCODER_STREAM_LOCK(self); /* the host's word may change what the copier knows */
        pool = vsock_copier_pool(self->source.copier, &info, capabilities);
        GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    }
    if (!pool) {
        return;
    }
    config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps, (guint)GST_VIDEO_INFO_SIZE(&info), 0, 0);
    if (gst_buffer_pool_set_config(pool, config)) {
        gst_query_add_allocation_pool(query, pool, (guint)GST_VIDEO_INFO_SIZE(&info), 0, 0);
    }
    gst_object_unref(pool);
}

static gboolean gst_vsockenc_propose_allocation(GstVideoEncoder *encoder, GstQuery *query)
{
    GstCaps *caps = NULL;
    gboolean need_pool = FALSE;
    GstCapsFeatures *features;

    gst_query_parse_allocation(query, &caps, &need_pool);
    features = caps && gst_caps_get_size(caps) ? gst_caps_get_features(caps, 0) : NULL;
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    gst_query_add_allocation_meta(query, GST_VIDEO_CROP_META_API_TYPE, NULL);
    /* With DMA-BUF caps upstream brings its own buffers; ours would be no DMA-BUFs. */
    if (caps && need_pool && !(features && gst_caps_features_contains(features, GST_CAPS_FEATURE_MEMORY_DMABUF))) {
        offer_pool(GST_VSOCKENC(encoder), query, caps);
    }
    return TRUE;
}

static void gst_vsockenc_finalize(GObject *object)
{
    GstVsockEnc *self = GST_VSOCKENC(object);

    g_free(self->socket_path);
    g_free(self->no_gpu);
    g_free(self->path_reason);
    g_free(self->unit_doubt);
    g_free(self->warned_unit);
    gst_event_replace(&self->eos, NULL);
    vsock_stats_free(self->stats);
    G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void gst_vsockenc_class_init(GstVsockEncClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
    GstVideoEncoderClass *encoder_class = GST_VIDEO_ENCODER_CLASS(klass);

    object_class->finalize = gst_vsockenc_finalize;
    vsockenc_install_properties(object_class);

    element_class->change_state = gst_vsockenc_change_state;
    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "H.264 encoder on the VM's host", "Codec/Encoder/Video",
        "Lets the host of this virtual machine encode: sends the virtio-gpu resource id of each picture (or its "
        "pixels, where it has none) over vsock and gets H.264 back",
        "The project's authors");

    encoder_class->stop = vsockenc_stop;
    encoder_class->set_format = vsockenc_set_format;
    encoder_class->handle_frame = vsockenc_handle_frame;
    encoder_class->finish = vsockenc_finish;
    encoder_class->flush = vsockenc_flush;
    encoder_class->sink_event = gst_vsockenc_sink_event;
    encoder_class->src_event = gst_vsockenc_src_event;
    encoder_class->getcaps = gst_vsockenc_getcaps;
    encoder_class->sink_query = gst_vsockenc_sink_query;
    encoder_class->propose_allocation = gst_vsockenc_propose_allocation;
}

static void gst_vsockenc_init(GstVsockEnc *self)
{
    /* Caps without a field that has a default, such as interlace-mode, are no subset of the template's. */
    GST_PAD_SET_ACCEPT_INTERSECT(GST_VIDEO_ENCODER_SINK_PAD(self));
    self->path = VSOCK_N_PATHS;
    self->cid = 2;
    self->port = HELIX_WIRE_DEFAULT_PORT;
    self->timeout = 10000;
    self->stats = vsock_stats_new();
}

static gboolean plugin_init(GstPlugin *plugin)
{
    GST_DEBUG_CATEGORY_INIT(vsockenc_debug, "vsockenc", 0, "H.264 encoder on the VM's host");
    return GST_ELEMENT_REGISTER(vsockenc, plugin);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, vsockenc, "H.264 encoding by the host of a virtual machine",
                  plugin_init, VSOCKENC_VERSION, "LGPL", "vsockenc", "Unknown package origin")
