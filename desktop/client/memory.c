/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.c - see memory.h. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/mman.h>
#include <xf86drm.h>
#include <drm/virtgpu_drm.h>
#include "memory.h"

#define MEMORY_TYPE "VsockVirtioGpuMemory"
#define TARGET_2D 2u /* Gallium's PIPE_TEXTURE_2D, as the kernel wants it */
/* Render target, sampler view, scanout: what a host needs to take the texture as a picture. */
#define BIND_PICTURE (1u << 1 | 1u << 3 | 1u << 18)

/* ---- the allocator: nothing but the memory's functions ---- */

typedef GstAllocator VsockAllocator;
typedef GstAllocatorClass VsockAllocatorClass;

static GType vsock_allocator_get_type(void);
G_DEFINE_TYPE(VsockAllocator, vsock_allocator, GST_TYPE_ALLOCATOR)

static void vsock_allocator_free(GstAllocator *allocator, GstMemory *memory)
{
    VsockMemory *self = (VsockMemory *)memory;

    if (self->map) {
        munmap(self->map, self->map_size);
    }
    if (self->dmabuf >= 0) {
        close(self->dmabuf);
    }
    if (self->handle) {
        vsock_node_close_handle(self->node, self->handle);
    }
    vsock_node_unref(self->node);
    g_mutex_clear(&self->lock);
    g_free(self);
}

static void vsock_allocator_class_init(VsockAllocatorClass *klass)
{
    klass->free = vsock_allocator_free;
}

static gpointer map_memory(GstMemory *memory, gsize max_size, GstMapFlags flags)
{
    return ((VsockMemory *)memory)->map;
}

static void unmap_memory(GstMemory *memory)
{
}

static void vsock_allocator_init(VsockAllocator *allocator)
{
    allocator->mem_type = MEMORY_TYPE;
    allocator->mem_map = map_memory;
    allocator->mem_unmap = unmap_memory;
    /* Memory is made by vsock_memory_new(), which knows what for. */
    GST_OBJECT_FLAG_SET(allocator, GST_ALLOCATOR_FLAG_CUSTOM_ALLOC);
}

/* One for all: it has no state. */
static GstAllocator *the_allocator(void)
{
    static gsize made;

    if (g_once_init_enter(&made)) {
        GstAllocator *allocator = gst_object_ref_sink(g_object_new(vsock_allocator_get_type(), NULL));

        GST_OBJECT_FLAG_SET(allocator, GST_OBJECT_FLAG_MAY_BE_LEAKED);
        g_once_init_leave(&made, (gsize)allocator);
    }
    return (GstAllocator *)made;
}

gboolean vsock_is_memory(GstMemory *memory)
{
    return gst_memory_is_type(memory, MEMORY_TYPE);
}

/* ---- resources ---- */

/* virtio-gpu's number of a format (virtio 1.2, clause 5.7.6.8), which is virgl's as well. */
static guint32 virtio_format(GstVideoFormat format)
{
    switch (format) {
    case GST_VIDEO_FORMAT_BGRA:
        return 1;
    case GST_VIDEO_FORMAT_BGRx:
        return 2;
    case GST_VIDEO_FORMAT_RGBA:
        return 67;
    case GST_VIDEO_FORMAT_RGBx:
        return 134;
    default:
        return 0;
    }
}

static gboolean fail(GError **error, const char *what)
{
    g_set_error(error, VSOCK_GPU_ERROR, VSOCK_GPU_ERROR_FAILED, "The virtio-gpu makes no buffer: %s: %s.", what,
                g_strerror(errno));
    return FALSE;
}

static gboolean make_blob(VsockMemory *self, GError **error)
{
    struct drm_virtgpu_resource_create_blob create = {
        .blob_mem = VIRTGPU_BLOB_MEM_GUEST,
        .blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
        .size = self->map_size,
    };

    if (drmIoctl(self->node->fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB, &create) != 0) {
        return fail(error, "VIRTGPU_RESOURCE_CREATE_BLOB");
    }
    self->handle = create.bo_handle;
    self->resource_id = create.res_handle;
    return TRUE;
}

