/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dmabuf-imports.c - see dmabuf-imports.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <xf86drm.h>
#include <drm/virtgpu_drm.h>
#include "gem.h"
#include "dmabuf-imports.h"

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

struct ClientImports {
    int node;              /* the render node */
    GMutex lock;           /* all below */
    GArray *buffers;       /* Buffer */
    struct stat anonymous; /* of the inode that files without one of their own share */
    gint64 swept_us;
};

ClientImports *client_imports_new(int node)
{
    ClientImports *imports = g_new0(ClientImports, 1);
    int fd = eventfd(0, EFD_CLOEXEC);

    if (fd >= 0) {
        if (fstat(fd, &imports->anonymous) != 0) {
            memset(&imports->anonymous, 0, sizeof(imports->anonymous));
        }
        close(fd);
    }
    g_mutex_init(&imports->lock);
    imports->node = node;
    imports->buffers = g_array_new(FALSE, FALSE, sizeof(Buffer));
    return imports;
}

static void forget_buffer(ClientImports *imports, guint index)
{
    client_gem_close(imports->node, g_array_index(imports->buffers, Buffer, index).handle);
    g_array_remove_index_fast(imports->buffers, index);
}

void client_imports_forget(ClientImports *imports)
{
    g_mutex_lock(&imports->lock);
    while (imports->buffers->len) {
        forget_buffer(imports, imports->buffers->len - 1);
    }
    g_mutex_unlock(&imports->lock);
}

void client_imports_free(ClientImports *imports)
{
    client_imports_forget(imports);
    g_array_unref(imports->buffers);
    g_mutex_clear(&imports->lock);
    g_free(imports);
}

/* Let go what has not been seen for a while; looked at once a second. */
static void sweep(ClientImports *imports, gint64 now)
{
    if (now - imports->swept_us < G_USEC_PER_SEC) {
        return;
    }
    imports->swept_us = now;
    for (guint i = imports->buffers->len; i-- > 0;) {
        if (now - g_array_index(imports->buffers, Buffer, i).used_us > FORGET_AFTER_US) {
            forget_buffer(imports, i);
        }
    }
}

static void forget_oldest(ClientImports *imports)
{
    guint oldest = 0;

    for (guint i = 1; i < imports->buffers->len; i++) {
        if (g_array_index(imports->buffers, Buffer, i).used_us <
            g_array_index(imports->buffers, Buffer, oldest).used_us) {
            oldest = i;
        }
    }
    forget_buffer(imports, oldest);
}

static gboolean import_buffer(ClientImports *imports, int fd, Buffer *buffer, GError **error)
{
    g_autofree char *exporter = helix_client_dmabuf_exporter(fd);

    /* From 6.14 on the kernel imports foreign buffers as new blobs, which the host cannot read as a picture. */
    if (exporter && strcmp(exporter, "virtio_gpu") != 0) {
        g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_FOREIGN,
                    "The DMA-BUF belongs to driver \"%s\", not to the virtio-gpu.", exporter);
        return FALSE;
    }
    if (drmPrimeFDToHandle(imports->node, fd, &buffer->handle) != 0) {
        int code = errno;

        g_set_error(error, HELIX_CLIENT_ERROR, code == ENODEV ? HELIX_CLIENT_ERROR_FOREIGN : HELIX_CLIENT_ERROR_GPU,
                    "The virtio-gpu cannot import the DMA-BUF: %s.", g_strerror(code));
        return FALSE;
    }
    return TRUE;
}

/* Closes the handle if that fails. */
static gboolean read_id(ClientImports *imports, Buffer *buffer, GError **error)
{
    struct drm_virtgpu_resource_info info = { 0 };

    info.bo_handle = buffer->handle;
    if (drmIoctl(imports->node, DRM_IOCTL_VIRTGPU_RESOURCE_INFO, &info) != 0 || info.res_handle == 0) {
        g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_GPU, "VIRTGPU_RESOURCE_INFO: %s.", g_strerror(errno));
        client_gem_close(imports->node, buffer->handle);
        return FALSE;
    }
    buffer->resource_id = info.res_handle;
    return TRUE;
}

static Buffer *find(ClientImports *imports, const Buffer *wanted, gboolean by_handle)
{
    for (guint i = 0; i < imports->buffers->len; i++) {
        Buffer *known = &g_array_index(imports->buffers, Buffer, i);

        if (by_handle ? known->handle == wanted->handle : known->dev == wanted->dev && known->ino == wanted->ino) {
            return known;
        }
    }
    return NULL;
}

/* With the lock. */
static guint32 lookup(ClientImports *imports, int fd, gboolean *imported, GError **error)
{
    gint64 now = g_get_monotonic_time();
    Buffer buffer = { .used_us = now }, *known = NULL;
    gboolean shared;
    struct stat st;

    *imported = FALSE;
    if (fstat(fd, &st) != 0) {
        g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_GPU, "fstat: %s.", g_strerror(errno));
        return 0;
    }
    sweep(imports, now);
    buffer.dev = st.st_dev;
    buffer.ino = st.st_ino;
    shared = st.st_dev == imports->anonymous.st_dev && st.st_ino == imports->anonymous.st_ino;
    if (!shared) {
        known = find(imports, &buffer, FALSE);
    }
    if (!known) {
        if (!import_buffer(imports, fd, &buffer, error)) {
            return 0;
        }
        /* One that is imported already has the handle it had, and not one more reference. */
        known = shared ? find(imports, &buffer, TRUE) : NULL;
    }
    if (known) {
        known->used_us = now;
        return known->resource_id;
    }
    if (!read_id(imports, &buffer, error)) {
        return 0;
    }
    if (imports->buffers->len >= MAX_BUFFERS) {
        forget_oldest(imports);
    }
    *imported = TRUE;
    g_array_append_val(imports->buffers, buffer);
    return buffer.resource_id;
}

guint32 client_imports_lookup(ClientImports *imports, int fd, gboolean *imported, GError **error)
{
    guint32 id;

    g_mutex_lock(&imports->lock);
    id = lookup(imports, fd, imported, error);
    g_mutex_unlock(&imports->lock);
    return id;
}
