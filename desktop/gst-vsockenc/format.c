/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format.c - what upstream's caps say of its pictures: format, modifier, memory, colours.
 */
#include <gst/allocators/gstdmabuf.h>
#include "gstvsockenc.h"

#define GST_CAT_DEFAULT vsockenc_debug

typedef struct Format {
    GstVideoInfo info; /* DMA_DRM turned into its format */
    guint64 modifier;
    gboolean dmabuf;
} Format;

static gboolean parse(GstVsockEnc *self, const GstCaps *caps, const GstVideoInfo *info, Format *format)
{
    GstCapsFeatures *features = gst_caps_get_features(caps, 0);

    format->info = *info;
    format->modifier = VSOCK_MODIFIER_IMPLICIT;
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

static void use(GstVsockEnc *self, const Format *format)
{
    self->source.info = format->info;
    self->source.modifier = format->modifier;
    self->source.dmabuf_caps = format->dmabuf;
    self->given_info = format->info;
}

/* What the pictures are in, where the host is told of it with the settings. */
static gboolean are_told(const GstVsockEnc *self, guint32 capabilities)
{
    return vsock_colours_are_usual(&self->given_info) || (capabilities & HELIX_CAP_VUI);
}

guint32 vsockenc_colours_need(const GstVsockEnc *self)
{
    return vsock_colours_are_usual(&self->source.info) ? 0 : HELIX_CAP_VUI;
}

GError *vsockenc_fit_colours(GstVsockEnc *self, GstVideoCodecFrame *frame)
{
    GError *error = NULL;
    GstBuffer *converted;

    if (are_told(self, vsock_stream_expected_capabilities(self->stream))) {
        self->source.info = self->given_info;
        return NULL;
    }
    if (vsock_colours_are_usual(&self->source.info) == vsock_colours_are_usual(&self->given_info)) {
        GST_INFO_OBJECT(self, "this host codes BT.709 only: pictures are converted to it here");
    }
    converted = vsock_colours_convert(&self->given_info, frame->input_buffer, &self->source.info, &error);
    if (converted) {
        vsock_stats_count(self->stats, VSOCK_COUNT_CPU_BYTES, gst_buffer_get_size(converted));
        gst_buffer_replace(&frame->input_buffer, converted);
        gst_buffer_unref(converted);
    }
    return error;
}

gboolean vsockenc_use_caps(GstVsockEnc *self, const GstCaps *caps, const GstVideoInfo *info)
{
    Format format;

    if (!parse(self, caps, info, &format)) {
        return FALSE;
    }
    use(self, &format);
    return TRUE;
}

gboolean vsockenc_compare_caps(GstVsockEnc *self, const GstCaps *caps)
{
    gboolean ret = TRUE;
    Format format;

    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    if (self->input_state && self->stream) {
        ret = parse(self, caps, &self->input_state->info, &format);
        if (ret &&
            (GST_VIDEO_INFO_FORMAT(&format.info) != GST_VIDEO_INFO_FORMAT(&self->given_info) ||
             format.modifier != self->source.modifier || format.dmabuf != self->source.dmabuf_caps)) {
            GST_INFO_OBJECT(self, "memory or DRM format changed: %" GST_PTR_FORMAT, caps);
            use(self, &format);
        }
    }
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    return ret;
}
