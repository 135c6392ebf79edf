/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resource.c - see resource.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <xf86drm.h>
#include <drm/virtgpu_drm.h>
#include "resource.h"

/* A compositor's pool has at most this many buffers; a source that wraps each picture anew is kept in bounds by it. */
#define MAX_BUFFERS 64
#define FORGET_AFTER_US (5 * G_TIME_SPAN_SECOND)

typedef struct Buffer {
    dev_t dev;
    ino_t ino; /* of the dma-buf: not reused while the handle lives, the handle holds the dma-buf. Before
                                   Linux 5.3 dma-bufs have none of their own: then the handle tells them apart */
    guint32 handle, resource_id;
    gint64 used_us;
} Buffer;

struct VsockGpu {
    VsockNode *node;
    GArray *buffers;       /* Buffer */
    struct stat anonymous; /* of the inode that files without one of their own share */
    gint64 swept_us;
};

/* ---- buffers ---- */

VsockGpu *vsock_gpu_new(VsockNode *node)
{
    VsockGpu *gpu = g_new0(VsockGpu, 1);
    int fd = eventfd(0, EFD_CLOEXEC);

    if (fd >= 0) {
        if (fstat(fd, &gpu->anonymous) != 0) {
            memset(&gpu->anonymous, 0, sizeof(gpu->anonymous));
        }
        close(fd);
    }
    gpu->node = vsock_node_ref(node);
    gpu->buffers = g_array_new(FALSE, FALSE, sizeof(Buffer));
    return gpu;
}

static void forget_buffer(VsockGpu *gpu, guint index)
{
    vsock_node_close_handle(gpu->node, g_array_index(gpu->buffers, Buffer, index).handle);
    g_array_remove_index_fast(gpu->buffers, index);
}

void vsock_gpu_forget(VsockGpu *gpu)
{
    while (gpu->buffers->len) {
        forget_buffer(gpu, gpu->buffers->len - 1);
    }
}

void vsock_gpu_free(VsockGpu *gpu)
{
    vsock_gpu_forget(gpu);
    g_array_unref(gpu->buffers);
    vsock_node_unref(gpu->node);
    g_free(gpu);
}

/* Let go what has not been seen for a while; looked at once a second. */
static void sweep(VsockGpu *gpu, gint64 now)
{
    if (now - gpu->swept_us < G_USEC_PER_SEC) {
        return;
    }
    gpu->swept_us = now;
    for (guint i = gpu->buffers->len; i-- > 0;) {
        if (now - g_array_index(gpu->buffers, Buffer, i).used_us > FORGET_AFTER_US) {
            forget_buffer(gpu, i);
        }
    }
}

static void forget_oldest(VsockGpu *gpu)
{
    guint oldest = 0;

    for (guint i = 1; i < gpu->buffers->len; i++) {
        if (g_array_index(gpu->buffers, Buffer, i).used_us < g_array_index(gpu->buffers, Buffer, oldest).used_us) {
            oldest = i;
        }
    }
    forget_buffer(gpu, oldest);
}

/* From 5.8 on; before, its exports were "drm" like those of most drivers. */
static gboolean virtio_gpu_says_its_name(void)
{
    struct utsname name;
    guint64 major, minor;
    char *end;

    if (uname(&name) != 0) {
        return FALSE;
    }
    major = g_ascii_strtoull(name.release, &end, 10);
    minor = *end == '.' ? g_ascii_strtoull(end + 1, NULL, 10) : 0;
    return major > 5 || (major == 5 && minor >= 8);
}

char *vsock_dmabuf_exporter(int fd)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fdinfo/%d", fd);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return NULL;
    }
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        if (g_str_has_prefix(lines[i], "exp_name:")) {
            const char *name = g_strstrip(lines[i] + strlen("exp_name:"));

            return strcmp(name, "drm") == 0 && !virtio_gpu_says_its_name() ? NULL : g_strdup(name);
        }
    }
    return NULL;
}

static gboolean import_buffer(VsockGpu *gpu, int fd, Buffer *buffer, GError **error)
{
    g_autofree char *exporter = vsock_dmabuf_exporter(fd);

    /* From 6.14 on the kernel imports foreign buffers as new blobs, which the host cannot read as a picture. */
    if (exporter && strcmp(exporter, "virtio_gpu") != 0) {
        g_set_error(error, VSOCK_GPU_ERROR, VSOCK_GPU_ERROR_FOREIGN,
                    "The DMA-BUF belongs to driver \"%s\", not to the virtio-gpu.", exporter);
        return FALSE;
    }
    if (drmPrimeFDToHandle(gpu->node->fd, fd, &buffer->handle) != 0) {
        int code = errno;

        g_set_error(error, VSOCK_GPU_ERROR, code == ENODEV ? VSOCK_GPU_ERROR_FOREIGN : VSOCK_GPU_ERROR_FAILED,
                    "The virtio-gpu does not take the DMA-BUF: %s.", g_strerror(code));
        return FALSE;
    }
    return TRUE;
}

/* Closes the handle if that fails. */
static gboolean read_id(VsockGpu *gpu, Buffer *buffer, GError **error)
{
    struct drm_virtgpu_resource_info info = { 0 };

    info.bo_handle = buffer->handle;
    if (drmIoctl(gpu->node->fd, DRM_IOCTL_VIRTGPU_RESOURCE_INFO, &info) != 0 || info.res_handle == 0) {
        g_set_error(error, VSOCK_GPU_ERROR, VSOCK_GPU_ERROR_FAILED, "VIRTGPU_RESOURCE_INFO: %s.", g_strerror(errno));
        vsock_node_close_handle(gpu->node, buffer->handle);
        return FALSE;
    }
    buffer->resource_id = info.res_handle;
    return TRUE;
}

static Buffer *find(VsockGpu *gpu, const Buffer *wanted, gboolean by_handle)
{
    for (guint i = 0; i < gpu->buffers->len; i++) {
        Buffer *known = &g_array_index(gpu->buffers, Buffer, i);

        if (by_handle ? known->handle == wanted->handle : known->dev == wanted->dev && known->ino == wanted->ino) {
            return known;
        }
    }
    return NULL;
}

guint32 vsock_gpu_lookup(VsockGpu *gpu, int fd, gboolean *imported, GError **error)
{
    gint64 now = g_get_monotonic_time();
    Buffer buffer = { .used_us = now }, *known = NULL;
    gboolean shared;
    struct stat st;

    *imported = FALSE;
    if (fstat(fd, &st) != 0) {
        g_set_error(error, VSOCK_GPU_ERROR, VSOCK_GPU_ERROR_FAILED, "fstat: %s.", g_strerror(errno));
        return 0;
    }
    sweep(gpu, now);
    buffer.dev = st.st_dev;
    buffer.ino = st.st_ino;
    shared = st.st_dev == gpu->anonymous.st_dev && st.st_ino == gpu->anonymous.st_ino;
    if (!shared) {
        known = find(gpu, &buffer, FALSE);
    }
    if (!known) {
        if (!import_buffer(gpu, fd, &buffer, error)) {
            return 0;
        }
        /* One that is imported already has the handle it had, and not one more reference. */
        known = shared ? find(gpu, &buffer, TRUE) : NULL;
    }
    if (known) {
        known->used_us = now;
        return known->resource_id;
    }
    if (!read_id(gpu, &buffer, error)) {
        return 0;
    }
    if (gpu->buffers->len >= MAX_BUFFERS) {
        forget_oldest(gpu);
    }
    *imported = TRUE;
    g_array_append_val(gpu->buffers, buffer);
    return buffer.resource_id;
}
