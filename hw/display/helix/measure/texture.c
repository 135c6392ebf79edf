/* SPDX-License-Identifier: GPL-2.0-or-later */
/* texture.c - textures that stay on the GPU, for the encoder null-texture. */
#include "qemu/osdep.h"
#include "measure.h"
#include "../trace.h"

static uint32_t last_texture;

uint32_t helix_measure_last_texture(void)
{
    return last_texture;
}

static void free_surface(HelixSurface *surface)
{
    g_free(surface);
}

bool helix_measure_texture(const HelixResource *resource, const HelixPicture *picture, const HelixCaptureTarget *target,
                           HelixResolved done, gpointer data)
{
    HelixSurface *surface;

    last_texture = resource->id;
    if (!(target->surface_kinds & (1u << HELIX_SURFACE_TEXTURE)) || resource->image) {
        return false;
    }
    surface = g_new0(HelixSurface, 1);
    *surface = (HelixSurface){
        .kind = HELIX_SURFACE_TEXTURE,
        .width = picture->width,
        .height = picture->height,
        .fourcc = picture->fourcc,
        .n_planes = 1,
        .fd = -1,
        .path = HELIX_HOST_PATH_TEXTURE,
        .borrows_guest = true,
        .destroy = free_surface,
    };
    g_atomic_ref_count_init(&surface->refs);
    trace_helix_lookup_found(resource->id, surface->width, surface->height, resource->format,
                             helix_host_path_name(surface->path));
    done(data, surface, NULL);
    return true;
}
