/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mapping.c - see mapping.h. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/dma-buf.h>
#include <gst/allocators/gstdmabuf.h>
#include "mapping.h"

/* The ioctl below would not return for a driver that hangs, and the stream lock is held. All of @buffer's write
 * fences. */
static gboolean wait_for_fences(GstBuffer *buffer, GError **error)
{
    gint64 until = g_get_monotonic_time() + VSOCKENC_FENCE_MS * G_TIME_SPAN_MILLISECOND;

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
                        "This DMA-BUF was not drawn within %d ms: does its driver hang?", VSOCKENC_FENCE_MS);
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

GstVideoFrame *vsockenc_map(const GstVideoInfo *info, GstBuffer *buffer, GError **error)
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

void vsockenc_unmap(GstVideoFrame *frame)
{
    /* The map holds the last reference, maybe. */
    GstBuffer *buffer = gst_buffer_ref(frame->buffer);

    gst_video_frame_unmap(frame);
    sync_dmabuf(buffer, DMA_BUF_SYNC_END);
    gst_buffer_unref(buffer);
    g_free(frame);
}
