/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resource-lookup.c - HelixResolver on a virtio-gpu: from a resource id to a surface that an encoder thread can read.
 *
 * Which of its two places a resource is read from is the request's `source` (docs/protocol.md): a classic resource
 * has a host texture and guest pages, and only one of them is right. The host's own choice is the texture where there
 * is one.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "qemu/error-report.h"
#include "system/cpus.h"
#include "device-guard.h"
#include "resource.h"
#include "../loop/loop-time.h"
#include "../trace.h"

const HelixTextureReader *helix_texture_reader;
const HelixTextureCopier *helix_texture_copier;
const HelixTextureThread *helix_texture_thread;
HelixTextureFilter helix_texture_filter;
void (*helix_fence_watch)(VirtIOGPU *g, bool (*wanted)(void));

static const char gl_type[] = "virtio-gpu-gl-device";

static const VirtIOGPU *plugged_gpu;
static bool in_gpu;

static const struct {
    uint32_t format;
    HelixPixelLayout layout;
} pixel_layouts[] = {
    { 1, { HELIX_FORMAT_AR24, { 0, 1, 2, 3 } } },   /* B8G8R8A8_UNORM */
    { 2, { HELIX_FORMAT_XR24, { 0, 1, 2, 3 } } },   /* B8G8R8X8_UNORM */
    { 3, { HELIX_FORMAT_AR24, { 3, 2, 1, 0 } } },   /* A8R8G8B8_UNORM */
    { 4, { HELIX_FORMAT_XR24, { 3, 2, 1, 0 } } },   /* X8R8G8B8_UNORM */
    { 67, { HELIX_FORMAT_AB24, { 0, 1, 2, 3 } } },  /* R8G8B8A8_UNORM */
    { 68, { HELIX_FORMAT_XB24, { 3, 2, 1, 0 } } },  /* X8B8G8R8_UNORM */
    { 121, { HELIX_FORMAT_AB24, { 3, 2, 1, 0 } } }, /* A8B8G8R8_UNORM */
    { 134, { HELIX_FORMAT_XB24, { 0, 1, 2, 3 } } }, /* R8G8B8X8_UNORM */
    /* virgl's sRGB twins: the same bytes, which are what a screen shows */
    { 98, { HELIX_FORMAT_AB24, { 3, 2, 1, 0 } } },  /* A8B8G8R8_SRGB */
    { 99, { HELIX_FORMAT_XB24, { 3, 2, 1, 0 } } },  /* X8B8G8R8_SRGB */
    { 100, { HELIX_FORMAT_AR24, { 0, 1, 2, 3 } } }, /* B8G8R8A8_SRGB */
    { 101, { HELIX_FORMAT_XR24, { 0, 1, 2, 3 } } }, /* B8G8R8X8_SRGB */
    { 102, { HELIX_FORMAT_AR24, { 3, 2, 1, 0 } } }, /* A8R8G8B8_SRGB */
    { 103, { HELIX_FORMAT_XR24, { 3, 2, 1, 0 } } }, /* X8R8G8B8_SRGB */
    { 104, { HELIX_FORMAT_AB24, { 0, 1, 2, 3 } } }, /* R8G8B8A8_SRGB */
    { 230, { HELIX_FORMAT_XB24, { 0, 1, 2, 3 } } }, /* R8G8B8X8_SRGB */
};

HelixPixelLayout helix_pixel_layout(uint32_t format)
{
    for (size_t i = 0; i < G_N_ELEMENTS(pixel_layouts); i++) {
        if (pixel_layouts[i].format == format) {
            return pixel_layouts[i].layout;
        }
    }
    return (HelixPixelLayout){ 0 };
}

void helix_set_unreadable(const HelixResource *resource, GError **error)
{
    g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE,
                "resource %u has format %u of virtio-gpu, which has no "
                "8-bit RGB pixels: allocate XR24, AR24, XB24 or AB24",
                resource->id, resource->format);
}

bool helix_pixels_reorder(uint8_t *pixels, uint32_t width, uint32_t rows, uint32_t stride,
                          const HelixPixelLayout *layout)
{
    const uint8_t *from = layout->byte;

    if (from[0] == 0) {
        return false;
    }
    for (uint32_t y = 0; y < rows; y++) {
        uint8_t *pixel = pixels + (size_t)y * stride;

        for (uint32_t x = 0; x < width; x++, pixel += 4) {
            uint8_t old[4];

            memcpy(old, pixel, 4);
            for (int i = 0; i < 4; i++) {
                pixel[i] = old[from[i]];
            }
        }
    }
    return true;
}

