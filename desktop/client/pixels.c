/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pixels.c - see pixels.h. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/dma-buf.h>
#include <gst/allocators/gstdmabuf.h>
#include "../../hw/display/helix/protocol/helix-wire.h"
#include "memory.h"
#include "pixels.h"

/* Padding sent behind the last row, so that rows can be sent from where they lie. */
#define MAX_PADDING 4096u
static const guint8 zeros[MAX_PADDING];

/* ---- mapping ---- */

/* The ioctl below would wait for ever for a driver that hangs, and the stream lock is held. All of @buffer's write
 * fences. */
static gboolean wait_for_fences(GstBuffer *buffer, GError **error)
{
    gint64 until = g_get_monotonic_time() + VSOCK_FENCE_MS * G_TIME_SPAN_MILLISECOND;

    for (guint i = 0; i < gst_buffer_n_memory(buffer); i++) {
        GstMemory *memory = gst_buffer_peek_memory(buffer, i);
        struct pollfd fence = { .events = POLLIN };
        int n = 1;

        if (gst_is_dmabuf_memory(memory)) {
            fence.fd = gst_dmabuf_memory_get_fd(memory);
            do {
                n = poll(&fence, 1, (int)MAX((until - g_get_monotonic_time() + 999) / 1000, 0));
            } while (n < 0 && errno == EINTR);
        }
        if (n == 0) {
            g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY,
                        "Whoever draws this DMA-BUF has not finished it within %d ms: does its driver hang?",
                        VSOCK_FENCE_MS);
            return FALSE;
        }
    }
    return TRUE;
}

/* CPU reads of a DMA-BUF are bracketed. */
static void sync_dmabuf(GstBuffer *buffer, guint64 flags)
{
    for (guint i = 0; i < gst_buffer_n_memory(buffer); i++) {
        GstMemory *memory = gst_buffer_peek_memory(buffer, i);
        struct dma_buf_sync arg = { .flags = flags | DMA_BUF_SYNC_READ };

        if (gst_is_dmabuf_memory(memory)) {
            while (ioctl(gst_dmabuf_memory_get_fd(memory), DMA_BUF_IOCTL_SYNC, &arg) < 0 && errno == EINTR) {
            }
        }
    }
}

GstVideoFrame *vsock_frame_map(const GstVideoInfo *info, GstBuffer *buffer, GError **error)
{
    GstVideoFrame *frame;

    if (!wait_for_fences(buffer, error)) {
        return NULL;
    }
    frame = g_new0(GstVideoFrame, 1);
    sync_dmabuf(buffer, DMA_BUF_SYNC_START);
    if (gst_video_frame_map(frame, info, buffer, GST_MAP_READ)) {
        return frame;
    }
    sync_dmabuf(buffer, DMA_BUF_SYNC_END);
    g_free(frame);
    g_set_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                "A buffer of %" G_GSIZE_FORMAT " bytes cannot be read as the %dx%d %s its caps say.",
                gst_buffer_get_size(buffer), GST_VIDEO_INFO_WIDTH(info), GST_VIDEO_INFO_HEIGHT(info),
                gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(info)));
    return NULL;
}

void vsock_frame_unmap(GstVideoFrame *frame)
{
    /* The map holds the last reference, maybe. */
    GstBuffer *buffer = gst_buffer_ref(frame->buffer);

    gst_video_frame_unmap(frame);
    sync_dmabuf(buffer, DMA_BUF_SYNC_END);
    gst_buffer_unref(buffer);
    g_free(frame);
}

/* ---- the wire's pixels ---- */

static void add_part(VsockPicture *picture, const void *data, gsize len)
{
    if (len) {
        g_assert(picture->n_parts < G_N_ELEMENTS(picture->part));
        picture->part[picture->n_parts].data = data;
        picture->part[picture->n_parts].len = len;
        picture->n_parts++;
        picture->pixel_bytes += (guint32)len;
    }
}

/* Rows of @plane inside @rect: first byte of the first, bytes each, how many. */
static const guint8 *plane_rows(const GstVideoFrame *frame, guint plane, const VsockRect *rect, gsize *row_bytes,
                                guint *rows)
{
    const guint8 *data = GST_VIDEO_FRAME_PLANE_DATA(frame, plane);
    gssize stride = GST_VIDEO_FRAME_PLANE_STRIDE(frame, plane);

    if (GST_VIDEO_FRAME_FORMAT(frame) != GST_VIDEO_FORMAT_NV12) {
        *row_bytes = (gsize)rect->width * 4;
        *rows = rect->height;
        return data + stride * (gssize)rect->y + (gsize)rect->x * 4;
    }
    if (plane == 0) {
        *row_bytes = rect->width;
        *rows = rect->height;
        return data + stride * (gssize)rect->y + rect->x;
    }
    *row_bytes = GST_ROUND_UP_2((gsize)rect->width);
    *rows = (rect->height + 1) / 2;
    return data + stride * (gssize)(rect->y / 2) + rect->x;
}

