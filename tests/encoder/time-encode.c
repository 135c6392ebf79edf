/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time-encode.c - what conversion and encoding cost on this machine.
 *
 *     time-encode [WIDTH HEIGHT [FRAMES]]
 *
 * Prints the median and the worst time of each, and the processor time of all threads (an encoder's with conversion);
 * judges nothing.
 */
#include <stdlib.h>
#include <time.h>

#include "common.h"
#include "encode/convert.h"

#define DISTINCT 8u /* pictures drawn beforehand */

static int compare_times(const void *a, const void *b)
{
    gint64 ta = *(const gint64 *)a, tb = *(const gint64 *)b;

    return ta < tb ? -1 : ta > tb;
}

/* Processor time of this process's threads so far, ns. */
static gint64 cpu_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (gint64)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void report(const char *what, gint64 *times, guint n, gint64 cpu)
{
    qsort(times, n, sizeof(*times), compare_times);
    g_print("%-34s median %6.2f ms, worst %6.2f ms, processor %6.2f ms\n", what, times[n / 2] / 1e6, times[n - 1] / 1e6,
            cpu / 1e6 / n);
}

static void time_convert(const char *name, HelixSurface **surfaces, guint width, guint height, gint64 *times, guint n)
{
    HelixConverter *converter = helix_converter_new(width, height);
    g_autofree char *what = NULL;
    HelixNv12 nv12 = { 0 };
    gint64 cpu = cpu_time();

    for (guint i = 0; i < n; i++) {
        gint64 begin = g_get_monotonic_time();

        g_assert_true(helix_converter_run(converter, surfaces[i % DISTINCT], &nv12, NULL));
        times[i] = (g_get_monotonic_time() - begin) * 1000;
    }
    what = g_strdup_printf("convert %s, %.1f MB", name, nv12.cpu_bytes / 1e6);
    report(what, times, n, cpu_time() - cpu);
    helix_converter_free(converter);
}

static void time_encoder(const HelixEncoderClass *klass, const char *note, HelixEncoderConfig config,
                         HelixSurface **surfaces, gint64 *times, guint n)
{
    g_autoptr(GError) error = NULL;
    HelixEncoder *encoder = klass->open(&config, FALSE, &error);
    g_autofree char *what = NULL;
    guint64 bytes = 0;
    gint64 cpu = cpu_time();

    if (!encoder) {
        g_print("%s: %s\n", klass->name, error->message);
        return;
    }
    for (guint i = 0; i < n; i++) {
        HelixAccessUnit unit = { 0 };

        g_assert_true(klass->encode(encoder, surfaces[i % DISTINCT], FALSE, &unit, NULL));
        times[i] = g_get_monotonic_time() * 1000 - unit.submitted_ns;
        bytes += g_bytes_get_size(unit.data);
        g_bytes_unref(unit.data);
    }
    cpu = cpu_time() - cpu;
    klass->close(encoder);
    what = g_strdup_printf("%s %s, %u slices, %.1f kB", klass->name, note, config.slices, (double)bytes / n / 1000);
    report(what, times, n, cpu);
}

int main(int argc, char **argv)
{
    guint width = argc > 2 ? (guint)atoi(argv[1]) : 1920, height = argc > 2 ? (guint)atoi(argv[2]) : 1080;
    guint n = argc > 3 ? (guint)MAX(atoi(argv[3]), 1) : 120;
    g_autofree gint64 *times = g_new0(gint64, n);
    HelixEncoderConfig config = config_for(width, height);
    HelixSurface *bgrx[DISTINCT], *nv12[DISTINCT];

    for (guint i = 0; i < DISTINCT; i++) {
        bgrx[i] = surface_paint(HELIX_FORMAT_XR24, width, height, (width * 4 + 64) & ~63u, 0, paint_number, i);
        nv12[i] = surface_paint(HELIX_FORMAT_NV12, width, height, 0, 0, paint_number, i);
    }
    g_print("%u x %u, %u pictures, %u kbit/s at %u/%u\n", config.width, config.height, n, config.bitrate / 1000,
            config.fps_num, config.fps_den);
    time_convert("XR24", bgrx, config.width, config.height, times, n);
    time_convert("XR24 scaled to a quarter", bgrx, (config.width / 2 + 1) & ~1u, (config.height / 2 + 1) & ~1u, times,
                 n);
    time_convert("NV12", nv12, config.width, config.height, times, n);
    if (helix_encoder_x264.available(FALSE, NULL)) {
        time_encoder(&helix_encoder_x264, "high", config, bgrx, times, n);
        config.slices = 1;
        time_encoder(&helix_encoder_x264, "high", config, bgrx, times, n);
        config.profile = 77;
        time_encoder(&helix_encoder_x264, "main", config, bgrx, times, n);
        config.profile = 66;
        time_encoder(&helix_encoder_x264, "baseline", config, bgrx, times, n);
        config.profile = 100;
        config.slices = 0;
        config.realtime = 0;
        time_encoder(&helix_encoder_x264, "high, not realtime", config, bgrx, times, n);
    }
    time_encoder(&helix_encoder_null, "", config, bgrx, times, n);
    for (guint i = 0; i < DISTINCT; i++) {
        helix_surface_unref(bgrx[i]);
        helix_surface_unref(nv12[i]);
    }
    return 0;
}
