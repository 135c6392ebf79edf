/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* picture.c - see picture.h. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/dma-buf.h>
#include <gst/allocators/gstdmabuf.h>
#include "../../hw/display/helix/core/helix-wire.h"
#include "picture.h"

/* Padding sent behind the last row, so that rows can be sent from where they lie. */
#define MAX_PADDING 4096u
static const guint8 zeros[MAX_PADDING];

typedef struct Rect {
    guint x, y, width, height;
} Rect;

static guint32 fourcc_of(GstVideoFormat format)
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
        return HELIX_FORMAT_NV12;
    default:
        return 0;
    }
}

/* The picture inside the buffer: GstVideoCropMeta where there is a usable one. */
static Rect visible_rect(const GstVideoInfo *info, GstBuffer *buffer)
{
    guint width = (guint)GST_VIDEO_INFO_WIDTH(info), height = (guint)GST_VIDEO_INFO_HEIGHT(info);
    GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);
    GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    Rect rect = { 0, 0, width, height };

    if (meta) {
        width = meta->width;
        height = meta->height;
    }
    if (crop && crop->width && crop->height && crop->x < width && crop->y < height &&
        crop->width <= width - crop->x && crop->height <= height - crop->y) {
        rect = (Rect) { crop->x, crop->y, crop->width, crop->height };
    }
    return rect;
}

void vsock_picture_size(const GstVideoInfo *info, GstBuffer *buffer, guint32 *width, guint32 *height)
{
    Rect rect = visible_rect(info, buffer);

    *width = rect.width;
    *height = rect.height;
}

/* ---- by resource id ---- */

static GError *wrong_layout(const char *what)
{
    return g_error_new(GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                       "A DMA-BUF %s has no place in a request. Insert glupload ! glcolorconvert ! gldownload, or "
                       "videoconvert, before vsockenc.", what);
}

/* NULL without @error: the buffer cannot be named, but its pixels may be read. */
static VsockPicture *picture_by_id(const VsockPictureSource *source, GstBuffer *buffer, gboolean with_ext,
                                   VsockStats *stats, GError **error)
{
    GstMemory *memory = gst_buffer_peek_memory(buffer, 0);
    GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    Rect rect = visible_rect(&source->info, buffer);
    int fd = gst_dmabuf_memory_get_fd(memory);
    g_autofree char *exporter = NULL;
    g_autoptr(GError) why = NULL;
    gboolean imported;
    guint32 id;
    gsize offset;
    VsockPicture *picture;

    gst_memory_get_sizes(memory, &offset, NULL);
    offset += meta ? meta->offset[0] : 0;
    id = source->gpu ? vsock_gpu_lookup(source->gpu, fd, &imported, &why) : 0;
    if (id == 0) {
        const GError *reason = why ? why : source->gpu_error;

        exporter = vsock_dmabuf_exporter(fd);
        /* A virtio-gpu's picture lives on the host: what the CPU would read here is black or old. */
        if (exporter && strcmp(exporter, "virtio_gpu") != 0) {
            return NULL;
        }
        g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ_WRITE,
                    "Cannot name this DMA-BUF to the host. %s", reason->message);
        return NULL;
    }
    if (imported) {
        vsock_stats_count(stats, VSOCK_COUNT_IMPORTS, 1);
    }
    if (gst_buffer_n_memory(buffer) > 1 || GST_VIDEO_INFO_N_PLANES(&source->info) > 1) {
        g_propagate_error(error, wrong_layout("of several planes"));
        return NULL;
    }
    if (offset > G_MAXUINT32 || (offset > 0 && !with_ext)) {
        g_propagate_error(error, wrong_layout("whose picture does not begin at its start"));
        return NULL;
    }
    if ((rect.x || rect.y) && !with_ext) {
        g_propagate_error(error, wrong_layout("with a crop, on this old host,"));
        return NULL;
    }
    picture = g_new0(VsockPicture, 1);
    picture->path = VSOCK_PATH_DMABUF;
    picture->resource_id = id;
    picture->fourcc = fourcc_of(GST_VIDEO_INFO_FORMAT(&source->info));
    picture->width = rect.width;
    picture->height = rect.height;
    picture->crop_x = rect.x;
    picture->crop_y = rect.y;
    picture->res_width = meta ? meta->width : (guint32)GST_VIDEO_INFO_WIDTH(&source->info);
    picture->res_height = meta ? meta->height : (guint32)GST_VIDEO_INFO_HEIGHT(&source->info);
    picture->stride = (guint32)(meta ? meta->stride[0] : GST_VIDEO_INFO_PLANE_STRIDE(&source->info, 0));
    picture->offset = (guint32)offset;
    picture->modifier = source->modifier;
    picture->fence_fd = fd;
    picture->buffer = gst_buffer_ref(buffer);
    return picture;
}

