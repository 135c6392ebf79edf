/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resource-find.c - a resource of the exporting GPU by its id: from QEMU's list, and from virglrenderer.
 */
#include "qemu/osdep.h"
#include "guest-pages.h"
#include "resource.h"
#include "texture-hooks.h"

static const char gl_type[] = "virtio-gpu-gl-device";

static bool is_gl(VirtIOGPU *g)
{
    return object_dynamic_cast(OBJECT(g), gl_type);
}

/*
 * After a reset virglrenderer keeps the old resources until the next control command, but QEMU's list is empty at once:
 * only resources in the list exist.
 */
bool helix_resource_describe(VirtIOGPU *g, uint32_t id, HelixResource *resource, GError **error)
{
    struct virtio_gpu_simple_resource *res;

    memset(resource, 0, sizeof(*resource));
    resource->id = id;
    if (!helix_gpu_check_plugged(g, id, error)) {
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
            /*
             * not res->iov: QEMU's DETACH_BACKING frees that array and leaves the pointer; find_pages() asks
             * virglrenderer
             */
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
                "no resource %u on this GPU: a request takes the res_handle that "
                "DRM_IOCTL_VIRTGPU_RESOURCE_INFO returns, of a buffer that still exists",
                id);
    return false;
}

void helix_resource_find_pages(VirtIOGPU *g, HelixResource *resource)
{
    if (helix_texture_reader && is_gl(g)) {
        helix_texture_reader->find_pages(g, resource);
    }
}

bool helix_resource_find(VirtIOGPU *g, uint32_t id, bool pages, HelixResource *resource, GError **error)
{
    if (!helix_resource_describe(g, id, resource, error)) {
        return false;
    }
    if (pages) {
        helix_resource_find_pages(g, resource);
        resource->pages_hash = helix_pages_hash(resource);
    }
    return true;
}