/* There is no resource of format NV12: its rows lie in one of four bytes a pixel that has as many bytes a row. */
static gboolean make_classic(VsockMemory *self, const GstVideoInfo *info, gsize size, GError **error)
{
    guint32 stride = (guint32)GST_VIDEO_INFO_PLANE_STRIDE(info, 0);
    gboolean yuv = GST_VIDEO_INFO_N_PLANES(info) > 1;
    struct drm_virtgpu_resource_create create = {
        .target = TARGET_2D,
        .format = virtio_format(yuv ? GST_VIDEO_FORMAT_BGRx : self->format),
        .bind = BIND_PICTURE,
        .width = stride / 4,
        .height = (guint32)((size + stride - 1) / stride),
        .depth = 1,
        .array_size = 1,
    };

    create.size = create.width * 4 * create.height;
    if (drmIoctl(self->node->fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE, &create) != 0) {
        return fail(error, "VIRTGPU_RESOURCE_CREATE");
    }
    self->handle = create.bo_handle;
    self->resource_id = create.res_handle;
    self->width = create.width;
    self->height = create.height;
    return TRUE;
}

static gboolean map_pages(VsockMemory *self, GError **error)
{
    struct drm_virtgpu_map map = { .handle = self->handle };
    void *at;

    if (drmIoctl(self->node->fd, DRM_IOCTL_VIRTGPU_MAP, &map) != 0) {
        return fail(error, "VIRTGPU_MAP");
    }
    at = mmap(NULL, self->map_size, PROT_READ | PROT_WRITE, MAP_SHARED, self->node->fd, (off_t)map.offset);
    if (at == MAP_FAILED) {
        return fail(error, "mmap");
    }
    self->map = at;
    return TRUE;
}

GstMemory *vsock_memory_new(VsockNode *node, VsockMemoryKind kind, const GstVideoInfo *info, gsize at_least,
                            GError **error)
{
    gsize size = MAX(GST_VIDEO_INFO_SIZE(info), at_least), page = (gsize)sysconf(_SC_PAGESIZE);
    VsockMemory *self = g_new0(VsockMemory, 1);

    self->node = vsock_node_ref(node);
    self->kind = kind;
    self->format = GST_VIDEO_INFO_FORMAT(info);
    self->map_size = (size + page - 1) / page * page;
    self->dmabuf = -1;
    g_mutex_init(&self->lock);
    gst_memory_init(&self->memory, GST_MEMORY_FLAG_NO_SHARE, the_allocator(), NULL, size, page - 1, 0, size);
    if (!(kind == VSOCK_MEMORY_BLOB ? make_blob(self, error) : make_classic(self, info, size, error)) ||
        !map_pages(self, error)) {
        gst_memory_unref(&self->memory);
        return NULL;
    }
    return &self->memory;
}

/* ---- the texture ---- */

int vsock_memory_upload(VsockMemory *self, GError **error)
{
    struct drm_virtgpu_3d_transfer_to_host transfer = {
        .bo_handle = self->handle,
        .box = { .w = self->width, .h = self->height, .d = 1 },
    };
    int fd;

    g_mutex_lock(&self->lock);
    if (self->dmabuf < 0 && drmPrimeHandleToFD(self->node->fd, self->handle, DRM_CLOEXEC, &self->dmabuf) != 0) {
        self->dmabuf = -1;
        fail(error, "PRIME_HANDLE_TO_FD");
    } else if (drmIoctl(self->node->fd, DRM_IOCTL_VIRTGPU_TRANSFER_TO_HOST, &transfer) != 0) {
        fail(error, "VIRTGPU_TRANSFER_TO_HOST");
        g_mutex_unlock(&self->lock);
        return -1;
    }
    fd = self->dmabuf;
    g_mutex_unlock(&self->lock);
    return fd;
}
