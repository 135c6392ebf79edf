/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pre-convert.c - conversion of the next picture by helper threads while the encoder has the one before it. */
#include "pre-convert.h"
#include "convert-slices.h"

struct HelixPreConvert {
    HelixSurface *from, *to;
    HelixConvertSlices slices;
};

/* Whether the picture lies within its memory, and convert-rgb.c can convert it. */
static gboolean is_fit(const HelixSurface *surface)
{
    gsize size = helix_picture_size(surface->fourcc, surface->width, surface->height, surface->stride[0], NULL);

    return surface->kind == HELIX_SURFACE_MEMORY && surface->data && surface->fourcc != HELIX_FORMAT_NV12 && size > 0 &&
        size <= surface->size && surface->offset[0] <= surface->size - size &&
        surface->width >= HELIX_CONVERT_RGB_MIN_WIDTH &&
        (guint64)surface->width * surface->height >= HELIX_CONVERT_SLICES_MIN_PIXELS && helix_convert_rgb_available();
}

HelixPreConvert *helix_pre_convert_begin(HelixSurface *surface, guint32 width, guint32 height, HelixSurfacePool *pool,
                                         guint helpers)
{
    HelixSurface *to = NULL;
    HelixPreConvert *conversion;

    if (surface->width == width && surface->height == height && is_fit(surface)) {
        to = helix_surface_pool_take(pool, HELIX_FORMAT_NV12, width, height, NULL);
    }
    if (!to) {
        return NULL;
    }
    to->path = surface->path;
    to->cpu_bytes = (guint64)width * height * 4 + (guint64)width * height * 3 / 2;
    conversion = g_new0(HelixPreConvert, 1);
    conversion->from = helix_surface_ref(surface);
    conversion->to = to;
    conversion->slices = (HelixConvertSlices) {
        .picture = {
            .pixels = surface->data + surface->offset[0], .stride = surface->stride[0], .width = width, .height = height,
            .red_first = surface->fourcc == HELIX_FORMAT_AB24 || surface->fourcc == HELIX_FORMAT_XB24,
        },
        .luma = to->data + to->offset[0], .chroma = to->data + to->offset[1], .stride = to->stride[0],
    };
    helix_convert_slices_begin(&conversion->slices, helpers);
    return conversion;
}

HelixSurface *helix_pre_convert_end(HelixPreConvert *conversion)
{
    HelixSurface *to = conversion->to;

    helix_convert_slices_end(&conversion->slices);
    for (guint i = 0; i < to->n_planes; i++) {
        helix_surface_clear_edges(to, i, 0, i ? to->height / 2 : to->height);
    }
    helix_surface_unref(conversion->from);
    g_free(conversion);
    return to;
}