MemReentrancyGuard *helix_gpu_enter(VirtIOGPU *g)
{
    MemReentrancyGuard *guard = helix_device_enter(DEVICE(g));

    in_gpu = in_gpu || guard;
    return guard;
}

void helix_gpu_leave(MemReentrancyGuard *guard)
{
    in_gpu = false;
    helix_device_leave(guard);
}

bool helix_gpu_entered(void)
{
    return in_gpu;
}

/*
 * What the guest queued before its request has happened when this returns, as far as the renderer is not blocked. The
 * time that takes is the guest's: its commands would have been carried out a moment later anyway. False: the GPU is
 * inside of work of its own, a reset that a vCPU waits for; its resources are gone or about to go.
 */
static bool drain_control_queue(VirtIOGPU *g)
{
    VirtIOGPUClass *klass = VIRTIO_GPU_GET_CLASS(g);
    MemReentrancyGuard *guard = helix_gpu_enter(g);

    if (!guard) {
        return false;
    }
    helix_loop_pause();
    klass->handle_ctrl(VIRTIO_DEVICE(g), g->ctrl_vq);
    helix_loop_resume();
    helix_gpu_leave(guard);
    return true;
}

/* Whether @g is there at all: look-ups under way outlive it. */
static bool is_plugged(const VirtIOGPU *g, uint32_t id, GError **error)
{
    if (g != plugged_gpu) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_FOUND, "resource %u is gone: its GPU was unplugged", id);
    }
    return g == plugged_gpu;
}

static bool is_gl(VirtIOGPU *g)
{
    return object_dynamic_cast(OBJECT(g), gl_type);
}

/*
 * After a reset virglrenderer keeps the old pictures until the next control command, but the list is empty at once:
 * only what is in the list exists.
 */
static bool find_described(VirtIOGPU *g, uint32_t id, HelixResource *resource, GError **error)
{
    struct virtio_gpu_simple_resource *res;

    memset(resource, 0, sizeof(*resource));
    resource->id = id;
    if (!is_plugged(g, id, error)) {
        return false;
    }
    QTAILQ_FOREACH (res, &g->reslist, next) {
        if (res->resource_id == id) {
            break;
        }
    }
    if (res && !helix_resource_resetting()) {
        resource->blob_size = res->blob_size;
        if (is_gl(g)) {
            /* not res->iov: QEMU's DETACH_BACKING frees that array and leaves the pointer; find_pages() asks
             * virglrenderer */
            if (helix_texture_reader && helix_texture_reader->describe(g, resource)) {
                return true;
            }
        } else {
            resource->iov = res->iov;
            resource->iov_cnt = res->iov ? res->iov_cnt : 0;
            resource->image = res->image;
            resource->has_texture = res->image;
            if (res->image) {
                resource->width = pixman_image_get_width(res->image);
                resource->height = pixman_image_get_height(res->image);
                resource->format = res->format;
            }
            return true;
        }
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_FOUND,
                "no resource %u on this GPU: it takes the res_handle that "
                "DRM_IOCTL_VIRTGPU_RESOURCE_INFO gives, of a buffer that still exists",
                id);
    return false;
}

/* Where they are, which takes no look at them, however many they are. */
static void find_pages(VirtIOGPU *g, HelixResource *resource)
{
    if (helix_texture_reader && is_gl(g)) {
        helix_texture_reader->find_pages(g, resource);
    }
}

bool helix_resource_find(VirtIOGPU *g, uint32_t id, bool pages, HelixResource *resource, GError **error)
{
    if (!find_described(g, id, resource, error)) {
        return false;
    }
    if (pages) {
        find_pages(g, resource);
        resource->pages_hash = helix_pages_hash(resource);
    }
    return true;
}

/* Whether the picture lies within a resource whose size the host knows. */
static bool check_bounds(const HelixResource *resource, const HelixPicture *picture, GError **error)
{
    if ((uint64_t)picture->crop_x + picture->width <= resource->width &&
        (uint64_t)picture->crop_y + picture->height <= resource->height) {
        return true;
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "%ux%u at %u,%u is not within resource %u, which is %ux%u",
                picture->width, picture->height, picture->crop_x, picture->crop_y, resource->id, resource->width,
                resource->height);
    return false;
}

/* A picture of which the host knows no geometry lies where the request says, as far as that can be told without the
 * pages. */
static bool check_place(const HelixResource *resource, const HelixPicture *picture, GError **error)
{
    const struct iovec boundless = { .iov_len = SIZE_MAX / 2 };
    HelixResource bounds = *resource;
    HelixPlane planes[2];

    bounds.iov = &boundless;
    bounds.iov_cnt = 1;
    return helix_pages_plan(&bounds, picture, picture->fourcc, planes, error) > 0;
}

