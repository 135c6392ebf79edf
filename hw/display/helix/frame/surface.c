/* SPDX-License-Identifier: GPL-2.0-or-later */
/* surface.c - references to surfaces, and the bytes beside their rows; surface-pool.c has their memory. */
#include <string.h>

#include "surface.h"

const char *helix_host_path_name(HelixHostPath path)
{
    static const char *const names[HELIX_N_HOST_PATHS] = {
        [HELIX_HOST_PATH_IOSURFACE] = "iosurface", [HELIX_HOST_PATH_METAL_COPY] = "metal-copy",
        [HELIX_HOST_PATH_GL_BLIT] = "gl-blit",     [HELIX_HOST_PATH_READBACK] = "readback",
        [HELIX_HOST_PATH_PAGES] = "pages",         [HELIX_HOST_PATH_PIXEL_DATA] = "pixel-data",
        [HELIX_HOST_PATH_REPEAT] = "repeat",       [HELIX_HOST_PATH_TEXTURE] = "texture",
        [HELIX_HOST_PATH_SNAPSHOT] = "snapshot",   [HELIX_HOST_PATH_GPU_READBACK] = "gpu-readback",
    };
    return (guint)path < HELIX_N_HOST_PATHS ? names[path] : "unknown";
}

HelixSurface *helix_surface_ref(HelixSurface *surface)
{
    g_atomic_ref_count_inc(&surface->refs);
    return surface;
}

void helix_surface_unref(HelixSurface *surface)
{
    if (surface && g_atomic_ref_count_dec(&surface->refs)) {
        surface->destroy(surface);
    }
}

void helix_surface_clear_edges(HelixSurface *surface, guint plane, guint32 row, guint32 rows)
{
    gboolean nv12 = surface->fourcc == HELIX_FORMAT_NV12;
    guint32 stride = surface->stride[plane];
    guint64 used = nv12 && plane == 0 ? surface->width : helix_picture_row_bytes(surface->fourcc, surface->width);
    guint8 *to = surface->data + surface->offset[plane] + (gsize)row * stride;

    for (guint32 y = 0; used < stride && y < rows; y++) {
        memset(to + (gsize)y * stride + used, 0, stride - used);
    }
    if (nv12 && plane == 0 && surface->height % 2 && row + rows == surface->height) {
        memset(to + (gsize)rows * stride, 0, stride);
    }
}

guint64 helix_surface_pool_row(guint32 fourcc, guint32 width)
{
    return (helix_picture_row_bytes(fourcc, width) + HELIX_SURFACE_ALIGN - 1) & ~(guint64)(HELIX_SURFACE_ALIGN - 1);
}
