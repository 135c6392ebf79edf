/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-layout.c - copying a picture's visible part: each format, odd sizes, strides, crops; against pixel by pixel. Its
 * fence. */
#include <sys/eventfd.h>
#include <gst/allocators/gstdmabuf.h>
#include <gst/video/video.h>
#include "../../desktop/client/layout.h"
#include "../../desktop/client/pixels.h"
#include "../../hw/display/helix/protocol/helix-wire.h"

GST_DEBUG_CATEGORY(vsockenc_debug);

/* A value that tells the sample: plane, column, row. */
static guint8 sample(guint component, guint x, guint y)
{
    return (guint8)(component * 85 + x * 7 + y * 13 + x * y);
}

static GstBuffer *picture_new(const GstVideoInfo *info)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(info), NULL);
    GstVideoFrame frame;

    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(info),
                                   (guint)GST_VIDEO_INFO_WIDTH(info), (guint)GST_VIDEO_INFO_HEIGHT(info),
                                   GST_VIDEO_INFO_N_PLANES(info), info->offset, info->stride);
    g_assert_true(gst_video_frame_map(&frame, info, buffer, GST_MAP_WRITE));
    for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(info); c++) {
        guint8 *data = GST_VIDEO_FRAME_COMP_DATA(&frame, c);

        for (guint y = 0; y < (guint)GST_VIDEO_FRAME_COMP_HEIGHT(&frame, c); y++) {
            for (guint x = 0; x < (guint)GST_VIDEO_FRAME_COMP_WIDTH(&frame, c); x++) {
                data[y * (guint)GST_VIDEO_FRAME_COMP_STRIDE(&frame, c) +
                     x * (guint)GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, c)] = sample(c, x, y);
            }
        }
    }
    gst_video_frame_unmap(&frame);
    return buffer;
}

static void check_copy(GstVideoFormat format, guint width, guint height, guint padding, VsockRect rect)
{
    gboolean yuv = vsock_fourcc(format) == HELIX_FORMAT_NV12;
    VsockLayout layout = vsock_layout_tight(vsock_fourcc(format), rect.width, rect.height);
    g_autofree guint8 *to = g_malloc0(layout.size);
    guint left = yuv ? rect.x & ~1u : rect.x, top = yuv ? rect.y & ~1u : rect.y;
    GstVideoInfo info;
    GstVideoFrame frame;
    GstBuffer *buffer;
    gsize bytes;

    gst_video_info_set_format(&info, format, width, height);
    for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES(&info) && padding; i++) {
        info.offset[i] += i * padding * height;
        info.stride[i] += (gint)padding;
    }
    info.size += (gsize)padding * height * GST_VIDEO_INFO_N_PLANES(&info);
    buffer = picture_new(&info);
    g_assert_true(gst_video_frame_map(&frame, &info, buffer, GST_MAP_READ));
    bytes = vsock_copy_rect(&frame, &rect, to, &layout);
    gst_video_frame_unmap(&frame);
    gst_buffer_unref(buffer);

    for (guint y = 0; y < rect.height; y++) {
        for (guint x = 0; x < rect.width; x++) {
            for (guint c = 0; c < (yuv ? 1u : 3u); c++) {
                gsize at = yuv ? y * layout.stride[0] + x
                               : y * layout.stride[0] + x * 4 + (gsize)info.finfo->poffset[c];

                g_assert_cmpuint(to[at], ==, sample(c, left + x, top + y));
            }
        }
    }
    for (guint y = 0; yuv && y < (rect.height + 1) / 2; y++) {
        for (guint x = 0; x < (rect.width + 1) / 2; x++) {
            for (guint c = 1; c < 3; c++) {
                g_assert_cmpuint(to[layout.offset[1] + y * layout.stride[1] + 2 * x + c - 1], ==,
                                 sample(c, left / 2 + x, top / 2 + y));
            }
        }
    }
    g_assert_cmpuint(bytes, ==,
                     yuv ? rect.width * rect.height + 2 * ((rect.width + 1) / 2) * ((rect.height + 1) / 2)
                         : rect.width * rect.height * 4);
}

static void test_formats(void)
{
    const GstVideoFormat formats[] = {
        GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_BGRA, GST_VIDEO_FORMAT_RGBx,
        GST_VIDEO_FORMAT_RGBA, GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_I420,
    };

    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        for (guint padding = 0; padding <= 20; padding += 20) {
            check_copy(formats[i], 64, 48, padding, (VsockRect){ 0, 0, 64, 48 });
            check_copy(formats[i], 63, 47, padding, (VsockRect){ 0, 0, 63, 47 });
            check_copy(formats[i], 1, 1, padding, (VsockRect){ 0, 0, 1, 1 });
            check_copy(formats[i], 64, 48, padding, (VsockRect){ 6, 4, 20, 11 });
            check_copy(formats[i], 64, 48, padding, (VsockRect){ 7, 5, 21, 10 });
        }
    }
}

static void test_layouts(void)
{
    VsockLayout layout = vsock_layout_tight(HELIX_FORMAT_NV12, 641, 361);
    GstVideoInfo info;

    g_assert_cmpuint(layout.stride[0], ==, 642);
    g_assert_cmpuint(layout.stride[1], ==, 642);
    g_assert_cmpuint(layout.offset[1], ==, 642 * 362);
    g_assert_cmpuint(layout.size, ==, 642 * 362 + 642 * 181);
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, 641, 361);
    layout = vsock_layout_default(&info);
    g_assert_cmpuint(layout.stride[0], ==, 644);
    g_assert_cmpuint(layout.offset[1], ==, 644 * 362);
    g_assert_cmpuint(layout.size, ==, GST_VIDEO_INFO_SIZE(&info));
    g_assert_cmpuint(vsock_fourcc(GST_VIDEO_FORMAT_YUY2), ==, 0);
}

/* The wait for a fence that does not open ends. An eventfd polls as a DMA-BUF does, though it cannot be
 * mapped. */
static void test_fence(void)
{
    g_autoptr(GstAllocator) allocator = gst_dmabuf_allocator_new();
    gint64 before = g_get_monotonic_time();
    g_autoptr(GError) error = NULL;
    int fd = eventfd(0, EFD_CLOEXEC);
    GstVideoInfo info;
    GstBuffer *buffer;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_BGRx, 16, 16);
    buffer = gst_buffer_new_allocate(NULL, 16, NULL);
    gst_buffer_append_memory(buffer, gst_dmabuf_allocator_alloc(allocator, fd, GST_VIDEO_INFO_SIZE(&info)));
    g_assert_null(vsock_frame_map(&info, buffer, &error));
    g_assert_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY);
    g_assert_cmpint(g_get_monotonic_time() - before, >=, VSOCK_FENCE_MS * 1000);
    g_clear_error(&error);
    g_assert_cmpint(eventfd_write(fd, 1), ==, 0);
    g_assert_null(vsock_frame_map(&info, buffer, &error));
    g_assert_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT);
    gst_buffer_unref(buffer);
}

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/layout/formats", test_formats);
    g_test_add_func("/layout/layouts", test_layouts);
    g_test_add_func("/layout/fence", test_fence);
    return g_test_run();
}
