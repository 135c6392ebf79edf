/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * latency.c - time from a picture to its access unit, of one encoder with frames at a steady rate.
 *
 *     bench-latency ENCODER INPUT WIDTH HEIGHT BITRATE [FRAMES]
 *
 * ENCODER is a name of encoder.h; INPUT is "memory", pictures in host memory, or, where VideoToolbox is, "iosurface".
 * The encoder is asked for 60 frames a second and is given one each 1/60 s, FRAMES (240) after the first: a hardware
 * encoder that gets them as fast as it takes them clocks up, and answers sooner than it would in use. No host and no
 * VM are between. Prints one line of JSON; "session" is what the encoder's own log said while it was opened, and so
 * whether VideoToolbox is in hardware. tools/mac-report runs this on a Mac, `make check SUITE=macos-tools` here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encode/encoder.h"
#include "desktop.h"
#include "measure.h"
#ifdef HELIX_HAVE_VIDEOTOOLBOX
#include <CoreFoundation/CoreFoundation.h>
#include <CoreVideo/CoreVideo.h>
#include <IOSurface/IOSurface.h>
#endif

#define RATE 60u
#define PICTURES 6u /* 4K pictures are 33 MB each */

typedef struct Run {
    const HelixEncoderClass *klass;
    HelixEncoder *encoder;
    HelixEncoderConfig config;
    HelixSurfacePool *pool;
    HelixSurface *pictures[PICTURES];
    guint n_pictures;
    GArray *times; /* double, us of each frame but the first */
    double first_us;
    guint dropped;
    guint64 bytes, cpu_bytes; /* of frames but the first */
} Run;

/* ---- what the encoder says while it is opened ---- */

static GString *said;

static GLogWriterOutput keep_message(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer data)
{
    for (gsize i = 0; said && i < n; i++) {
        if (strcmp(fields[i].key, "MESSAGE") == 0) {
            g_string_append_printf(said, "%s%s", said->len ? "; " : "", (const char *)fields[i].value);
        }
    }
    if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING)) {
        return g_log_writer_standard_streams(level, fields, n, data);
    }
    return G_LOG_WRITER_HANDLED;
}

static void print_text(const char *text)
{
    putchar('"');
    for (const char *at = text; *at; at++) {
        if (*at == '"' || *at == '\\') {
            putchar('\\');
        }
        putchar((guchar)*at < ' ' ? ' ' : *at);
    }
    putchar('"');
}

/* ---- pictures ---- */

#ifdef HELIX_HAVE_VIDEOTOOLBOX
static void release_native(HelixSurface *surface)
{
    CFRelease(surface->native);
    g_free(surface);
}

static IOSurfaceRef new_iosurface(guint width, guint height)
{
    gint32 numbers[] = { (gint32)width, (gint32)height, 4, kCVPixelFormatType_32BGRA };
    const void *keys[] = { kIOSurfaceWidth, kIOSurfaceHeight, kIOSurfaceBytesPerElement, kIOSurfacePixelFormat };
    const void *values[G_N_ELEMENTS(keys)];
    CFDictionaryRef properties;
    IOSurfaceRef io;

    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        values[i] = CFNumberCreate(kCFAllocatorDefault, kCFNumberSInt32Type, &numbers[i]);
    }
    properties = CFDictionaryCreate(kCFAllocatorDefault, keys, values, G_N_ELEMENTS(keys),
                                    &kCFTypeDictionaryKeyCallBacks, &kCFTypeDictionaryValueCallBacks);
    io = IOSurfaceCreate(properties);
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        CFRelease(values[i]);
    }
    CFRelease(properties);
    return io;
}

static HelixSurface *iosurface_picture(guint width, guint height, guint n)
{
    HelixSurface *surface = g_new0(HelixSurface, 1);
    IOSurfaceRef io = new_iosurface(width, height);

    if (!io) {
        die("no IOSurface of %u x %u", width, height);
    }
    IOSurfaceLock(io, 0, NULL);
    desktop_draw(IOSurfaceGetBaseAddress(io), IOSurfaceGetBytesPerRow(io), width, height, n);
    IOSurfaceUnlock(io, 0, NULL);
    g_atomic_ref_count_init(&surface->refs);
    surface->kind = HELIX_SURFACE_IOSURFACE;
    surface->width = width;
    surface->height = height;
    surface->fourcc = HELIX_FORMAT_AR24;
    surface->n_planes = 1;
    surface->fd = -1;
    surface->native = io;
    surface->path = HELIX_HOST_PATH_IOSURFACE;
    surface->destroy = release_native;
    return surface;
}
#endif

