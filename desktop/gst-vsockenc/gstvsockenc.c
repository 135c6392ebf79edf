/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gstvsockenc.c - the element "vsockenc" as GStreamer sees it: pads, properties, events, states, the plugin.
 */
#include <gst/allocators/gstdmabuf.h>
#include "gstvsockenc.h"
#include "upstream.h"

GST_DEBUG_CATEGORY(vsockenc_debug);
#define GST_CAT_DEFAULT vsockenc_debug

#define DRM_FORMATS "drm-format = (string) { XR24, AR24, XB24, AB24 }"
#define RGB_FORMATS "{ BGRx, BGRA, RGBx, RGBA }"
#define SIZE "width = (int) [ 1, 8192 ], height = (int) [ 1, 8192 ], framerate = (fraction) [ 0, max ]"

#define PLAIN_FIELDS "format = (string) { BGRx, BGRA, RGBx, RGBA, NV12 }, " SIZE

/*
 * Best first. Mutter offers the implicit modifier, which PipeWire spells as plain memory:DMABuf; Weston offers linear,
 * spelled DMA_DRM; PipeWire before 1.6 can do neither and takes system memory.
 */
#define SINK_CAPS \
    "video/x-raw(memory:DMABuf), format = (string) " RGB_FORMATS ", " SIZE "; " \
    "video/x-raw(memory:DMABuf), format = (string) DMA_DRM, " DRM_FORMATS ", " SIZE "; " \
    "video/x-raw, " PLAIN_FIELDS

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(SINK_CAPS));

#define SRC_CAPS \
    "video/x-h264, stream-format = (string) byte-stream, alignment = (string) au, " \
    "profile = (string) { constrained-baseline, baseline, main, high }, " \
    "width = (int) [ 2, 8192 ], height = (int) [ 2, 8192 ], framerate = (fraction) [ 0, max ]"

static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(SRC_CAPS));

enum {
    PROP_0,
    PROP_CID,
    PROP_PORT,
    PROP_SOCKET_PATH,
    PROP_BITRATE,
    PROP_KEY_INT_MAX,
    PROP_TIMEOUT,
    PROP_STATS,
};

G_DEFINE_FINAL_TYPE(GstVsockEnc, gst_vsockenc, GST_TYPE_VIDEO_ENCODER)
GST_ELEMENT_REGISTER_DECLARE(vsockenc);
/* Never picked by itself: only a user knows whether there is a host that encodes. */
GST_ELEMENT_REGISTER_DEFINE(vsockenc, "vsockenc", GST_RANK_NONE, GST_TYPE_VSOCKENC)

#define parent_class gst_vsockenc_parent_class

static void gst_vsockenc_set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    GstVsockEnc *self = GST_VSOCKENC(object);

    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROP_CID:
        self->cid = g_value_get_uint(value);
        break;
    case PROP_PORT:
        self->port = g_value_get_uint(value);
        break;
    case PROP_SOCKET_PATH:
        g_free(self->socket_path);
        self->socket_path = g_value_dup_string(value);
        break;
    case PROP_BITRATE:
        self->bitrate = g_value_get_uint(value);
        self->reconfigure = TRUE;
        break;
    case PROP_KEY_INT_MAX:
        self->key_int_max = g_value_get_uint(value);
        self->reconfigure = TRUE;
        break;
    case PROP_TIMEOUT:
        self->timeout = g_value_get_uint(value);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
        break;
    }
    GST_OBJECT_UNLOCK(self);
}

static void gst_vsockenc_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    GstVsockEnc *self = GST_VSOCKENC(object);

    if (id == PROP_STATS) {
        g_value_take_boxed(value, vsockenc_stats(self));
        return;
    }
    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROP_CID:
        g_value_set_uint(value, self->cid);
        break;
    case PROP_PORT:
        g_value_set_uint(value, self->port);
        break;
    case PROP_SOCKET_PATH:
        g_value_set_string(value, self->socket_path);
        break;
    case PROP_BITRATE:
        g_value_set_uint(value, self->bitrate);
        break;
    case PROP_KEY_INT_MAX:
        g_value_set_uint(value, self->key_int_max);
        break;
    case PROP_TIMEOUT:
        g_value_set_uint(value, self->timeout);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
        break;
    }
    GST_OBJECT_UNLOCK(self);
}

/* Whoever waits for the host must let go before the pads are shut: their locks are held by the waiting threads. */
static GstStateChangeReturn gst_vsockenc_change_state(GstElement *element, GstStateChange transition)
{
    GstVsockEnc *self = GST_VSOCKENC(element);

    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY && self->stream) {
        vsock_stream_set_flushing(self->stream, TRUE);
    }
    return GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
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

