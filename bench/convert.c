/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * convert.c - BGRx to the encoder's format, BT.709, against libyuv's BT.601 conversion of the same frames.
 *
 *     bench-convert [ROUNDS [FRAMES [WIDTH HEIGHT]]]
 *
 * The rival is the faster of libyuv's ARGBToNV12 (the format that x264 gets from the host) and ARGBToI420. Times are
 * per frame; the frames do not fit into the caches and are converted in turn.
 */
#include <stdlib.h>
#include <libyuv/convert_from_argb.h>

#include "encode/convert-rgb.h"
#include "frame/surface.h"
#include "desktop.h"
#include "measure.h"

typedef struct Work {
    guint width, height;
    HelixSurface *pictures[DESKTOP_PICTURES];
    guint8 *out;
} Work;

/* On one thread, like libyuv; the host converts in slices on several (encode/convert-slices.c). */
static void ours(Work *work, const HelixSurface *surface)
{
    HelixRgbPicture picture = {
        .pixels = surface->data, .stride = surface->stride[0], .width = work->width, .height = work->height
    };

    helix_convert_rgb(&picture, work->out, work->out + (gsize)work->width * work->height, work->width);
}

static void libyuv_nv12(Work *work, const HelixSurface *surface)
{
    int stride = (int)work->width;

    ARGBToNV12(surface->data, (int)surface->stride[0], work->out, stride, work->out + (gsize)stride * work->height,
               stride, (int)work->width, (int)work->height);
}

static void libyuv_i420(Work *work, const HelixSurface *surface)
{
    int stride = (int)work->width;
    guint8 *u = work->out + (gsize)stride * work->height, *v = u + (gsize)stride / 2 * work->height / 2;

    ARGBToI420(surface->data, (int)surface->stride[0], work->out, stride, u, stride / 2, v, stride / 2,
               (int)work->width, (int)work->height);
}

int main(int argc, char **argv)
{
    static void (*const methods[])(Work *work, const HelixSurface *surface) = { ours, libyuv_nv12, libyuv_i420 };
    guint rounds = argc > 1 ? (guint)atoi(argv[1]) : 10, frames = argc > 2 ? (guint)atoi(argv[2]) : 100;
    Work work = { .width = argc > 4 ? (guint)atoi(argv[3]) : 1920, .height = argc > 4 ? (guint)atoi(argv[4]) : 1080 };
    HelixSurfacePool *pool = helix_surface_pool_new(0);
    Figure *figure = figure_new("frame", "ms");
    double *times[G_N_ELEMENTS(methods)];

    for (guint i = 0; i < DESKTOP_PICTURES; i++) {
        work.pictures[i] = desktop_surface(pool, work.width, work.height, i);
    }
    if (!helix_convert_rgb_available() || work.width < HELIX_CONVERT_RGB_MIN_WIDTH) {
        die("no vector code for this processor or size");
    }
    work.out = g_malloc((gsize)work.width * work.height * 3 / 2);
    for (guint m = 0; m < G_N_ELEMENTS(methods); m++) {
        times[m] = g_new(double, frames);
    }
    for (guint round = 0; round < rounds; round++) {
        double median[G_N_ELEMENTS(methods)];

        for (guint i = 0; i < frames; i++) {
            for (guint m = 0; m < G_N_ELEMENTS(methods); m++) {
                gint64 begin = now_ns();

                /* another picture than the last one, which is in the cache */
                methods[m](&work, work.pictures[(i + m * 5) % DESKTOP_PICTURES]);
                times[m][i] = (double)(now_ns() - begin) / 1e6;
            }
        }
        for (guint m = 0; m < G_N_ELEMENTS(methods); m++) {
            median[m] = quantile(times[m], frames, 0.5);
        }
        figure_add(figure, median[0], MIN(median[1], median[2]));
    }
    figures_print(figure, NULL);
    return 0;
}
