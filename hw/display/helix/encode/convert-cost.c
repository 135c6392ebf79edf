/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert-cost.c - see convert-cost.h. */
#include "convert-cost.h"
#ifdef HELIX_HAVE_LIBAVCODEC
#include "convert.h"

#define TIMES 3u

gint64 helix_convert_cost_ns(guint32 width, guint32 height)
{
    HelixSurfacePool *pool = helix_surface_pool_new(0);
    g_autoptr(HelixSurface) surface = helix_surface_pool_take(pool, HELIX_FORMAT_XR24, width, height, NULL);
    HelixConverter *converter = helix_converter_new(width, height);
    gint64 best = 0;

    for (guint i = 0; surface && i < TIMES; i++) {
        gint64 began = g_get_monotonic_time(), took;
        HelixNv12 nv12;

        if (i == 0) {
            for (gsize at = 0; at < surface->size; at++) {
                surface->data[at] = (guint8)at;
            }
            began = g_get_monotonic_time();
        }
        if (!helix_converter_run(converter, surface, &nv12, NULL)) {
            break;
        }
        took = MAX(g_get_monotonic_time() - began, 1) * 1000;
        best = best ? MIN(best, took) : took;
    }
    helix_converter_free(converter);
    helix_surface_pool_unref(pool);
    return best;
}

#else

gint64 helix_convert_cost_ns(guint32 width, guint32 height)
{
    return 0;
}

#endif
