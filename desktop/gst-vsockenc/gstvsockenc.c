/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstvsockenc.c - the element "vsockenc": its class, pads, states; the plugin. */
#include <gst/allocators/gstdmabuf.h>
#include <gst/video/video.h>
#include "sink-caps.h"
#include "config.h"
#include "encode.h"
#include "errors.h"
#include "film-size.h"
#include "pad-events.h"
#include "input.h"
#include "kept.h"
#include "keyframe.h"
#include "latency.h"
#include "output.h"
#include "path.h"
#include "properties.h"
#include "refresh.h"
#include "client-handle.h"
#include "start.h"
#include "times.h"

GST_DEBUG_CATEGORY(vsockenc_debug);
#define GST_CAT_DEFAULT vsockenc_debug

#define DRM_FORMATS "drm-format = (string) { XR24, AR24, XB24, AB24 }"

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
    "video/x-h264, stream-format = (string) { byte-stream, avc, avc3 }, alignment = (string) au, " \
    "profile = (string) { constrained-baseline, baseline, main, high }, " \
    "width = (int) [ 2, 8192 ], height = (int) [ 2, 8192 ], framerate = (fraction) [ 0, max ]"

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                                                                   GST_STATIC_CAPS(SRC_CAPS));

G_DEFINE_FINAL_TYPE(GstVsockEnc, gst_vsockenc, GST_TYPE_VIDEO_ENCODER)
GST_ELEMENT_REGISTER_DECLARE(vsockenc);
/* Rank NONE, so that autopluggers never choose it: only the user knows whether the host encodes. */
GST_ELEMENT_REGISTER_DEFINE(vsockenc, "vsockenc", GST_RANK_NONE, GST_TYPE_VSOCKENC)

#define parent_class gst_vsockenc_parent_class

static gboolean gst_vsockenc_stop(GstVideoEncoder *encoder)
{
    vsockenc_stop(GST_VSOCKENC(encoder));
    return TRUE;
}

static GstStateChangeReturn gst_vsockenc_change_state(GstElement *element, GstStateChange transition)
{
    GstVsockEnc *self = GST_VSOCKENC(element);
    GstStateChangeReturn result;

    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
        vsockenc_client_interrupt(self);
    }
    /* Not in the base class's start(): if that fails, it posts "Could not initialize supporting library" as well. */
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !vsockenc_start(self)) {
        return GST_STATE_CHANGE_FAILURE;
    }
    result = GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE) {
        vsockenc_stop(self);
    }
    return result;
}

static void gst_vsockenc_finalize(GObject *object)
{
    GstVsockEnc *self = GST_VSOCKENC(object);

    vsockenc_eos_forget(self);
    vsockenc_properties_finalize(self);
    vsockenc_config_finalize(self);
    vsockenc_path_finalize(self);
    g_free(self->handle);
    g_free(self->film);
    g_free(self->input);
    g_free(self->keyframe);
    g_free(self->times);
    g_free(self->kept);
    g_free(self->refresh);
    g_free(self->output);
    g_free(self->latency);
    G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void gst_vsockenc_class_init(GstVsockEncClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
    GstVideoEncoderClass *encoder_class = GST_VIDEO_ENCODER_CLASS(klass);

    object_class->finalize = gst_vsockenc_finalize;
    vsockenc_properties_install(object_class);

    element_class->change_state = gst_vsockenc_change_state;
    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "H.264 encoder on the VM's host", "Codec/Encoder/Video",
        "Encodes on the host of this virtual machine: sends the virtio-gpu resource id of each frame (or its "
        "pixels, if it has none) over vsock and receives H.264",
        "The project's authors");

    encoder_class->stop = gst_vsockenc_stop;
    encoder_class->set_format = vsockenc_set_format;
    encoder_class->handle_frame = vsockenc_handle_frame;
    encoder_class->finish = vsockenc_finish;
    encoder_class->flush = vsockenc_flush;
    encoder_class->sink_event = vsockenc_sink_event;
    encoder_class->src_event = vsockenc_src_event;
    encoder_class->getcaps = vsockenc_getcaps;
    encoder_class->sink_query = vsockenc_sink_query;
    encoder_class->propose_allocation = vsockenc_propose_allocation;
}

static void gst_vsockenc_init(GstVsockEnc *self)
{
    /* Caps without a field that has a default, such as interlace-mode, are no subset of the template's. */
    GST_PAD_SET_ACCEPT_INTERSECT(GST_VIDEO_ENCODER_SINK_PAD(self));
    vsockenc_properties_init(self);
    vsockenc_config_init(self);
    vsockenc_path_init(self);
    self->handle = g_new0(VsockEncClientHandle, 1);
    self->film = g_new0(VsockEncFilmSize, 1);
    self->input = g_new0(VsockEncInput, 1);
    self->keyframe = g_new0(VsockEncKeyframe, 1);
    self->times = g_new0(VsockEncTimes, 1);
    self->kept = g_new0(VsockEncKept, 1);
    self->refresh = g_new0(VsockEncRefresh, 1);
    self->output = g_new0(VsockEncOutput, 1);
    self->latency = g_new0(VsockEncLatency, 1);
}

static gboolean plugin_init(GstPlugin *plugin)
{
    GST_DEBUG_CATEGORY_INIT(vsockenc_debug, "vsockenc", 0, "H.264 encoder on the VM's host");
    return GST_ELEMENT_REGISTER(vsockenc, plugin);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, vsockenc, "H.264 encoding by the host of a virtual machine",
                  plugin_init, VSOCKENC_VERSION, "LGPL", "vsockenc", "Unknown package origin")
