/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-x264-memory.c - what an open x264 encoder is said to keep is as much as it has resident, whatever a guest asks
 * for: noise at the lowest quantizer or the highest bit rate, the slowest preset, the most threads, strips, and
 * pictures to be scaled.
 *
 * Each case has a process of its own, which opens some encoders so that what there is once a process counts little, and
 * nothing where sanitizers have allocators of their own.
 */
#include <malloc.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "x264.h"

#define FRAMES 4u /* two of them IDRs */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_ALLOCATOR TRUE
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_ALLOCATOR TRUE
#endif
#endif
#ifndef OWN_ALLOCATOR
#define OWN_ALLOCATOR FALSE
#endif

typedef struct Case {
    guint32 width, height; /* coded */
    guint encoders;
    guint8 realtime, slices; /* slices 0: automatic */
    enum { USUAL, LOWEST_QP, HIGHEST_RATE } rate;
    guint32 from_width, from_height; /* of the picture; 0: the coded size */
    gdouble most;                    /* times what is resident, that may be counted; 0: any */
} Case;

static const Case cases[] = {
    { 16, 16, 4, 1, 0, USUAL, 0, 0, 0 },
    { 320, 180, 4, 1, 0, USUAL, 0, 0, 0 },
    { 1280, 720, 4, 1, 0, USUAL, 0, 0, 2 },
    { 1920, 1080, 4, 1, 0, USUAL, 0, 0, 2 },
    { 3840, 2160, 2, 1, 0, USUAL, 0, 0, 1.5 },
    { 320, 180, 4, 0, 3, HIGHEST_RATE, 0, 0, 0 },
    { 640, 480, 4, 0, 7, HIGHEST_RATE, 0, 0, 0 },
    { 1280, 720, 4, 0, 8, HIGHEST_RATE, 0, 0, 0 },
    { 1920, 1080, 2, 1, 8, LOWEST_QP, 0, 0, 0 },
    { 1920, 1080, 2, 0, 8, LOWEST_QP, 0, 0, 0 },
    { 3840, 2160, 1, 1, 8, LOWEST_QP, 0, 0, 0 },
    { 3840, 2160, 1, 0, 8, HIGHEST_RATE, 0, 0, 0 },
    { 8192, 4352, 1, 0, 8, LOWEST_QP, 0, 0, 1.5 },
    { 8192, 16, 4, 0, 0, LOWEST_QP, 0, 0, 0 },
    { 16, 8192, 4, 0, 8, LOWEST_QP, 0, 0, 0 },
    { 8192, 16, 1, 1, 0, LOWEST_QP, 4352, 8192, 0 },
    { 16, 4352, 2, 1, 0, LOWEST_QP, 4352, 8192, 0 },
    { 64, 64, 4, 1, 0, LOWEST_QP, 4096, 4096, 0 },
    { 1280, 720, 4, 1, 0, LOWEST_QP, 1920, 1080, 0 },
};

/* Kinds of memory that a file does not lie behind: a library's text is no encoder's. */
static guint64 resident(void)
{
    g_autofree char *status = NULL;
    const char *line;

    malloc_trim(0);
    g_assert_true(g_file_get_contents("/proc/self/status", &status, NULL, NULL));
    line = strstr(status, "RssAnon:");
    g_assert_nonnull(line);
    return g_ascii_strtoull(line + strlen("RssAnon:"), NULL, 10) * 1024;
}

static HelixSurface *noise(guint width, guint height)
{
    HelixSurface *surface = surface_paint(HELIX_FORMAT_XR24, width, height, 0, 0, paint_flat, 0);
    guint32 bits = 1;

    for (gsize i = 0; i < (gsize)width * height * 4; i++) {
        bits = bits * 1664525 + 1013904223;
        surface->data[i] = (guint8)(bits >> 24);
    }
    return surface;
}

static HelixEncoderConfig config_of(const Case *c)
{
    HelixEncoderConfig config = {
        .width = c->width, .height = c->height, .realtime = c->realtime, .slices = c->slices
    };
    g_autoptr(GError) error = NULL;

    if (c->rate == LOWEST_QP) {
        config.rate_control = HELIX_RATE_CQP;
        config.min_qp = 1;
    } else if (c->rate == HIGHEST_RATE) {
        config.bitrate = 800000000;
    }
    helix_encoder_config_complete(&config, &error);
    g_assert_no_error(error);
    return config;
}

/* Bytes an encoder; in a process of its own. */
static guint64 measure(const Case *c)
{
    g_autoptr(HelixSurface)
        surface = noise(c->from_width ? c->from_width : c->width, c->from_height ? c->from_height : c->height);
    g_autofree HelixEncoder **encoders = g_new(HelixEncoder *, c->encoders);
    guint64 before = resident();

    for (guint i = 0; i < c->encoders; i++) {
        HelixEncoderConfig config = config_of(c);

        encoders[i] = x264_open(&config);
    }
    for (guint frame = 0; frame < FRAMES; frame++) {
        for (guint i = 0; i < c->encoders; i++) {
            g_bytes_unref(encode(encoders[i], surface, frame == FRAMES / 2, NULL));
        }
    }
    return (resident() - before) / c->encoders;
}

static guint64 measure_apart(const Case *c)
{
    guint64 bytes = 0;
    int ends[2], status;
    pid_t child;

    g_assert_cmpint(pipe(ends), ==, 0);
    child = fork();
    g_assert_cmpint(child, >=, 0);
    if (child == 0) {
        bytes = measure(c);
        _exit(write(ends[1], &bytes, sizeof bytes) == sizeof bytes ? 0 : 1);
    }
    close(ends[1]);
    g_assert_cmpint(read(ends[0], &bytes, sizeof bytes), ==, sizeof bytes);
    close(ends[0]);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
    return bytes;
}

static void test_memory(gconstpointer data)
{
    const Case *c = data;
    HelixEncoderConfig config = config_of(c);
    guint64 counted = helix_encoder_x264.memory(&config), found;

    if (OWN_ALLOCATOR) {
        g_test_skip("the sanitizer's allocator keeps more");
        return;
    }
    found = measure_apart(c);
    g_test_message("%.1f MB resident, counted as %.1f", (double)found / 1e6, (double)counted / 1e6);
    g_assert_cmpuint(found, >, 100000);
    g_assert_cmpuint(counted, >=, found);
    if (c->most > 0) {
        g_assert_cmpfloat((double)counted, <=, c->most * (double)found);
    }
}

int main(int argc, char **argv)
{
    static const char *const rates[] = { "usual", "lowest-qp", "highest-rate" };

    g_test_init(&argc, &argv, NULL);
    mallopt(M_MMAP_THRESHOLD, 128 * 1024); /* fixed: large blocks go back when they are freed */
    mallopt(M_PERTURB, 0);                 /* which meson sets, and then all that was asked for is resident */
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Case *c = &cases[i];
        g_autofree char *scaled = c->from_width ? g_strdup_printf("-from-%ux%u", c->from_width, c->from_height)
                                                : g_strdup("");
        g_autofree char *path = g_strdup_printf("/x264/memory/%ux%u-%s%s-slices-%u%s", c->width, c->height,
                                                rates[c->rate], c->realtime ? "" : "-slow", c->slices, scaled);

        g_test_add_data_func(path, c, test_memory);
    }
    return g_test_run();
}
