/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* input.c - see input.h. */
#include <gst/allocators/gstdmabuf.h>
#include "colours.h"
#include "image.h"
#include "input.h"
#include "client-handle.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* ---- caps ---- */

typedef struct Format {
    GstVideoInfo info; /* DMA_DRM turned into its format */
    guint64 modifier;
    gboolean dmabuf;
} Format;

static gboolean parse(GstVsockEnc *self, const GstCaps *caps, const GstVideoInfo *info, Format *format)
{
    GstCapsFeatures *features = gst_caps_get_features(caps, 0);

    format->info = *info;
    format->modifier = HELIX_CLIENT_MODIFIER_INVALID;
    format->dmabuf = features && gst_caps_features_contains(features, GST_CAPS_FEATURE_MEMORY_DMABUF);
#if GST_CHECK_VERSION(1, 24, 0)
    if (gst_video_is_dma_drm_caps(caps)) {
        GstVideoInfoDmaDrm drm;

        if (!gst_video_info_dma_drm_from_caps(&drm, caps) ||
            !gst_video_info_dma_drm_to_video_info(&drm, &format->info)) {
            GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("DMA-BUFs of this layout cannot be encoded."),
                              ("caps %" GST_PTR_FORMAT, caps));
            return FALSE;
        }
        format->modifier = drm.drm_modifier;
    }
#endif
    return TRUE;
}

static void use(VsockEncInput *input, const Format *format)
{
    input->info = input->given_info = format->info;
    input->modifier = format->modifier;
    input->dmabuf_caps = format->dmabuf;
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

gboolean vsockenc_input_set_state(GstVsockEnc *self, GstVideoCodecState *state)
{
    VsockEncInput *input = self->input;
    Format format;

    if (!parse(self, state->caps, &state->info, &format)) {
        return FALSE;
    }
    use(input, &format);
    g_clear_pointer(&input->state, gst_video_codec_state_unref);
    input->state = gst_video_codec_state_ref(state);
    input->width = (guint32)GST_VIDEO_INFO_WIDTH(&input->info);
    input->height = (guint32)GST_VIDEO_INFO_HEIGHT(&input->info);
    input->live = is_live(self);
    return TRUE;
}

gboolean vsockenc_input_compare_caps(GstVsockEnc *self, const GstCaps *caps)
{
    VsockEncInput *input = self->input;
    gboolean ret = TRUE;
    Format format;

    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    if (input->state && vsockenc_client(self)) {
        ret = parse(self, caps, &input->state->info, &format);
        if (ret &&
            (GST_VIDEO_INFO_FORMAT(&format.info) != GST_VIDEO_INFO_FORMAT(&input->given_info) ||
             format.modifier != input->modifier || format.dmabuf != input->dmabuf_caps)) {
            GST_INFO_OBJECT(self, "memory or DRM format changed: %" GST_PTR_FORMAT, caps);
            use(input, &format);
        }
    }
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    return ret;
}

void vsockenc_input_clear(GstVsockEnc *self)
{
    g_clear_pointer(&self->input->state, gst_video_codec_state_unref);
}

/* ---- what others ask ---- */

GstVideoCodecState *vsockenc_input_get_state(GstVsockEnc *self)
{
    return self->input->state;
}

gboolean vsockenc_input_is_live(GstVsockEnc *self)
{
    return self->input->live;
}

GstClockTime vsockenc_input_frame_time(GstVsockEnc *self)
{
    const GstVideoInfo *info = self->input->state ? &self->input->state->info : NULL;

    if (!info || GST_VIDEO_INFO_FPS_N(info) <= 0) {
        return GST_SECOND / 30;
    }
    return gst_util_uint64_scale(GST_SECOND, (guint64)GST_VIDEO_INFO_FPS_D(info), (guint64)GST_VIDEO_INFO_FPS_N(info));
}

guint64 vsockenc_input_raw_kbps(GstVsockEnc *self)
{
    const GstVideoInfo *info = &self->input->state->info;
    guint64 bits = (guint64)self->input->width * self->input->height * 12;

    if (GST_VIDEO_INFO_FPS_N(info) > 0 && GST_VIDEO_INFO_FPS_D(info) > 0) {
        return gst_util_uint64_scale(bits, (guint64)GST_VIDEO_INFO_FPS_N(info),
                                     (guint64)GST_VIDEO_INFO_FPS_D(info) * 1000);
    }
    return bits * 30 / 1000;
}

void vsockenc_input_describe(GstVsockEnc *self, HelixClientConfig *config)
{
    const GstVideoInfo *info = &self->input->state->info;

    config->width = self->input->width;
    config->height = self->input->height;
    /* Of variable frame rates this is the maximum, if caps have one. */
    config->fps_num = (guint32)MAX(GST_VIDEO_INFO_FPS_N(info), 0);
    config->fps_den = (guint32)MAX(GST_VIDEO_INFO_FPS_D(info), 1);
    config->vui = vsockenc_colours_vui(&self->input->given_info);
}

void vsockenc_input_fill_source(GstVsockEnc *self, VsockEncFrameSource *source)
{
    source->info = self->input->info;
    source->dmabuf_caps = self->input->dmabuf_caps;
    source->modifier = self->input->modifier;
}

gboolean vsockenc_input_is_resized(GstVsockEnc *self, GstBuffer *buffer)
{
    VsockEncInput *input = self->input;
    guint32 width, height;
    gboolean resized;

    vsockenc_image_size(&input->info, buffer, &width, &height);
    resized = width != input->width || height != input->height;
    input->width = width;
    input->height = height;
    return resized;
}

/* ---- colours ---- */

/* Whether the host is told what the pictures are in with the settings. */
static gboolean are_told(const VsockEncInput *input, guint32 capabilities)
{
    return vsockenc_colours_are_usual(&input->given_info) || (capabilities & HELIX_CLIENT_CAP_VUI);
}

guint32 vsockenc_input_required(GstVsockEnc *self)
{
    return vsockenc_colours_are_usual(&self->input->info) ? 0 : HELIX_CLIENT_CAP_VUI;
}

GError *vsockenc_input_fit_colours(GstVsockEnc *self, GstVideoCodecFrame *frame)
{
    VsockEncInput *input = self->input;
    GError *error = NULL;
    GstBuffer *converted;

    if (are_told(input, helix_client_get_capabilities(vsockenc_client(self)))) {
        input->info = input->given_info;
        return NULL;
    }
    if (GST_VIDEO_INFO_FORMAT(&input->given_info) != GST_VIDEO_FORMAT_NV12 &&
        GST_VIDEO_INFO_FORMAT(&input->given_info) != GST_VIDEO_FORMAT_I420) {
        return g_error_new(GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                           "This host codes BT.709 only, and %s of other colours cannot be converted. Insert "
                           "videoconvert ! video/x-raw,format=NV12 before vsockenc.",
                           GST_VIDEO_INFO_NAME(&input->given_info));
    }
    if (vsockenc_colours_are_usual(&input->info) == vsockenc_colours_are_usual(&input->given_info)) {
        GST_INFO_OBJECT(self, "this host codes BT.709 only: pictures are converted to it here");
    }
    converted = vsockenc_colours_convert(&input->given_info, frame->input_buffer, &input->info, &error);
    if (converted) {
        helix_client_add_cpu_bytes(vsockenc_client(self), gst_buffer_get_size(converted));
        gst_buffer_replace(&frame->input_buffer, converted);
        gst_buffer_unref(converted);
    }
    return error;
}
