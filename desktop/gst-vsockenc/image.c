/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image.c - see image.h. */
#include "image.h"

guint32 vsockenc_image_format(GstVideoFormat format)
{
    switch (format) {
    case GST_VIDEO_FORMAT_BGRx:
        return HELIX_CLIENT_FORMAT_XR24;
    case GST_VIDEO_FORMAT_BGRA:
        return HELIX_CLIENT_FORMAT_AR24;
    case GST_VIDEO_FORMAT_RGBx:
        return HELIX_CLIENT_FORMAT_XB24;
    case GST_VIDEO_FORMAT_RGBA:
        return HELIX_CLIENT_FORMAT_AB24;
    case GST_VIDEO_FORMAT_NV12:
        return HELIX_CLIENT_FORMAT_NV12;
    case GST_VIDEO_FORMAT_I420:
        return HELIX_CLIENT_FORMAT_YU12;
    default:
        return 0;
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