/* The pages, which may be many thousands, are looked at once all else was found right. */
static bool choose_pages(VirtIOGPU *g, const HelixPicture *picture, HelixResource *resource, GError **error)
{
    bool placed_by_request = resource->blob_size || helix_pages_hold_nv12(picture);

    if (picture->source == HELIX_SOURCE_TEXTURE) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE,
                    "resource %u has no texture on the host: ask for "
                    "source 2, its pages",
                    resource->id);
        return false;
    }
    if (!helix_read_check_size(resource, picture, error) ||
        (!placed_by_request && resource->has_texture && !check_bounds(resource, picture, error))) {
        return false;
    }
    find_pages(g, resource);
    if (!resource->iov_cnt) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE, "resource %u has no guest pages%s", resource->id,
                    resource->has_texture ? ": ask for source 1, its texture" : " and no texture");
        return false;
    }
    if (!(placed_by_request ? check_place : check_bounds)(resource, picture, error)) {
        return false;
    }
    resource->pages_hash = helix_pages_hash(resource);
    return true;
}

/* Find the resource, and whether its texture or its pages are the picture, which lies within them. */
static bool choose(VirtIOGPU *g, const HelixPicture *picture, HelixResource *resource, bool *texture, GError **error)
{
    if (!is_plugged(g, picture->resource_id, error)) {
        return false;
    }
    if (qemu_in_vcpu_thread() || g->processing_cmdq) {
        g_set_error_literal(error, HELIX_ERROR, HELIX_CODE_INTERNAL,
                            "look-up outside of the main loop, where GL has no context");
        return false;
    }
    if (!drain_control_queue(g)) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_FOUND,
                    "resource %u can't be looked up: the GPU is in the middle of work, "
                    "a reset for one; send the picture again",
                    picture->resource_id);
        return false;
    }
    if (!find_described(g, picture->resource_id, resource, error)) {
        return false;
    }
    *texture = resource->has_texture && picture->source != HELIX_SOURCE_PAGES;
    if (!*texture) {
        return choose_pages(g, picture, resource, error);
    }
    return check_bounds(resource, picture, error);
}

bool helix_format_is_srgb(uint32_t format)
{
    return (format >= 98 && format <= 104) || format == 230;
}

/* What it does not take is read back instead, which the statistics show. */
static bool copy_by_gpu(const HelixResource *resource, const HelixPicture *picture, HelixResolved done, gpointer data)
{
    g_autoptr(GError) error = NULL;

    if (!helix_texture_copier || resource->image || !(picture->surface_kinds & (1u << HELIX_SURFACE_IOSURFACE)) ||
        !helix_pixel_layout(resource->format).fourcc || helix_format_is_srgb(resource->format)) {
        return false;
    }
    if (helix_texture_copier->copy(resource->id, picture, done, data, &error)) {
        return true;
    }
    trace_helix_lookup_no_copy(resource->id, error->message);
    return false;
}

static void resolve(gpointer self, const HelixPicture *picture, HelixSurfacePool *pool, HelixResolved done,
                    gpointer data)
{
    HelixResource resource;
    GError *error = NULL;
    bool texture;

    trace_helix_lookup(picture->resource_id, picture->width, picture->height, picture->source);
    if (!choose(self, picture, &resource, &texture, &error)) {
        trace_helix_lookup_failed(picture->resource_id, error->code, error->message);
        done(data, NULL, error);
    } else if (!texture ||
               !((helix_texture_filter && helix_texture_filter(&resource, picture, done, data)) ||
                 copy_by_gpu(&resource, picture, done, data))) {
        helix_read_begin(self, &resource, texture, picture, pool, done, data);
    }
}

void helix_resource_was_reset(void)
{
    if (helix_texture_copier) {
        helix_texture_copier->reset();
    }
}

void helix_resource_reset(void)
{
    helix_resource_was_reset();
    helix_read_reset();
}

void helix_resource_plugged(const VirtIOGPU *g, bool plugged)
{
    plugged_gpu = plugged ? g : NULL;
    if (!plugged && helix_fence_watch) {
        helix_fence_watch(NULL, NULL);
    }
}

void helix_resource_pause(void)
{
    if (helix_texture_thread) {
        helix_texture_thread->pause();
    }
}

void helix_resource_resume(void)
{
    if (helix_texture_thread) {
        helix_texture_thread->resume();
    }
    helix_read_continue();
}

const HelixResolver helix_resource_resolver = { .resolve = resolve };
