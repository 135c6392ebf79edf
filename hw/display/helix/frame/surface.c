/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * surface.c - surfaces' life, and the arithmetic of picture layouts; their memory is the pool's (surface-pool.c).
 *
 * Sizes here come from the guest: sums are 64 bits wide.
 */
#include <string.h>

#include "surface.h"

const char *helix_host_path_name(HelixHostPath path)
{
    static const char *const names[HELIX_N_HOST_PATHS] = {
        [HELIX_HOST_PATH_IOSURFACE] = "iosurface", [HELIX_HOST_PATH_METAL_COPY] = "metal-copy",
        [HELIX_HOST_PATH_GL_BLIT] = "gl-blit",     [HELIX_HOST_PATH_READBACK] = "readback",
        [HELIX_HOST_PATH_PAGES] = "pages",         [HELIX_HOST_PATH_PIXEL_DATA] = "pixel-data",
        [HELIX_HOST_PATH_REPEAT] = "repeat",       [HELIX_HOST_PATH_TEXTURE] = "texture",
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

static guint64 row_bytes(guint32 fourcc, guint32 width)
{
    switch (fourcc) {
    case HELIX_FORMAT_AR24:
    case HELIX_FORMAT_XR24:
    case HELIX_FORMAT_AB24:
    case HELIX_FORMAT_XB24:
        return (guint64)width * 4;
    case HELIX_FORMAT_NV12:
        return ((guint64)width + 1) & ~G_GUINT64_CONSTANT(1); /* a chroma row has whole pairs */
    default:
        return 0;
    }
}

gsize helix_picture_size(guint32 fourcc, guint32 width, guint32 height, guint32 stride, guint32 *min_stride)
{
    guint64 row = row_bytes(fourcc, width), rows = height, size;
    gboolean usable = row > 0 && row <= G_MAXUINT32;

    if (min_stride) {
        *min_stride = usable ? (guint32)row : 0;
    }
    if (!usable || height == 0 || stride < row) {
        return 0;
    }
    if (fourcc == HELIX_FORMAT_NV12) {
        rows = (rows + 1) & ~G_GUINT64_CONSTANT(1);
        rows += rows / 2;
    }
    /* stride < 2^32 and rows < 2^33 */
    if (rows > G_MAXUINT64 / stride) {
        return 0;
    }
    size = rows * stride;
    return size > G_MAXSSIZE ? 0 : (gsize)size;
}

void helix_surface_clear_edges(HelixSurface *surface, guint plane, guint32 row, guint32 rows)
{
    gboolean nv12 = surface->fourcc == HELIX_FORMAT_NV12;
    guint32 stride = surface->stride[plane];
    guint64 used = nv12 && plane == 0 ? surface->width : row_bytes(surface->fourcc, surface->width);
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
    return (row_bytes(fourcc, width) + HELIX_SURFACE_ALIGN - 1) & ~(guint64)(HELIX_SURFACE_ALIGN - 1);
}
