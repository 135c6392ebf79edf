/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* layout.c - see layout.h. */
#include <string.h>
#include "../../hw/display/helix/protocol/helix-wire.h"
#include "layout.h"

guint32 vsock_fourcc(GstVideoFormat format)
{
    switch (format) {
    case GST_VIDEO_FORMAT_BGRx:
        return HELIX_FORMAT_XR24;
    case GST_VIDEO_FORMAT_BGRA:
        return HELIX_FORMAT_AR24;
    case GST_VIDEO_FORMAT_RGBx:
        return HELIX_FORMAT_XB24;
    case GST_VIDEO_FORMAT_RGBA:
        return HELIX_FORMAT_AB24;
    case GST_VIDEO_FORMAT_NV12:
    case GST_VIDEO_FORMAT_I420:
        return HELIX_FORMAT_NV12;
    default:
        return 0;
    }
}

VsockRect vsock_visible_rect(const GstVideoInfo *info, GstBuffer *buffer)
{
    guint width = (guint)GST_VIDEO_INFO_WIDTH(info), height = (guint)GST_VIDEO_INFO_HEIGHT(info);
    GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);
    GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    VsockRect rect = { 0, 0, width, height };

    if (meta) {
        width = meta->width;
        height = meta->height;
    }
    if (crop && crop->width && crop->height && crop->x < width && crop->y < height && crop->width <= width - crop->x &&
        crop->height <= height - crop->y) {
        rect = (VsockRect){ crop->x, crop->y, crop->width, crop->height };
    }
    return rect;
}

VsockLayout vsock_layout_tight(guint32 fourcc, guint width, guint height)
{
    VsockLayout layout = { .n_planes = 1 };

    if (fourcc != HELIX_FORMAT_NV12) {
        layout.stride[0] = (gsize)width * 4;
        layout.size = layout.stride[0] * height;
        return layout;
    }
    layout.n_planes = 2;
    layout.stride[0] = layout.stride[1] = GST_ROUND_UP_2((gsize)width);
    layout.offset[1] = layout.stride[0] * GST_ROUND_UP_2((gsize)height);
    layout.size = layout.offset[1] + layout.stride[1] * (((gsize)height + 1) / 2);
    return layout;
}

VsockLayout vsock_layout_default(const GstVideoInfo *info)
{
    VsockLayout layout = { .n_planes = GST_VIDEO_INFO_N_PLANES(info), .size = GST_VIDEO_INFO_SIZE(info) };

    for (guint i = 0; i < layout.n_planes && i < G_N_ELEMENTS(layout.offset); i++) {
        layout.offset[i] = GST_VIDEO_INFO_PLANE_OFFSET(info, i);
        layout.stride[i] = (gsize)GST_VIDEO_INFO_PLANE_STRIDE(info, i);
    }
    return layout;
}

/* ---- copying ---- */

static void copy_rows(guint8 *to, gsize to_stride, const guint8 *from, gssize from_stride, gsize bytes, guint rows)
{
    if (from_stride == (gssize)to_stride && bytes == to_stride) {
        memcpy(to, from, bytes * rows);
        return;
    }
    for (guint y = 0; y < rows; y++, to += to_stride, from += from_stride) {
        memcpy(to, from, bytes);
    }
}

/* I420's two chroma planes become NV12's one. */
static void interleave(guint8 *to, gsize to_stride, const GstVideoFrame *frame, guint x, guint y, guint columns,
                       guint rows)
{
    for (guint row = y; row < y + rows; row++, to += to_stride) {
        const guint8 *u = GST_VIDEO_FRAME_COMP_DATA(frame, 1), *v = GST_VIDEO_FRAME_COMP_DATA(frame, 2);

        u += (gssize)row * GST_VIDEO_FRAME_COMP_STRIDE(frame, 1) + x;
        v += (gssize)row * GST_VIDEO_FRAME_COMP_STRIDE(frame, 2) + x;
        for (gsize i = 0; i < columns; i++) {
            to[2 * i] = u[i];
            to[2 * i + 1] = v[i];
        }
    }
}

static gsize copy_chroma(const GstVideoFrame *frame, const VsockRect *rect, guint8 *to, gsize to_stride)
{
    guint columns = (rect->width + 1) / 2, rows = (rect->height + 1) / 2;
    gssize stride = GST_VIDEO_FRAME_PLANE_STRIDE(frame, 1);
    const guint8 *from = GST_VIDEO_FRAME_PLANE_DATA(frame, 1);

    if (GST_VIDEO_FRAME_N_PLANES(frame) > 2) {
        interleave(to, to_stride, frame, rect->x / 2, rect->y / 2, columns, rows);
    } else {
        copy_rows(to, to_stride, from + stride * (gssize)(rect->y / 2) + GST_ROUND_DOWN_2(rect->x), stride,
                  (gsize)columns * 2, rows);
    }
    return (gsize)columns * 2 * rows;
}

gsize vsock_copy_rect(const GstVideoFrame *frame, const VsockRect *rect, guint8 *to, const VsockLayout *layout)
{
    gssize stride = GST_VIDEO_FRAME_PLANE_STRIDE(frame, 0);
    const guint8 *from = GST_VIDEO_FRAME_PLANE_DATA(frame, 0);
    VsockRect even = *rect;
    gsize bytes;

    if (layout->n_planes == 1) {
        bytes = (gsize)rect->width * 4;
        copy_rows(to + layout->offset[0], layout->stride[0], from + stride * (gssize)rect->y + (gsize)rect->x * 4,
                  stride, bytes, rect->height);
        return bytes * rect->height;
    }
    even.x = GST_ROUND_DOWN_2(rect->x);
    even.y = GST_ROUND_DOWN_2(rect->y);
    copy_rows(to + layout->offset[0], layout->stride[0], from + stride * (gssize)even.y + even.x, stride, rect->width,
              rect->height);
    return (gsize)rect->width * rect->height + copy_chroma(frame, &even, to + layout->offset[1], layout->stride[1]);
}