static gboolean gst_vsockenc_sink_event(GstVideoEncoder *encoder, GstEvent *event)
{
    GstVsockEnc *self = GST_VSOCKENC(encoder);
    gboolean flush = GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_START;
    gboolean ret;

    if (is_first_start(encoder, event)) {
        gst_pad_push_event(encoder->srcpad, event);
        return TRUE;
    }
    if (flush && self->stream) {
        vsock_stream_set_flushing(self->stream, TRUE);
    }
    ret = GST_VIDEO_ENCODER_CLASS(parent_class)->sink_event(encoder, event);
    if (flush) {
        /* Downstream flushes too by now, so the task comes back. Paused, not stopped: it may be this very thread. */
        gst_pad_pause_task(encoder->srcpad);
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
        plain = gst_caps_from_string("video/x-raw, " PLAIN_FIELDS);
    }
    caps = gst_video_encoder_proxy_getcaps(encoder, plain, filter);
    g_clear_pointer(&plain, gst_caps_unref);
    return caps;
}

static gboolean gst_vsockenc_propose_allocation(GstVideoEncoder *encoder, GstQuery *query)
{
    GstCaps *caps = NULL;
    GstCapsFeatures *features;
    gboolean dmabuf;

    gst_query_parse_allocation(query, &caps, NULL);
    features = caps && gst_caps_get_size(caps) ? gst_caps_get_features(caps, 0) : NULL;
    dmabuf = features && gst_caps_features_contains(features, GST_CAPS_FEATURE_MEMORY_DMABUF);
    gst_query_add_allocation_meta(query, GST_VIDEO_CROP_META_API_TYPE, NULL);
    if (dmabuf) {
        /* Upstream brings its own buffers; ours would be no DMA-BUFs. */
        gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
        return TRUE;
    }
    return GST_VIDEO_ENCODER_CLASS(parent_class)->propose_allocation(encoder, query);
}

static void gst_vsockenc_finalize(GObject *object)
{
    GstVsockEnc *self = GST_VSOCKENC(object);

    g_free(self->socket_path);
    g_free(self->no_gpu);
    vsock_stats_free(self->stats);
    G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void install_properties(GObjectClass *object_class)
{
    const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
    const GParamFlags playing = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

    g_object_class_install_property(object_class, PROP_CID,
        g_param_spec_uint("cid", "CID", "vsock address of the host (2 is the machine that runs the VM)",
                          0, G_MAXUINT, 2, ready));
    g_object_class_install_property(object_class, PROP_PORT,
        g_param_spec_uint("port", "Port", "vsock port of the host's frame export (its helix-vsock-port=)",
                          0, G_MAXUINT, HELIX_WIRE_DEFAULT_PORT, ready));
    g_object_class_install_property(object_class, PROP_SOCKET_PATH,
        g_param_spec_string("socket-path", "Socket path", "Connect to this UNIX socket instead of vsock", NULL, ready));
    g_object_class_install_property(object_class, PROP_BITRATE,
        g_param_spec_uint("bitrate", "Bitrate", "Bitrate in kbit/s (0: chosen by the host from size and frame rate)",
                          0, G_MAXUINT / 1000, 0, playing));
    g_object_class_install_property(object_class, PROP_KEY_INT_MAX,
        g_param_spec_uint("key-int-max", "Key-frame maximal interval",
                          "Frames between two keyframes at most (0: keyframes only when asked for)",
                          0, G_MAXUINT, 0, playing));
    g_object_class_install_property(object_class, PROP_TIMEOUT,
        g_param_spec_uint("timeout", "Timeout",
                          "Milliseconds a host that owes an answer may leave a ping unanswered (0: for ever)",
                          0, G_MAXINT, 10000, ready));
    g_object_class_install_property(object_class, PROP_STATS,
        g_param_spec_boxed("stats", "Statistics",
                           "Counts, bytes and microseconds since the start; also an element message at the end",
                           GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void gst_vsockenc_class_init(GstVsockEncClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
    GstVideoEncoderClass *encoder_class = GST_VIDEO_ENCODER_CLASS(klass);

    object_class->set_property = gst_vsockenc_set_property;
    object_class->get_property = gst_vsockenc_get_property;
    object_class->finalize = gst_vsockenc_finalize;
    install_properties(object_class);

    element_class->change_state = gst_vsockenc_change_state;
    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(element_class, "H.264 encoder on the VM's host", "Codec/Encoder/Video",
        "Lets the host of this virtual machine encode: sends the virtio-gpu resource id of each picture (or its "
        "pixels, where it has none) over vsock and gets H.264 back", "The project's authors");

    encoder_class->start = vsockenc_start;
    encoder_class->stop = vsockenc_stop;
    encoder_class->set_format = vsockenc_set_format;
    encoder_class->handle_frame = vsockenc_handle_frame;
    encoder_class->finish = vsockenc_finish;
    encoder_class->flush = vsockenc_flush;
    encoder_class->sink_event = gst_vsockenc_sink_event;
    encoder_class->getcaps = gst_vsockenc_getcaps;
    encoder_class->propose_allocation = gst_vsockenc_propose_allocation;
}

static void gst_vsockenc_init(GstVsockEnc *self)
{
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