/* Send from where the picture lies, if the wire's layout and the buffer's agree. */
static gboolean use_in_place(VsockPicture *picture, const VsockRect *rect)
{
    const GstVideoFrame *frame = picture->map;
    gssize stride = GST_VIDEO_FRAME_PLANE_STRIDE(frame, 0);
    guint planes = GST_VIDEO_FRAME_N_PLANES(frame), rows;
    VsockRect even = *rect;
    gsize row_bytes;

    if (planes > 1) {
        even.x = GST_ROUND_DOWN_2(rect->x);
        even.y = GST_ROUND_DOWN_2(rect->y);
    }
    (void)plane_rows(frame, 0, &even, &row_bytes, &rows);
    /* Padding that is most of the picture (a small crop) is not worth its way. */
    if (stride < (gssize)row_bytes || (gsize)stride - row_bytes > MIN(MAX_PADDING, row_bytes / 4)) {
        return FALSE;
    }
    if (planes > 1 && (planes > 2 || GST_VIDEO_FRAME_PLANE_STRIDE(frame, 1) != stride || rows % 2 || row_bytes % 2)) {
        return FALSE;
    }
    picture->stride = (guint32)stride;
    for (guint i = 0; i < planes; i++) {
        const guint8 *data = plane_rows(frame, i, &even, &row_bytes, &rows);

        /* The last row's padding may lie outside the buffer. */
        add_part(picture, data, (gsize)stride * (rows - 1) + row_bytes);
        add_part(picture, zeros, (gsize)stride - row_bytes);
    }
    return TRUE;
}

static gboolean repack(VsockPicture *picture, const VsockRect *rect)
{
    VsockLayout layout = vsock_layout_tight(picture->fourcc, rect->width, rect->height);

    picture->repacked = g_try_malloc0(layout.size);
    if (!picture->repacked) {
        return FALSE;
    }
    picture->stride = (guint32)layout.stride[0];
    picture->cpu_bytes += vsock_copy_rect(picture->map, rect, picture->repacked, &layout);
    add_part(picture, picture->repacked, layout.size);
    return TRUE;
}

VsockPicture *vsock_pixels_picture(const GstVideoInfo *info, GstBuffer *buffer, GError **error)
{
    VsockRect rect = vsock_visible_rect(info, buffer);
    GstVideoFrame *map = vsock_frame_map(info, buffer, error);
    VsockPicture *picture;

    if (!map) {
        return NULL;
    }
    picture = g_new0(VsockPicture, 1);
    picture->path = VSOCK_PATH_PIXEL_DATA;
    picture->fence_fd = -1;
    picture->fourcc = vsock_fourcc(GST_VIDEO_INFO_FORMAT(info));
    picture->width = rect.width;
    picture->height = rect.height;
    picture->map = map;
    if (!use_in_place(picture, &rect) && !repack(picture, &rect)) {
        g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT,
                    "No memory for a copy of the picture.");
        vsock_picture_free(picture);
        return NULL;
    }
    picture->cpu_bytes += picture->pixel_bytes;
    return picture;
}

VsockPicture *vsock_pixels_again(const VsockPicture *picture)
{
    const VsockMemory *memory = (const VsockMemory *)gst_buffer_peek_memory(picture->buffer, 0);
    VsockLayout layout = vsock_layout_tight(picture->fourcc, picture->width, picture->height);
    gsize across = picture->planes > 1 ? 1 : 4;
    VsockPicture *pixels = g_new0(VsockPicture, 1);

    pixels->path = VSOCK_PATH_PIXEL_DATA;
    pixels->again = TRUE;
    pixels->needs = picture->needs & HELIX_CAP_VUI; /* by pixels, but still in its own colours */
    pixels->fence_fd = -1;
    pixels->fourcc = picture->fourcc;
    pixels->width = picture->width;
    pixels->height = picture->height;
    pixels->stride = (guint32)layout.stride[0];
    pixels->repacked = g_try_malloc0(layout.size);
    if (!pixels->repacked) {
        vsock_picture_free(pixels);
        return NULL;
    }
    for (guint plane = 0; plane < layout.n_planes; plane++) {
        guint half = plane ? 2 : 1, rows = (picture->height + half - 1) / half;
        gsize row_bytes = (plane ? GST_ROUND_UP_2((gsize)picture->width) : picture->width) * across;
        const guint8 *from = (const guint8 *)memory->map + picture->offset[plane] + picture->crop_x * across +
            (gsize)picture->stride_of[plane] * (picture->crop_y / half);

        for (guint row = 0; row < rows; row++) {
            memcpy(pixels->repacked + layout.offset[plane] + layout.stride[plane] * row, from, row_bytes);
            from += picture->stride_of[plane];
        }
        pixels->cpu_bytes += row_bytes * rows;
    }
    add_part(pixels, pixels->repacked, layout.size);
    pixels->cpu_bytes += pixels->pixel_bytes;
    return pixels;
}
