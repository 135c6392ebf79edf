/* SPDX-License-Identifier: GPL-2.0-or-later */
/* buffer.c - finds the virtio-gpu and makes resources on it with the kernel's interface; what needs GL is in gl.c. */
#include "buffer.h"
#include "gl.h"
#include "pattern.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm/virtgpu_drm.h>
#include <drm_fourcc.h>
#include <xf86drm.h>

#define FILLER 0x80 /* alpha that a host must not look at */
#define GPU_WAIT_MS 5000
#define TARGET_2D 2u                                /* Gallium's PIPE_TEXTURE_2D, as the kernel wants it */
#define BIND_PICTURE (1u << 1 | 1u << 3 | 1u << 18) /* render target, sampler view, scanout */

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return -1;
}

/* ---- device ---- */

static bool is_virtio_gpu(int fd)
{
    drmVersionPtr version = drmGetVersion(fd);
    bool found = version && strcmp(version->name, "virtio_gpu") == 0;

    drmFreeVersion(version);
    return found;
}

static int open_node(const char *prefix, int first, char *path, size_t size)
{
    for (int i = first; i < first + 16; i++) {
        int fd;

        snprintf(path, size, "/dev/dri/%s%d", prefix, i);
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd >= 0 && is_virtio_gpu(fd)) {
            return fd;
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    return -1;
}

static bool has_param(int fd, uint64_t param)
{
    int value = 0;
    struct drm_virtgpu_getparam get = { .param = param, .value = (uintptr_t)&value };

    return drmIoctl(fd, DRM_IOCTL_VIRTGPU_GETPARAM, &get) == 0 && value != 0;
}

int gpu_open(Gpu *gpu)
{
    char path[64];

    memset(gpu, 0, sizeof(*gpu));
    gpu->card = open_node("card", 0, path, sizeof(path));
    gpu->render = open_node("renderD", 128, gpu->render_path, sizeof(gpu->render_path));
    if (gpu->render < 0) {
        fprintf(stderr, "no render node of a virtio-gpu under /dev/dri\n");
        return -1;
    }
    gpu->import = open(gpu->render_path, O_RDWR | O_CLOEXEC);
    if (gpu->import < 0) {
        return fail(gpu->render_path);
    }
    gpu->has_3d = has_param(gpu->render, VIRTGPU_PARAM_3D_FEATURES);
    gpu->has_blob = has_param(gpu->render, VIRTGPU_PARAM_RESOURCE_BLOB);
    return 0;
}

void gpu_close(Gpu *gpu)
{
    gl_close(gpu->gl);
    gpu->gl = NULL;
    close(gpu->import);
    close(gpu->render);
    if (gpu->card >= 0) {
        close(gpu->card);
    }
}

/* ---- resource ids ---- */

/* As any process finds the id behind a DMA-BUF that it was given. */
static int look_up_id(Buffer *buffer)
{
    Gpu *gpu = buffer->gpu;
    struct drm_virtgpu_resource_info info = { 0 };
    struct drm_gem_close gem = { 0 };
    uint32_t handle;
    int ret;

    if (drmPrimeFDToHandle(gpu->import, buffer->dmabuf, &handle) < 0) {
        return fail("PRIME_FD_TO_HANDLE");
    }
    info.bo_handle = handle;
    ret = drmIoctl(gpu->import, DRM_IOCTL_VIRTGPU_RESOURCE_INFO, &info);
    gem.handle = handle;
    drmIoctl(gpu->import, DRM_IOCTL_GEM_CLOSE, &gem);
    if (ret < 0) {
        return fail("VIRTGPU_RESOURCE_INFO");
    }
    buffer->resource_id = info.res_handle;
    buffer->blob_mem = info.blob_mem;
    return 0;
}

/* ---- kinds ---- */

static int owner_fd(const Buffer *buffer)
{
    return buffer->kind == BUFFER_DUMB ? buffer->gpu->card : buffer->gpu->render;
}

static int map_pages(Buffer *buffer)
{
    struct drm_virtgpu_map map = { .handle = buffer->handle };
    int fd = owner_fd(buffer);
    void *data;

    if (drmIoctl(fd, DRM_IOCTL_VIRTGPU_MAP, &map) < 0) {
        return fail("VIRTGPU_MAP");
    }
    data = mmap(NULL, buffer->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)map.offset);
    if (data == MAP_FAILED) {
        return fail("mmap");
    }
    buffer->map = data;
    return 0;
}

