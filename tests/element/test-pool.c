/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-pool.c - the pool of virtio-gpu buffers for upstream, with a GPU whose kernel the test plays; buffers without
 * memory; the write fence of a DMA-BUF that the CPU is to read. */
#include <string.h>
#include <sys/eventfd.h>
#include <gst/allocators/gstdmabuf.h>
#include "../../desktop/gst-vsockenc/path-selection.h"
#include "../../desktop/gst-vsockenc/mapping.h"
#include "../../desktop/gst-vsockenc/memory.h"
#include "../../desktop/gst-vsockenc/upstream-pool.h"
#include "../client/fake-drm.h"
#include "cases.h"

GST_DEBUG_CATEGORY(vsockenc_debug); /* the element's */

static GstBufferPool *make_pool(guint most)
{
    HelixClientGpu *gpu = fake_drm_gpu();
    GstBufferPool *pool = vsockenc_pool_new(gpu, HELIX_CLIENT_BUFFER_BLOB, most);
    GstStructure *config = gst_buffer_pool_get_config(pool);
    g_autoptr(GstCaps) caps = gst_caps_from_string("video/x-raw, format=BGRx, width=64, height=64, framerate=30/1");

    gst_buffer_pool_config_set_params(config, caps, 64 * 64 * 4, 1, 0);
    g_assert_true(gst_buffer_pool_set_config(pool, config));
    g_assert_true(gst_buffer_pool_set_active(pool, TRUE));
    helix_client_gpu_unref(gpu);
    return pool;
}

static void free_pool(GstBufferPool *pool)
{
    gst_buffer_pool_set_active(pool, FALSE);
    gst_object_unref(pool);
    g_assert_cmpint(fake_drm_handles(), ==, 0);
}

static GstBuffer *acquire(GstBufferPool *pool, gboolean of_gpu)
{
    GstBuffer *buffer = NULL;

    g_assert_cmpint(gst_buffer_pool_acquire_buffer(pool, &buffer, NULL), ==, GST_FLOW_OK);
    g_assert_cmpint(vsockenc_memory_get_buffer(gst_buffer_peek_memory(buffer, 0)) != NULL, ==, of_gpu);
    return buffer;
}

/* Upstream puts memory of its own into buffers of the pool: those of the GPU that are free by it can be had again. */
TEST("/pool/replaced-memory", test_replaced_memory)
{
    GstBufferPool *pool = make_pool(2);

    for (guint i = 0; i < 6; i++) {
        GstBuffer *buffer = acquire(pool, TRUE);

        gst_buffer_replace_all_memory(buffer, gst_allocator_alloc(NULL, 64 * 64 * 4, NULL));
        gst_buffer_unref(buffer);
    }
    free_pool(pool);
}

/* What it keeps of them counts until it lets go. */
TEST("/pool/kept-memory", test_kept_memory)
{
    GstBufferPool *pool = make_pool(2);
    GstMemory *kept[2];

    for (guint i = 0; i < 2; i++) {
        GstBuffer *buffer = acquire(pool, TRUE);

        kept[i] = gst_buffer_get_memory(buffer, 0);
        gst_buffer_replace_all_memory(buffer, gst_allocator_alloc(NULL, 64 * 64 * 4, NULL));
        gst_buffer_unref(buffer);
    }
    gst_buffer_unref(acquire(pool, FALSE));
    gst_memory_unref(kept[0]);
    gst_buffer_unref(acquire(pool, TRUE));
    gst_buffer_pool_set_active(pool, FALSE);
    gst_object_unref(pool);
    gst_memory_unref(kept[1]);
    g_assert_cmpint(fake_drm_handles(), ==, 0);
}

TEST("/frames/no-memory", test_no_memory)
{
    VsockEncFrameSource source = { .client = helix_client_new() };
    g_autoptr(GstBuffer) buffer = gst_buffer_new();
    GError *error = NULL;
    char *why;

    gst_video_info_set_format(&source.info, GST_VIDEO_FORMAT_BGRx, 64, 64);
    g_assert_null(vsockenc_frame_new(&source, buffer, &why, &error));
    g_test_message("%s", error->message);
    g_assert_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT);
    g_assert_null(why);
    g_error_free(error);
    helix_client_unref(source.client);
}

/* A fence that is not signalled is waited for no longer. An eventfd polls as a DMA-BUF does, though it cannot be
 * mapped. */
TEST("/mapping/fence", test_fence)
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
    g_assert_null(vsockenc_map(&info, buffer, &error));
    g_assert_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY);
    g_assert_cmpint(g_get_monotonic_time() - before, >=, VSOCKENC_FENCE_MS * 1000);
    g_clear_error(&error);
    g_assert_cmpint(eventfd_write(fd, 1), ==, 0);
    g_assert_null(vsockenc_map(&info, buffer, &error));
    g_assert_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT);
    gst_buffer_unref(buffer);
}

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    g_test_init(&argc, &argv, NULL);
    gst_debug_set_default_threshold(GST_LEVEL_NONE);
    GST_DEBUG_CATEGORY_INIT(vsockenc_debug, "vsockenc", 0, "the element's parts");
    test_cases_add();
    return g_test_run();
}
