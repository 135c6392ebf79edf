/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format.c - what upstream's caps say of its pictures: format, modifier, memory, colours.
 */
#include <gst/allocators/gstdmabuf.h>
#include "gstvsockenc.h"

#define GST_CAT_DEFAULT vsockenc_debug

typedef struct Format {
    GstVideoInfo info;          /* DMA_DRM turned into its format */
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

        if (!gst_video_info_dma_drm_from_caps(&drm, caps) || !gst_video_info_dma_drm_to_video_info(&drm, &format->info)) {
            GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("DMA-BUFs of this layout cannot be encoded."),
                              ("caps %" GST_PTR_FORMAT, caps));
            return FALSE;
        }
        format->modifier = drm.drm_modifier;
    }
#endif
    return TRUE;
}

/* The host codes BT.709, limited range; it converts RGB, but takes YUV as it is. */
static void check_colours(GstVsockEnc *self, const GstVideoInfo *info)
{
    const GstVideoColorimetry *colours = &info->colorimetry;
    g_autofree char *text = NULL;

    if (!GST_VIDEO_INFO_IS_YUV(info) || colours->matrix == GST_VIDEO_COLOR_MATRIX_UNKNOWN ||
        (colours->matrix == GST_VIDEO_COLOR_MATRIX_BT709 && colours->range != GST_VIDEO_COLOR_RANGE_0_255)) {
        return;
    }
    text = gst_video_colorimetry_to_string(colours);
    GST_ELEMENT_WARNING(self, STREAM, FORMAT,
                        ("Colours will be a little off: the pictures are in %s, and the stream is in bt709. Insert "
                         "videoconvert ! video/x-raw,colorimetry=bt709 before vsockenc.", text ? text : "another space"),
                        (NULL));
}

static void use(GstVsockEnc *self, const Format *format)
{
    self->source.info = format->info;
    self->source.modifier = format->modifier;
    self->source.dmabuf_caps = format->dmabuf;
    check_colours(self, &format->info);
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
        if (ret && (GST_VIDEO_INFO_FORMAT(&format.info) != GST_VIDEO_INFO_FORMAT(&self->source.info) ||
                    format.modifier != self->source.modifier || format.dmabuf != self->source.dmabuf_caps)) {
            GST_INFO_OBJECT(self, "memory or DRM format changed: %" GST_PTR_FORMAT, caps);
            use(self, &format);
        }
    }
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    return ret;
}