/* virtio-gpu's number for a format (virtio 1.2, clause 5.7.6.8), which is virgl's as well. */
static uint32_t virtio_format(uint32_t fourcc)
{
    switch (fourcc) {
    case DRM_FORMAT_ARGB8888:
        return 1;
    case DRM_FORMAT_XRGB8888:
        return 2;
    case DRM_FORMAT_ABGR8888:
        return 67;
    case DRM_FORMAT_XBGR8888:
        return 134;
    default:
        return 0;
    }
}

static int new_classic(Buffer *buffer, uint32_t backing)
{
    struct drm_virtgpu_resource_create create = {
        .target = TARGET_2D,
        .format = virtio_format(buffer->fourcc),
        .bind = BIND_PICTURE,
        .width = (uint32_t)buffer->width,
        .height = (uint32_t)buffer->height,
        .depth = 1,
        .array_size = 1,
        .size = backing ? backing : (uint32_t)(buffer->width * 4 * buffer->height),
    };

    if (drmIoctl(buffer->gpu->render, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE, &create) < 0) {
        return fail("VIRTGPU_RESOURCE_CREATE");
    }
    buffer->handle = create.bo_handle;
    buffer->stride = (uint32_t)buffer->width * 4;
    buffer->size = create.size;
    return map_pages(buffer);
}

static int new_dumb(Buffer *buffer)
{
    struct drm_mode_create_dumb create = { .width = (uint32_t)buffer->width,
                                           .height = (uint32_t)buffer->height,
                                           .bpp = 32 };

    if (drmIoctl(buffer->gpu->card, DRM_IOCTL_MODE_CREATE_DUMB, &create) < 0) {
        return fail("MODE_CREATE_DUMB on the card node");
    }
    buffer->handle = create.handle;
    buffer->stride = create.pitch;
    buffer->size = create.size;
    buffer->fourcc = DRM_FORMAT_XRGB8888;
    return map_pages(buffer);
}

static int new_blob(Buffer *buffer, const BufferSpec *spec)
{
    struct drm_virtgpu_resource_create_blob create = {
        .blob_mem = VIRTGPU_BLOB_MEM_GUEST,
        .blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE | VIRTGPU_BLOB_FLAG_USE_SHAREABLE,
    };

    uint32_t width = (uint32_t)buffer->width, rows = (uint32_t)buffer->height;

    buffer->offset = spec->offset;
    if (buffer->fourcc == DRM_FORMAT_NV12) {
        uint32_t luma_rows = (rows + 1) & ~1u;

        buffer->stride = ((width + 1) & ~1u) + spec->padding;
        buffer->chroma = buffer->offset + buffer->stride * luma_rows + spec->offset;
        buffer->size = buffer->chroma + (uint64_t)buffer->stride * (luma_rows / 2);
    } else {
        buffer->stride = width * 4 + spec->padding;
        buffer->size = buffer->offset + (uint64_t)buffer->stride * rows;
    }
    buffer->size = (buffer->size + 4095) & ~UINT64_C(4095);
    create.size = buffer->size;
    if (drmIoctl(buffer->gpu->render, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB, &create) < 0) {
        return fail("VIRTGPU_RESOURCE_CREATE_BLOB");
    }
    buffer->handle = create.bo_handle;
    return map_pages(buffer);
}

/* A new resource's fence is behind everything in the control queue. */
int gpu_settle(Gpu *gpu)
{
    Buffer probe = {
        .gpu = gpu, .kind = BUFFER_CLASSIC, .width = 16, .height = 16, .fourcc = DRM_FORMAT_XRGB8888, .dmabuf = -1
    };
    struct drm_virtgpu_3d_wait wait = { 0 };
    int ret = new_classic(&probe, 0);

    wait.handle = probe.handle;
    if (ret == 0 && drmIoctl(gpu->render, DRM_IOCTL_VIRTGPU_WAIT, &wait) < 0) {
        ret = fail("VIRTGPU_WAIT");
    }
    buffer_free(&probe);
    return ret;
}

/* A DMA-BUF of it, and its resource id. */
static int export_buffer(Buffer *buffer)
{
    int ret = 0;

    if (buffer->dmabuf < 0 &&
        drmPrimeHandleToFD(owner_fd(buffer), buffer->handle, DRM_CLOEXEC | DRM_RDWR, &buffer->dmabuf) < 0) {
        ret = fail("PRIME_HANDLE_TO_FD");
    }
    if (ret < 0 || look_up_id(buffer) < 0) {
        buffer_free(buffer);
        return -1;
    }
    return 0;
}

