/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* property-table.c - the table of properties: names, units, defaults, texts. Names are those of other H.264
 * encoders. */
#include <gst/video/video.h>
#include "../client/helix-client.h"
#include "element.h"
#include "properties.h"
#include "property-ids.h"

#define GST_TYPE_VSOCKENC_RATE_CONTROL (rate_control_type())

static GType rate_control_type(void)
{
    static const GEnumValue values[] = {
        { HELIX_CLIENT_RATE_AUTO, "The host decides: constant, or variable if max-bitrate is above bitrate", "auto" },
        { HELIX_CLIENT_RATE_CBR, "Constant bitrate", "cbr" },
        { HELIX_CLIENT_RATE_VBR, "Variable bitrate: bitrate on average, max-bitrate at most", "vbr" },
        { HELIX_CLIENT_RATE_CQP, "Constant quantiser (min-qp), whatever the bitrate", "cqp" },
        { 0, NULL, NULL },
    };
    static gsize type;

    if (g_once_init_enter(&type)) {
        GType made = g_enum_register_static("GstVsockEncRateControl", values);

        gst_type_mark_as_plugin_api(made, 0);
        g_once_init_leave(&type, made);
    }
    return type;
}

static void install_connection(GObjectClass *object_class)
{
    const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

    g_object_class_install_property(object_class, PROP_CID,
                                    g_param_spec_uint("cid", "CID",
                                                      "vsock address of the host (2 is the machine that runs the VM)",
                                                      0, G_MAXUINT, 2, ready));
    g_object_class_install_property(object_class, PROP_PORT,
                                    g_param_spec_uint("port", "Port",
                                                      "vsock port of the host's frame export (its helix-vsock-port=)",
                                                      0, G_MAXUINT, HELIX_CLIENT_DEFAULT_PORT, ready));
    g_object_class_install_property(
        object_class, PROP_SOCKET_PATH,
        g_param_spec_string("socket-path", "Socket path",
                            "Connect to this UNIX socket instead of vsock (the host's helix-listen=unix:PATH)", NULL,
                            ready));
    g_object_class_install_property(
        object_class, PROP_TIMEOUT,
        g_param_spec_uint(
            "timeout", "Timeout",
            "Milliseconds after which a host that leaves a ping unanswered or a message unfinished counts "
            "as disconnected; an answer to a frame may take six times as long (0: no limit)",
            0, G_MAXINT, 10000, ready));
    g_object_class_install_property(
        object_class, PROP_RECONNECT,
        g_param_spec_boolean(
            "reconnect", "Reconnect",
            "Connect again when the connection to the host is lost, with a warning instead of an error; "
            "also wait for a host that does not listen yet",
            FALSE, ready));
    g_object_class_install_property(
        object_class, PROP_KEEPALIVE_TIME,
        g_param_spec_uint(
            "keepalive-time", "Keepalive time",
            "Milliseconds without a frame from a live source, such as a still screen, after which the host encodes its "
            "last frame again, so that recordings, segments and audio continue (0: never)",
            0, G_MAXINT, 0, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
    g_object_class_install_property(
        object_class, PROP_KEEP_SIZE,
        g_param_spec_boolean("keep-size", "Keep the size",
                             "Keep the coded size when the size of frames changes: the host scales them, with black "
                             "borders where their shape is another",
                             FALSE, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
    g_object_class_install_property(
        object_class, PROP_PATH,
        g_param_spec_string("path", "Path",
                            "Path of the latest frame to the host: dmabuf (by resource id, nothing copied), guest-copy "
                            "(in a virtio-gpu buffer of the element's), pixel-data (over the connection), or none",
                            "none", G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
    g_object_class_install_property(object_class, PROP_PATH_REASON,
                                    g_param_spec_string("path-reason", "Reason of the path",
                                                        "Why no better path is used, and what to do about it", NULL,
                                                        G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
    g_object_class_install_property(
        object_class, PROP_STATS,
        g_param_spec_boxed(
            "stats", "Statistics",
            "Counters, bytes and latencies (microseconds) since the start; also posted as an element message at "
            "EOS and stop",
            GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void install_uint(GObjectClass *object_class, guint id, const char *name, const char *nick, const char *blurb,
                         guint max)
{
    g_object_class_install_property(
        object_class, id,
        g_param_spec_uint(name, nick, blurb, 0, max, 0,
                          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
}

/*
 * Settings that the host is told with the next frame. While the element runs they read the active values. A bitrate has
 * no bound here: config.c warns of one that is meant in bit/s.
 */
static void install_settings(GObjectClass *object_class)
{
    const GParamFlags playing = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

    install_uint(object_class, PROP_SETTING + VSOCKENC_SETTING_BITRATE, "bitrate", "Bitrate",
                 "Bitrate in kbit/s (0: chosen by the host from size and frame rate). Reads the active value",
                 G_MAXUINT);
    install_uint(object_class, PROP_SETTING + VSOCKENC_SETTING_MAX_BITRATE, "max-bitrate", "Maximum bitrate",
                 "Maximum bitrate in kbit/s for rate-control=vbr; not below bitrate (0: none)", G_MAXUINT);
    g_object_class_install_property(object_class, PROP_SETTING + VSOCKENC_SETTING_RATE_CONTROL,
                                    g_param_spec_enum("rate-control", "Rate control",
                                                      "Rate control mode of the host's encoder",
                                                      GST_TYPE_VSOCKENC_RATE_CONTROL, HELIX_CLIENT_RATE_AUTO, playing));
    install_uint(object_class, PROP_SETTING + VSOCKENC_SETTING_KEY_INT_MAX, "key-int-max", "Key-frame maximal interval",
                 "Maximum number of frames between keyframes; a still screen has no frames but those of keepalive-time "
                 "(0: one every 2 seconds where a muxer or a file sink is downstream; else only on request, by "
                 "force-key-unit events or a viewer's picture loss indication)",
                 G_MAXINT);
    install_uint(
        object_class, PROP_SETTING + VSOCKENC_SETTING_MIN_QP, "min-qp", "Minimum quantiser",
        "Lower bound of the quantiser (best quality); the quantiser itself with rate-control=cqp (0: automatic)", 51);
    install_uint(object_class, PROP_SETTING + VSOCKENC_SETTING_MAX_QP, "max-qp", "Maximum quantiser",
                 "Upper bound of the quantiser (worst quality); it takes precedence over the bitrate (0: automatic)",
                 51);
    install_uint(object_class, PROP_QP_MIN, "qp-min", "Minimum quantiser", "The same as min-qp, as x264enc calls it",
                 51);
    install_uint(object_class, PROP_QP_MAX, "qp-max", "Maximum quantiser", "The same as max-qp, as x264enc calls it",
                 51);
    install_uint(object_class, PROP_SETTING + VSOCKENC_SETTING_NUM_SLICES, "num-slices", "Number of slices",
                 "Slices per picture (0: chosen by the host)", 255);
    g_object_class_install_property(
        object_class, PROP_SETTING + VSOCKENC_SETTING_AUD,
        g_param_spec_boolean("aud", "AUD", "Begin each access unit with an access unit delimiter", FALSE, playing));
}

void vsockenc_properties_install(GObjectClass *object_class)
{
    object_class->set_property = vsockenc_set_property;
    object_class->get_property = vsockenc_get_property;
    install_connection(object_class);
    install_settings(object_class);
}
