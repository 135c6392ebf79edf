/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image.c - see image.h. */
#include "image.h"

guint32 vsockenc_image_format(GstVideoFormat format)
{
    static const struct {
        GstVideoFormat gst;
        guint32 client;
    } formats[] = {
        { GST_VIDEO_FORMAT_BGRx, HELIX_CLIENT_FORMAT_XR24 },
        { GST_VIDEO_FORMAT_BGRA, HELIX_CLIENT_FORMAT_AR24 },
        { GST_VIDEO_FORMAT_RGBx, HELIX_CLIENT_FORMAT_XB24 },
        { GST_VIDEO_FORMAT_RGBA, HELIX_CLIENT_FORMAT_AB24 },
        { GST_VIDEO_FORMAT_NV12, HELIX_CLIENT_FORMAT_NV12 },
        { GST_VIDEO_FORMAT_I420, HELIX_CLIENT_FORMAT_YU12 },
        { GST_VIDEO_FORMAT_YV12, HELIX_CLIENT_FORMAT_YV12 },
        { GST_VIDEO_FORMAT_NV21, HELIX_CLIENT_FORMAT_NV21 },
        { GST_VIDEO_FORMAT_YUY2, HELIX_CLIENT_FORMAT_YUYV },
        { GST_VIDEO_FORMAT_UYVY, HELIX_CLIENT_FORMAT_UYVY },
        { GST_VIDEO_FORMAT_Y42B, HELIX_CLIENT_FORMAT_YU16 },
        { GST_VIDEO_FORMAT_Y444, HELIX_CLIENT_FORMAT_YU24 },
        { GST_VIDEO_FORMAT_P010_10LE, HELIX_CLIENT_FORMAT_P010 },
        { GST_VIDEO_FORMAT_GRAY8, HELIX_CLIENT_FORMAT_R8 },
        { GST_VIDEO_FORMAT_BGR, HELIX_CLIENT_FORMAT_RG24 },
        { GST_VIDEO_FORMAT_RGB, HELIX_CLIENT_FORMAT_BG24 },
        { GST_VIDEO_FORMAT_RGB16, HELIX_CLIENT_FORMAT_RG16 },
        { GST_VIDEO_FORMAT_xRGB, HELIX_CLIENT_FORMAT_BX24 },
        { GST_VIDEO_FORMAT_ARGB, HELIX_CLIENT_FORMAT_BA24 },
        { GST_VIDEO_FORMAT_xBGR, HELIX_CLIENT_FORMAT_RX24 },
        { GST_VIDEO_FORMAT_ABGR, HELIX_CLIENT_FORMAT_RA24 },
        { GST_VIDEO_FORMAT_BGR10A2_LE, HELIX_CLIENT_FORMAT_AR30 },
        { GST_VIDEO_FORMAT_RGB10A2_LE, HELIX_CLIENT_FORMAT_AB30 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (formats[i].gst == format) {
            return formats[i].client;
        }
    }
    return 0;
}

char *vsockenc_image_why_converted(const GstVideoInfo *info)
{
    gboolean rgb = GST_VIDEO_INFO_IS_RGB(info);

    switch (GST_VIDEO_INFO_FORMAT(info)) {
    case GST_VIDEO_FORMAT_BGRx:
    case GST_VIDEO_FORMAT_BGRA:
    case GST_VIDEO_FORMAT_RGBx:
    case GST_VIDEO_FORMAT_RGBA:
    case GST_VIDEO_FORMAT_NV12:
    case GST_VIDEO_FORMAT_I420: /* the copy interleaves chroma at no cost */
        return NULL;
    default:
        return g_strdup_printf("The guest's CPU converts %s to %s%s, as the host reads no %s.",
                               GST_VIDEO_INFO_NAME(info), rgb ? "BGRx" : "NV12",
                               GST_VIDEO_INFO_COMP_DEPTH(info, 0) > 8 ? " of 8 bits a sample" : "",
                               GST_VIDEO_INFO_NAME(info));
    }
}

/* Format, size and crop; GstVideoCropMeta where there is a usable one. */
static void describe(HelixClientImage *image, const GstVideoInfo *info, GstBuffer *buffer)
{
    guint width = (guint)GST_VIDEO_INFO_WIDTH(info), height = (guint)GST_VIDEO_INFO_HEIGHT(info);
    GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);
    GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);

    *image = (HelixClientImage){
        .format = vsockenc_image_format(GST_VIDEO_INFO_FORMAT(info)),
        .width = meta ? meta->width : width,
        .height = meta ? meta->height : height,
        .crop_width = width,
        .crop_height = height,
    };
    if (crop && crop->width && crop->height && crop->x < image->width && crop->y < image->height &&
        crop->width <= image->width - crop->x && crop->height <= image->height - crop->y) {
        image->crop_x = crop->x;
        image->crop_y = crop->y;
        image->crop_width = crop->width;
        image->crop_height = crop->height;
    }
}

void vsockenc_image_size(const GstVideoInfo *info, GstBuffer *buffer, guint32 *width, guint32 *height)
{
    HelixClientImage image;

    describe(&image, info, buffer);
    *width = image.crop_width;
    *height = image.crop_height;
}

gboolean vsockenc_image_in_memory(HelixClientImage *image, const GstVideoInfo *info, GstBuffer *buffer)
{
    GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    gsize start;

    describe(image, info, buffer);
    gst_memory_get_sizes(gst_buffer_peek_memory(buffer, 0), &start, NULL);
    for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES(info); i++) {
        if (meta && i >= meta->n_planes) {
            return FALSE;
        }
        image->offset[i] = start + (meta ? meta->offset[i] : GST_VIDEO_INFO_PLANE_OFFSET(info, i));
        image->stride[i] = meta ? meta->stride[i] : GST_VIDEO_INFO_PLANE_STRIDE(info, i);
    }
    return TRUE;
}

void vsockenc_image_of_pixels(HelixClientImage *image, const GstVideoInfo *info, const GstVideoFrame *frame)
{
    describe(image, info, frame->buffer);
    for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES(frame); i++) {
        image->data[i] = GST_VIDEO_FRAME_PLANE_DATA(frame, i);
        image->stride[i] = GST_VIDEO_FRAME_PLANE_STRIDE(frame, i);
    }
}