int buffer_new(Gpu *gpu, const BufferSpec *spec, Buffer *buffer)
{
    int ret = -1;

    *buffer = (Buffer){
        .gpu = gpu,
        .kind = spec->kind,
        .width = spec->width,
        .height = spec->height,
        .fourcc = spec->fourcc ? spec->fourcc : DRM_FORMAT_XRGB8888,
        .dmabuf = -1,
    };
    switch (spec->kind) {
    case BUFFER_GL:
        ret = gl_buffer_new(buffer);
        break;
    case BUFFER_CLASSIC:
        ret = new_classic(buffer, 0);
        break;
    case BUFFER_DUMB:
        ret = new_dumb(buffer);
        break;
    case BUFFER_BLOB:
        ret = new_blob(buffer, spec);
        break;
    }
    if (ret < 0) {
        buffer_free(buffer);
        return -1;
    }
    return export_buffer(buffer);
}

int buffer_new_unbacked(Gpu *gpu, int width, int height, uint32_t backing, Buffer *buffer)
{
    *buffer = (Buffer){
        .gpu = gpu,
        .kind = BUFFER_CLASSIC,
        .width = width,
        .height = height,
        .fourcc = DRM_FORMAT_XRGB8888,
        .dmabuf = -1,
    };
    if (new_classic(buffer, backing) < 0) {
        buffer_free(buffer);
        return -1;
    }
    return export_buffer(buffer);
}

void buffer_free(Buffer *buffer)
{
    struct drm_gem_close gem = { .handle = buffer->handle };

    gl_buffer_free(buffer);
    if (buffer->map) {
        munmap(buffer->map, buffer->size);
    }
    if (buffer->dmabuf >= 0) {
        close(buffer->dmabuf);
    }
    if (buffer->handle) {
        drmIoctl(owner_fd(buffer), DRM_IOCTL_GEM_CLOSE, &gem);
    }
    *buffer = (Buffer){ .dmabuf = -1 };
}

/* ---- contents ---- */

bool fourcc_red_first(uint32_t fourcc)
{
    return fourcc == DRM_FORMAT_ABGR8888 || fourcc == DRM_FORMAT_XBGR8888;
}

static void draw_nv12(Buffer *buffer, unsigned number, const BufferArea *area)
{
    uint8_t *y = buffer->map + buffer->offset, *cbcr = buffer->map + buffer->chroma;
    uint64_t rows = (uint64_t)area->y * buffer->stride;

    if (area->width != buffer->width || area->height != buffer->height) {
        pattern_paint_nv12(PATTERN_MAX_NUMBER - number, buffer->width, buffer->height, y, cbcr, buffer->stride);
    }
    pattern_paint_nv12(number, area->width, area->height, y + rows + area->x, cbcr + rows / 2 + area->x,
                       buffer->stride);
}

int buffer_draw(Buffer *buffer, unsigned number, const BufferArea *area)
{
    int red_first = fourcc_red_first(buffer->fourcc);
    uint8_t *first = buffer->map + buffer->offset;

    if (buffer->kind == BUFFER_GL) {
        return gl_buffer_draw(buffer, number, area);
    }
    if (buffer->fourcc == DRM_FORMAT_NV12) {
        draw_nv12(buffer, number, area);
        return 0;
    }
    if (area->width != buffer->width || area->height != buffer->height) {
        pattern_paint(PATTERN_MAX_NUMBER - number, buffer->width, buffer->height, first, buffer->stride, red_first,
                      FILLER);
    }
    pattern_paint(number, area->width, area->height, first + (uint64_t)area->y * buffer->stride + (uint64_t)area->x * 4,
                  buffer->stride, red_first, FILLER);
    return 0;
}

int buffer_upload(Buffer *buffer)
{
    struct drm_virtgpu_3d_transfer_to_host transfer = {
        .bo_handle = buffer->handle,
        .box = { .w = (uint32_t)buffer->width, .h = (uint32_t)buffer->height, .d = 1 },
    };

    if (buffer->kind == BUFFER_GL || buffer->blob_mem == VIRTGPU_BLOB_MEM_GUEST) {
        return 0;
    }
    if (drmIoctl(owner_fd(buffer), DRM_IOCTL_VIRTGPU_TRANSFER_TO_HOST, &transfer) < 0) {
        return fail("VIRTGPU_TRANSFER_TO_HOST");
    }
    return 0;
}

int buffer_wait(Buffer *buffer)
{
    struct pollfd poll_fd = { .fd = buffer->dmabuf, .events = POLLIN };
    int ret = poll(&poll_fd, 1, GPU_WAIT_MS);

    if (ret == 0) {
        fprintf(stderr, "the GPU did not finish writing within %d ms\n", GPU_WAIT_MS);
    }
    return ret == 1 ? 0 : -1;
}

int buffer_verify(Buffer *buffer, unsigned number, const BufferArea *area)
{
    return buffer->kind == BUFFER_GL ? gl_buffer_verify(buffer, number, area) : 0;
}