static HelixSurface *picture(Run *run, const char *input, guint n)
{
    guint width = run->config.width, height = run->config.height;

    if (strcmp(input, "memory") == 0) {
        return desktop_surface(run->pool, width, height, n);
    }
#ifdef HELIX_HAVE_VIDEOTOOLBOX
    if (strcmp(input, "iosurface") == 0) {
        return iosurface_picture(width, height, n);
    }
#endif
    die("no input '%s' in this build", input);
}

/* ---- frames ---- */

static const HelixEncoderClass *find(const char *name)
{
    GError *error = NULL;
    const HelixEncoderClass *klass;

#ifdef HELIX_HAVE_VIDEOTOOLBOX
    if (strcmp(name, "videotoolbox") ==
        0) { /* the list of encoders may be another build's: the tests link the doubles */
        return &helix_encoder_videotoolbox;
    }
#endif
    klass = helix_encoder_find(name, FALSE, &error);
    if (!klass) {
        die("%s", error->message);
    }
    return klass;
}

/* Encode frame @n, and return the time that took in us. */
static double encode(Run *run, guint n)
{
    HelixAccessUnit unit = { .pts_ns = (gint64)n * 1000000000 / RATE };
    GError *error = NULL;
    gint64 begin = now_ns(), end;

    if (!run->klass->encode(run->encoder, run->pictures[n % run->n_pictures], FALSE, &unit, &error)) {
        die("frame %u: %s", n, error->message);
    }
    end = now_ns();
    if (n > 0) {
        run->dropped += unit.dropped;
        run->bytes += unit.data ? g_bytes_get_size(unit.data) : 0;
        run->cpu_bytes += unit.cpu_bytes;
    }
    if (unit.data) {
        g_bytes_unref(unit.data);
    }
    return (double)(end - begin) / 1e3;
}

static void encode_all(Run *run, guint frames)
{
    gint64 begin;

    run->first_us = encode(run, 0); /* an IDR, and the encoder's own start */
    begin = now_ns();
    for (guint n = 1; n <= frames; n++) {
        gint64 due = begin + (gint64)n * 1000000000 / RATE, now = now_ns();
        double took;

        if (due > now) {
            g_usleep((gulong)((due - now) / 1000));
        }
        took = encode(run, n);
        g_array_append_val(run->times, took);
    }
}

static void print(Run *run, const char *input)
{
    double *times = (double *)run->times->data;
    guint n = run->times->len;

    printf("{\"encoder\": \"%s\", \"input\": \"%s\", \"width\": %u, \"height\": %u, \"bitrate\": %u, \"frames\": %u, ",
           run->klass->name, input, run->config.width, run->config.height, run->config.bitrate, n);
    printf("\"dropped\": %u, \"first_us\": %.0f, \"p50_us\": %.0f, \"p99_us\": %.0f, \"max_us\": %.0f, ", run->dropped,
           run->first_us, quantile(times, n, 0.5), quantile(times, n, 0.99), quantile(times, n, 1));
    printf("\"bytes\": %" G_GUINT64_FORMAT ", \"cpu_bytes\": %" G_GUINT64_FORMAT ", \"session\": ", run->bytes,
           run->cpu_bytes);
    print_text(said->str);
    printf("}\n");
}

static guint number(const char *text)
{
    guint64 value;

    if (!g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT, &value, NULL)) {
        die("not a number: %s", text);
    }
    return (guint)value;
}

int main(int argc, char **argv)
{
    guint frames = argc > 6 ? number(argv[6]) : 240;
    Run run = { 0 };
    GError *error = NULL;

    if (argc < 6) {
        die("usage: bench-latency ENCODER INPUT WIDTH HEIGHT BITRATE [FRAMES]");
    }
    run.klass = find(argv[1]);
    run.config = (HelixEncoderConfig){ .width = number(argv[3]),
                                       .height = number(argv[4]),
                                       .bitrate = number(argv[5]),
                                       .fps_num = RATE,
                                       .fps_den = 1,
                                       .realtime = 1 };
    if (!helix_encoder_config_complete(&run.config, &error)) {
        die("%s", error->message);
    }
    run.times = g_array_new(FALSE, FALSE, sizeof(double));
    run.pool = helix_surface_pool_new(0);
    run.n_pictures = MIN(PICTURES, frames + 1);
    for (guint i = 0; i < run.n_pictures; i++) {
        run.pictures[i] = picture(&run, argv[2], i);
    }
    said = g_string_new(NULL);
    g_log_set_writer_func(keep_message, NULL, NULL);
    run.encoder = run.klass->open(&run.config, FALSE, &error);
    if (!run.encoder) {
        die("%s", error->message);
    }
    encode_all(&run, frames);
    print(&run, argv[2]);
    run.klass->close(run.encoder);
    for (guint i = 0; i < run.n_pictures; i++) {
        helix_surface_unref(run.pictures[i]);
    }
    helix_surface_pool_unref(run.pool);
    g_array_free(run.times, TRUE);
    g_string_free(said, TRUE);
    return 0;
}
