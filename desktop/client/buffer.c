/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* buffer.c - see buffer.h. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/mman.h>
#include <xf86drm.h>
#include <drm/virtgpu_drm.h>
#include "buffer.h"
#include "gem.h"
#include "layout.h"

#define TARGET_2D 2u /* Gallium's PIPE_TEXTURE_2D, as the kernel wants it */
/* Render target, sampler view, scanout: what a host needs to take the texture as a picture. */
#define BIND_PICTURE (1u << 1 | 1u << 3 | 1u << 18)

/* virtio-gpu's number of a format (virtio 1.2, clause 5.7.6.8), which is virgl's as well. */
static guint32 virtio_format(guint32 format)
{
    switch (format) {
    case HELIX_CLIENT_FORMAT_AR24:
        return 1;
    case HELIX_CLIENT_FORMAT_XR24:
        return 2;
    case HELIX_CLIENT_FORMAT_AB24:
        return 67;
    case HELIX_CLIENT_FORMAT_XB24:
        return 134;
    default:
        return 0;
    }
}

static gboolean fail(GError **error, const char *what)
{
    g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_GPU, "The virtio-gpu makes no buffer: %s: %s.", what,
                g_strerror(errno));
    return FALSE;
}

static gboolean make_blob(HelixClientBuffer *self, GError **error)
{
    struct drm_virtgpu_resource_create_blob create = {
        .blob_mem = VIRTGPU_BLOB_MEM_GUEST,
        .blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
        .size = self->map_size,
    };

    if (drmIoctl(self->gpu->fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB, &create) != 0) {
        return fail(error, "VIRTGPU_RESOURCE_CREATE_BLOB");
    }
    self->handle = create.bo_handle;
    self->resource_id = create.res_handle;
    return TRUE;
}

/* There is no resource of format NV12: its rows lie in one of four bytes a pixel that has as many bytes a row. */
static gboolean make_resource(HelixClientBuffer *self, gsize size, GError **error)
{
    gboolean yuv = self->format == HELIX_CLIENT_FORMAT_NV12;
    guint32 stride = (guint32)client_layout_default(self->format, self->width, self->height).stride[0];
    struct drm_virtgpu_resource_create create = {
        .target = TARGET_2D,
        .format = virtio_format(yuv ? HELIX_CLIENT_FORMAT_XR24 : self->format),
        .bind = BIND_PICTURE,
        .width = stride / 4,
        .height = (guint32)((size + stride - 1) / stride),
        .depth = 1,
        .array_size = 1,
    };

    create.size = create.width * 4 * create.height;
    if (drmIoctl(self->gpu->fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE, &create) != 0) {
        return fail(error, "VIRTGPU_RESOURCE_CREATE");
    }
    self->handle = create.bo_handle;
    self->resource_id = create.res_handle;
    self->res_width = create.width;
    self->res_height = create.height;
    return TRUE;
}

static gboolean map_pages(HelixClientBuffer *self, GError **error)
{
    struct drm_virtgpu_map map = { .handle = self->handle };
    void *at;

    if (drmIoctl(self->gpu->fd, DRM_IOCTL_VIRTGPU_MAP, &map) != 0) {
        return fail(error, "VIRTGPU_MAP");
    }
    at = mmap(NULL, self->map_size, PROT_READ | PROT_WRITE, MAP_SHARED, self->gpu->fd, (off_t)map.offset);
    if (at == MAP_FAILED) {
        return fail(error, "mmap");
    }
    self->map = at;
    return TRUE;
}

HelixClientBuffer *helix_client_buffer_new(HelixClientGpu *gpu, HelixClientBufferKind kind, guint32 format, guint width,
                                           guint height, gsize size, GError **error)
{
    const HelixClientImage image = { .format = format, .width = width, .height = height };
    gsize page = (gsize)sysconf(_SC_PAGESIZE), least = client_layout_default(format, width, height).size;
    HelixClientBuffer *self;

    if (!client_image_check(&image, error)) {
        return NULL;
    }
    g_return_val_if_fail(client_wire_format(format) == format, NULL);
    self = g_new0(HelixClientBuffer, 1);
    g_atomic_ref_count_init(&self->refs);
    self->gpu = helix_client_gpu_ref(gpu);
    self->kind = kind;
    self->format = format;
    self->width = width;
    self->height = height;
    size = MAX(size, least);
    self->map_size = (size + page - 1) / page * page;
    self->dmabuf = -1;
    g_mutex_init(&self->lock);
    if (!(kind == HELIX_CLIENT_BUFFER_BLOB ? make_blob(self, error) : make_resource(self, size, error)) ||
        !map_pages(self, error)) {
        client_buffer_destroy(self);
        return NULL;
    }
    return self;
}

int helix_client_buffer_export(HelixClientBuffer *self, GError **error)
{
    int fd = -1;

    if (drmPrimeHandleToFD(self->gpu->fd, self->handle, DRM_CLOEXEC | DRM_RDWR, &fd) != 0) {
        fail(error, "PRIME_HANDLE_TO_FD");
        return -1;
    }
    return fd;
}

void client_buffer_destroy(HelixClientBuffer *self)
{
    if (self->map) {
        munmap(self->map, self->map_size);
    }
    if (self->dmabuf >= 0) {
        close(self->dmabuf);
    }
    if (self->handle) {
        client_gem_close(self->gpu->fd, self->handle);
    }
    helix_client_gpu_unref(self->gpu);
    g_mutex_clear(&self->lock);
    g_free(self);
}

HelixClientBuffer *helix_client_buffer_ref(HelixClientBuffer *self)
{
    g_atomic_ref_count_inc(&self->refs);
    return self;
}

void helix_client_buffer_unref(HelixClientBuffer *self)
{
    if (!g_atomic_ref_count_dec(&self->refs)) {
        return;
    }
    if (self->give_back) {
        self->give_back(self->pool, self);
    } else {
        client_buffer_destroy(self);
    }
}

guint8 *helix_client_buffer_get_data(HelixClientBuffer *self, gsize *size)
{
    if (size) {
        *size = self->map_size;
    }
    return self->map;
}

guint32 helix_client_buffer_get_resource_id(HelixClientBuffer *self)
{
    return self->resource_id;
}

void helix_client_buffer_get_image(HelixClientBuffer *self, HelixClientImage *image)
{
    ClientLayout layout = client_layout_default(self->format, self->width, self->height);

    *image = (HelixClientImage){ .format = self->format, .width = self->width, .height = self->height };
    for (guint i = 0; i < layout.n_planes; i++) {
        image->offset[i] = layout.offset[i];
        image->stride[i] = (gint32)layout.stride[i];
    }
}

/* ---- the texture ---- */

int client_buffer_upload(HelixClientBuffer *self, GError **error)
{
    struct drm_virtgpu_3d_transfer_to_host transfer = {
        .bo_handle = self->handle,
        .box = { .w = self->res_width, .h = self->res_height, .d = 1 },
    };
    int fd;

    g_mutex_lock(&self->lock);
    if (self->dmabuf < 0 && drmPrimeHandleToFD(self->gpu->fd, self->handle, DRM_CLOEXEC, &self->dmabuf) != 0) {
        self->dmabuf = -1;
        fail(error, "PRIME_HANDLE_TO_FD");
    } else if (drmIoctl(self->gpu->fd, DRM_IOCTL_VIRTGPU_TRANSFER_TO_HOST, &transfer) != 0) {
        fail(error, "VIRTGPU_TRANSFER_TO_HOST");
        g_mutex_unlock(&self->lock);
        return -1;
    }
    fd = self->dmabuf;
    g_mutex_unlock(&self->lock);
    return fd;
}
