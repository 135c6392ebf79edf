/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-gpu.c - buffers of a virtio-gpu whose kernel the test plays: it makes what it is asked for and counts it. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <gst/gst.h>
#include <xf86drm.h>
#include <drm/virtgpu_drm.h>
#include "../../hw/display/helix/protocol/helix-wire.h"
#include "../../desktop/client/picture.h"
#include "../../desktop/client/memory.h"
#include "../../desktop/client/resource.h"

GST_DEBUG_CATEGORY(vsockenc_debug);

static guint32 last_handle; /* handles are numbers from 1, resource ids 100 more */
static gint open_handles;
static int imported[16]; /* fds, and their handles */
static guint32 imported_handle[16];
static guint n_imported;

/* ---- in front of libdrm ---- */

int drmIoctl(int fd, unsigned long request, void *arg)
{
    if (request == DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB) {
        struct drm_virtgpu_resource_create_blob *create = arg;

        create->bo_handle = ++last_handle;
        create->res_handle = last_handle + 100;
        open_handles++;
    } else if (request == DRM_IOCTL_VIRTGPU_MAP) {
        ((struct drm_virtgpu_map *)arg)->offset = 0;
    } else if (request == DRM_IOCTL_VIRTGPU_RESOURCE_INFO) {
        struct drm_virtgpu_resource_info *info = arg;

        info->res_handle = info->bo_handle + 100;
    } else if (request == DRM_IOCTL_GEM_CLOSE) {
        open_handles--;
    } else {
        errno = EINVAL;
        return -1;
    }
    return 0;
}

/* A buffer that is imported already keeps its handle, as in the kernel. Here an fd is a buffer. */
int drmPrimeFDToHandle(int fd, int prime_fd, uint32_t *handle)
{
    for (guint i = 0; i < n_imported; i++) {
        if (imported[i] == prime_fd) {
            *handle = imported_handle[i];
            return 0;
        }
    }
    g_assert_cmpuint(n_imported, <, G_N_ELEMENTS(imported));
    *handle = imported_handle[n_imported] = ++last_handle;
    imported[n_imported++] = prime_fd;
    open_handles++;
    return 0;
}

static VsockNode *make_node(void)
{
    VsockNode *node = g_new0(VsockNode, 1);

    g_atomic_ref_count_init(&node->refs);
    node->fd = memfd_create("virtio-gpu", MFD_CLOEXEC);
    g_assert_cmpint(ftruncate(node->fd, 1 << 20), ==, 0);
    node->has_blob = TRUE;
    return node;
}

/* ---- the pool ---- */

static GstBufferPool *make_pool(guint most)
{
    VsockNode *node = make_node();
    GError *error = NULL;
    GstBufferPool *pool;
    GstVideoInfo info;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_BGRx, 64, 64);
    pool = vsock_pool_new_active(node, VSOCK_MEMORY_BLOB, most, &info, &error);
    g_assert_no_error(error);
    vsock_node_unref(node);
    return pool;
}

static void free_pool(GstBufferPool *pool)
{
    gst_buffer_pool_set_active(pool, FALSE);
    gst_object_unref(pool);
    g_assert_cmpint(open_handles, ==, 0);
}

static GstBuffer *acquire(GstBufferPool *pool, gboolean of_gpu)
{
    GstBuffer *buffer = NULL;

    g_assert_cmpint(gst_buffer_pool_acquire_buffer(pool, &buffer, NULL), ==, GST_FLOW_OK);
    g_assert_cmpint(vsock_is_memory(gst_buffer_peek_memory(buffer, 0)), ==, of_gpu);
    return buffer;
}

/* Upstream puts memory of its own into buffers of the pool: those of the GPU that are free by it can be had again. */
static void test_replaced_memory(void)
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
static void test_kept_memory(void)
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
    g_assert_cmpint(open_handles, ==, 0);
}

/* ---- names of DMA-BUFs ---- */

/* Before Linux 5.3 all DMA-BUFs share an inode, as eventfds do: each has its own id all the same, and is imported once.
 */
static void test_shared_inode(void)
{
    int fd[3] = { eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC) };
    VsockNode *node = make_node();
    VsockGpu *gpu = vsock_gpu_new(node);
    guint32 id[G_N_ELEMENTS(fd)];
    GError *error = NULL;
    gboolean new;

    for (guint i = 0; i < G_N_ELEMENTS(fd); i++) {
        id[i] = vsock_gpu_lookup(gpu, fd[i], &new, &error);
        g_assert_no_error(error);
        g_assert_true(new);
        for (guint j = 0; j < i; j++) {
            g_assert_cmpuint(id[i], !=, id[j]);
        }
    }
    for (guint i = 0; i < G_N_ELEMENTS(fd); i++) {
        g_assert_cmpuint(vsock_gpu_lookup(gpu, fd[i], &new, &error), ==, id[i]);
        g_assert_false(new);
    }
    g_assert_cmpint(open_handles, ==, 3);
    vsock_gpu_free(gpu);
    vsock_node_unref(node);
    g_assert_cmpint(open_handles, ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(fd); i++) {
        close(fd[i]);
    }
    n_imported = 0;
}

/* ---- buffers without memory ---- */

static void test_no_memory(void)
{
    VsockNode *node = make_node();
    VsockPictureSource source = { .copier = vsock_copier_new(node), .gpu = vsock_gpu_new(node) };
    g_autoptr(GstBuffer) buffer = gst_buffer_new();
    VsockStats *stats = vsock_stats_new();
    GError *error = NULL;

    gst_video_info_set_format(&source.info, GST_VIDEO_FORMAT_BGRx, 64, 64);
    g_assert_null(vsock_picture_new(&source, buffer, HELIX_CAP_ALL, stats, NULL, &error));
    g_test_message("%s", error->message);
    g_assert_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT);
    g_error_free(error);
    vsock_copier_free(source.copier);
    vsock_gpu_free(source.gpu);
    vsock_stats_free(stats);
    vsock_node_unref(node);
}

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    g_test_init(&argc, &argv, NULL);
    gst_debug_set_default_threshold(GST_LEVEL_NONE);
    GST_DEBUG_CATEGORY_INIT(vsockenc_debug, "vsockenc", 0, "the element's parts");
    g_test_add_func("/gpu/replaced-memory", test_replaced_memory);
    g_test_add_func("/gpu/kept-memory", test_kept_memory);
    g_test_add_func("/gpu/shared-inode", test_shared_inode);
    g_test_add_func("/gpu/no-memory", test_no_memory);
    return g_test_run();
}