/* ---- by pixels ---- */

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
static const guint8 *plane_rows(const GstVideoFrame *frame, guint plane, const Rect *rect, gsize *row_bytes,
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
static gboolean use_in_place(VsockPicture *picture, const Rect *rect)
{
    const GstVideoFrame *frame = picture->map;
    gssize stride = GST_VIDEO_FRAME_PLANE_STRIDE(frame, 0);
    guint planes = GST_VIDEO_FRAME_N_PLANES(frame), rows;
    gsize row_bytes;
    const guint8 *data = plane_rows(frame, 0, rect, &row_bytes, &rows);

    /* Padding that is most of the picture (a small crop) is not worth its way. */
    if (stride < (gssize)row_bytes || (gsize)stride - row_bytes > MIN(MAX_PADDING, row_bytes / 4)) {
        return FALSE;
    }
    if (planes > 1 && (GST_VIDEO_FRAME_PLANE_STRIDE(frame, 1) != stride || rows % 2 || row_bytes % 2)) {
        return FALSE;
    }
    picture->stride = (guint32)stride;
    for (guint i = 0; i < planes; i++) {
        data = plane_rows(frame, i, rect, &row_bytes, &rows);
        /* The last row's padding may lie outside the buffer. */
        add_part(picture, data, (gsize)stride * (rows - 1) + row_bytes);
        add_part(picture, zeros, (gsize)stride - row_bytes);
    }
    return TRUE;
}

static gboolean repack(VsockPicture *picture, const Rect *rect)
{
    const GstVideoFrame *frame = picture->map;
    guint planes = GST_VIDEO_FRAME_N_PLANES(frame), rows;
    gsize row_bytes, stride, lines;
    guint8 *to;

    stride = planes > 1 ? GST_ROUND_UP_2((gsize)rect->width) : (gsize)rect->width * 4;
    lines = planes > 1 ? GST_ROUND_UP_2((gsize)rect->height) + (rect->height + 1) / 2 : rect->height;
    picture->repacked = g_try_malloc0(stride * lines);
    if (!picture->repacked) {
        return FALSE;
    }
    picture->stride = (guint32)stride;
    for (guint i = 0; i < planes; i++) {
        const guint8 *from = plane_rows(frame, i, rect, &row_bytes, &rows);

        to = picture->repacked + (i ? stride * GST_ROUND_UP_2((gsize)rect->height) : 0);
        for (guint y = 0; y < rows; y++) {
            memcpy(to + stride * y, from + GST_VIDEO_FRAME_PLANE_STRIDE(frame, i) * (gssize)y, row_bytes);
        }
    }
    add_part(picture, picture->repacked, stride * lines);
    picture->cpu_bytes += stride * lines;
    return TRUE;
}

/* CPU reads of a DMA-BUF are bracketed; the begin waits for the write fence. */
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

static VsockPicture *picture_by_pixels(const VsockPictureSource *source, GstBuffer *buffer, GError **error)
{
    Rect rect = visible_rect(&source->info, buffer);
    VsockPicture *picture = g_new0(VsockPicture, 1);

    picture->path = VSOCK_PATH_PIXEL_DATA;
    picture->fence_fd = -1;
    picture->fourcc = fourcc_of(GST_VIDEO_INFO_FORMAT(&source->info));
    picture->width = rect.width;
    picture->height = rect.height;
    picture->map = g_new0(GstVideoFrame, 1);
    sync_dmabuf(buffer, DMA_BUF_SYNC_START);
    if (!gst_video_frame_map(picture->map, &source->info, buffer, GST_MAP_READ)) {
        sync_dmabuf(buffer, DMA_BUF_SYNC_END);
        g_clear_pointer(&picture->map, g_free);
        g_set_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                    "A buffer of %" G_GSIZE_FORMAT " bytes cannot be read as the %ux%u %s its caps say.",
                    gst_buffer_get_size(buffer), rect.width, rect.height,
                    gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(&source->info)));
        vsock_picture_free(picture);
        return NULL;
    }
    if (GST_VIDEO_FRAME_N_PLANES(picture->map) > 1) {
        /* A crop between two chroma samples begins at the one before. */
        rect.x &= ~1u;
        rect.y &= ~1u;
    }
    if (!use_in_place(picture, &rect) && !repack(picture, &rect)) {
        g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT,
                    "No memory for a copy of the picture.");
        vsock_picture_free(picture);
        return NULL;
    }
    picture->cpu_bytes += picture->pixel_bytes;
    return picture;
}

/* ---- public ---- */

VsockPicture *vsock_picture_new(const VsockPictureSource *source, GstBuffer *buffer, gboolean with_ext,
                                VsockStats *stats, GError **error)
{
    VsockPicture *picture = NULL;
    GError *why = NULL;

    if (gst_buffer_n_memory(buffer) > 0 && gst_is_dmabuf_memory(gst_buffer_peek_memory(buffer, 0))) {
        picture = picture_by_id(source, buffer, with_ext, stats, &why);
    }
    if (!picture && !why) {
        picture = picture_by_pixels(source, buffer, &why);
    }
    if (why) {
        g_propagate_error(error, why);
    }
    return picture;
}

void vsock_picture_free(VsockPicture *picture)
{
    if (picture->map) {
        GstBuffer *buffer = picture->map->buffer;

        /* The map holds the last reference, maybe. */
        gst_buffer_ref(buffer);
        gst_video_frame_unmap(picture->map);
        sync_dmabuf(buffer, DMA_BUF_SYNC_END);
        gst_buffer_unref(buffer);
        g_free(picture->map);
    }
    gst_clear_buffer(&picture->buffer);
    g_free(picture->repacked);
    g_free(picture);
}
