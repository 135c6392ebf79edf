/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resource-resolver.c - HelixResolver on a virtio-gpu: from a resource id to a surface that an encode thread can read.
 *
 * A classic resource has a host texture and guest pages, of which only one holds the picture: the request's `source`
 * says which (docs/protocol.md). By default it is the texture, where there is one.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "qemu/error-report.h"
#include "system/cpus.h"
#include "guest-pages.h"
#include "pixel-layout.h"
#include "readback.h"
#include "resource.h"
#include "texture-hooks.h"
#include "../loop/loop-budget.h"
#include "../trace.h"

/*
 * Process the commands that the guest queued before its request, unless the renderer is blocked. That time is the
 * guest's, not the module's: the commands would be processed a moment later anyway. False: the GPU is in the middle of
 * its own work (a reset that a vCPU waits for), and its resources are about to be destroyed.
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

/* Check a picture whose geometry only the request knows, as far as that is possible without the pages. */
static bool check_place(const HelixResource *resource, const HelixPicture *picture, GError **error)
{
    const struct iovec boundless = { .iov_len = SIZE_MAX / 2 };
    HelixResource bounds = *resource;
    HelixPlane planes[2];

    bounds.iov = &boundless;
    bounds.iov_cnt = 1;
    return helix_pages_plan(&bounds, picture, picture->fourcc, planes, error) > 0;
}

/* Pages may be many thousands: they are looked up after every other check has passed. */
static bool choose_pages(VirtIOGPU *g, const HelixPicture *picture, HelixResource *resource, GError **error)
{
    bool placed_by_request = resource->blob_size || helix_pages_hold_nv12(picture);

    if (picture->source == HELIX_SOURCE_TEXTURE) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE,
                    "resource %u has no texture on the host: request "
                    "source 2, its pages",
                    resource->id);
        return false;
    }
    if (!helix_readback_check_size(resource, picture, error) ||
        (!placed_by_request && resource->has_texture && !check_bounds(resource, picture, error))) {
        return false;
    }
    helix_resource_find_pages(g, resource);
    if (!resource->iov_cnt) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE, "resource %u has no guest pages%s", resource->id,
                    resource->has_texture ? ": request source 1, its texture" : " and no texture");
        return false;
    }
    if (!(placed_by_request ? check_place : check_bounds)(resource, picture, error)) {
        return false;
    }
    resource->pages_hash = helix_pages_hash(resource);
    return true;
}

/* Find the resource, choose between its texture and its pages, and check that the picture lies within. */
static bool choose(VirtIOGPU *g, const HelixPicture *picture, HelixResource *resource, bool *texture, GError **error)
{
    if (!helix_gpu_check_plugged(g, picture->resource_id, error)) {
        return false;
    }
    if (qemu_in_vcpu_thread() || g->processing_cmdq) {
        g_set_error_literal(error, HELIX_ERROR, HELIX_CODE_INTERNAL,
                            "look-up outside of the main loop, where GL has no context");
        return false;
    }
    if (!drain_control_queue(g)) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_FOUND,
                    "resource %u can't be looked up: the GPU is busy, "
                    "with a reset for example; send the frame again",
                    picture->resource_id);
        return false;
    }
    if (!helix_resource_describe(g, picture->resource_id, resource, error)) {
        return false;
    }
    *texture = resource->has_texture && picture->source != HELIX_SOURCE_PAGES;
    if (!*texture) {
        return choose_pages(g, picture, resource, error);
    }
    return check_bounds(resource, picture, error);
}

/* A texture that can't be copied is read back instead, which the statistics show. */
static bool copy_by_gpu(const HelixResource *resource, const HelixPicture *picture, const HelixCaptureTarget *target,
                        HelixResolved done, gpointer data)
{
    g_autoptr(GError) error = NULL;

    if (!helix_texture_copier || resource->image || !(target->surface_kinds & (1u << HELIX_SURFACE_IOSURFACE)) ||
        !helix_pixel_layout(resource->format).fourcc || helix_format_is_srgb(resource->format)) {
        return false;
    }
    if (helix_texture_copier->copy(resource->id, picture, target, done, data, &error)) {
        return true;
    }
    trace_helix_lookup_no_copy(resource->id, error->message);
    return false;
}

static void resolve(gpointer self, const HelixPicture *picture, const HelixCaptureTarget *target,
                    HelixSurfacePool *pool, HelixResolved done, gpointer data)
{
    HelixResource resource;
    GError *error = NULL;
    bool texture;

    trace_helix_lookup(picture->resource_id, picture->width, picture->height, picture->source);
    if (!choose(self, picture, &resource, &texture, &error)) {
        trace_helix_lookup_failed(picture->resource_id, error->code, error->message);
        done(data, NULL, error);
    } else if (!texture ||
               !((helix_texture_filter && helix_texture_filter(&resource, picture, target, done, data)) ||
                 copy_by_gpu(&resource, picture, target, done, data))) {
        helix_readback_begin(self, &resource, texture, picture, target, pool, done, data);
    }
}

const HelixResolver helix_resource_resolver = { .resolve = resolve };
