/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-encode.c - pixels from the wire and parts of snapshots, converted, scaled and encoded: no byte that nobody wrote
 * reaches an encoder or a film, whatever the size, which is odd, smaller than a macroblock, or no multiple of one.
 */
#include <string.h>

#include "cases.h"
#include "encode/pre-convert.h"
#include "encode/convert.h"
#include "encode/encoder.h"
#include "frame/pixel-upload.h"
#include "stream/snapshot.h"
#include "poison.h"

#define N_PICTURES 3

typedef struct Case {
    guint32 fourcc, width, height; /* of the picture */
    guint32 coded_width, coded_height;
    guint8 slices, realtime;
} Case;

static const guint32 fourccs[] = { HELIX_FORMAT_XR24, HELIX_FORMAT_AB24, HELIX_FORMAT_NV12 };

static const guint32 sizes[][2] = {
    { 1, 1 }, { 3, 2 }, { 33, 35 }, { 64, 37 }, { 65, 36 }, { 321, 181 }, { 642, 362 }, { 1023, 577 },
};

static guint32 even(guint32 side)
{
    return (side + 1) & ~1u;
}

/* As it comes over the wire, in pieces that end anywhere, with a stride that is not the surface's. */
static HelixSurface *receive(HelixSurfacePool *pool, const Case *c, guint n)
{
    guint32 row = c->fourcc == HELIX_FORMAT_NV12 ? even(c->width) : c->width * 4;
    HelixPicture picture = { .width = c->width, .height = c->height, .fourcc = c->fourcc, .stride = row + 12 };
    gsize size = helix_picture_size(c->fourcc, c->width, c->height, picture.stride, NULL);
    HelixPixelUpload sink;

    g_assert_true(helix_pixel_upload_start(&sink, pool, &picture, size, NULL));
    for (gsize at = 0; at < size;) {
        guint8 bytes[517];
        gsize piece = MIN(size - at, sizeof bytes);

        for (gsize i = 0; i < piece; i++) {
            bytes[i] = (guint8)(((at + i) * 2654435761u + n * 97) >> 9);
        }
        helix_pixel_upload_feed(&sink, bytes, piece);
        at += piece;
    }
    return helix_pixel_upload_finish(&sink);
}

/* ---- what an encoder is handed ---- */

static void run_wire(PoisonSeen *seen, gconstpointer data)
{
    HelixSurfacePool *pool = helix_surface_pool_new(1);

    for (guint n = 0; n < N_PICTURES; n++) {
        g_autoptr(HelixSurface) surface = receive(pool, data, n);

        poison_see_surface(seen, surface);
    }
    helix_surface_pool_unref(pool);
}

static void see_nv12(PoisonSeen *seen, const HelixNv12 *nv12, const Case *c)
{
    poison_see(seen, nv12->plane[0], (gsize)nv12->stride[0] * c->coded_height);
    poison_see(seen, nv12->plane[1], (gsize)nv12->stride[1] * c->coded_height / 2);
}

static void run_convert(PoisonSeen *seen, gconstpointer data)
{
    const Case *c = data;
    HelixSurfacePool *pool = helix_surface_pool_new(1);
    HelixConverter *converter = helix_converter_new(c->coded_width, c->coded_height);

    for (guint n = 0; n < N_PICTURES; n++) {
        g_autoptr(HelixSurface) surface = receive(pool, c, n);
        HelixNv12 nv12;

        g_assert_true(helix_converter_run(converter, surface, &nv12, NULL));
        see_nv12(seen, &nv12, c);
    }
    helix_converter_free(converter);
    helix_surface_pool_unref(pool);
}

/* Memory that ends with the picture's last pixel is copied before libswscale reads it in whole vectors. */
static void run_tight(PoisonSeen *seen, gconstpointer data)
{
    const Case *c = data;
    HelixSurfacePool *pool = helix_surface_pool_new(0);
    g_autoptr(HelixSurface) loose = receive(pool, c, 1);
    gsize row = (gsize)c->width * 4, size = row * c->height;
    g_autofree guint8 *memory = g_malloc(size);
    HelixSurface tight = {
        .kind = HELIX_SURFACE_MEMORY,
        .width = c->width,
        .height = c->height,
        .fourcc = c->fourcc,
        .n_planes = 1,
        .stride = { (guint32)row },
        .data = memory,
        .size = size,
        .fd = -1,
    };
    HelixConverter *converter = helix_converter_new(c->coded_width, c->coded_height);
    HelixNv12 nv12;

    for (guint32 y = 0; y < c->height; y++) {
        memcpy(memory + y * row, loose->data + (gsize)y * loose->stride[0], row);
    }
    g_assert_true(helix_converter_run(converter, &tight, &nv12, NULL));
    see_nv12(seen, &nv12, c);
    helix_converter_free(converter);
    helix_surface_pool_unref(pool);
}

static void run_ahead(PoisonSeen *seen, gconstpointer data)
{
    const Case *c = data;
    HelixSurfacePool *pool = helix_surface_pool_new(1), *converted = helix_surface_pool_new(1);

    for (guint n = 0; n < N_PICTURES; n++) {
        g_autoptr(HelixSurface) surface = receive(pool, c, n);
        HelixPreConvert *ahead = helix_pre_convert_begin(surface, c->coded_width, c->coded_height, converted, 1);

        if (ahead) {
            g_autoptr(HelixSurface) nv12 = helix_pre_convert_end(ahead);

            poison_see_surface(seen, nv12);
        } else { /* a processor without the instructions */
            poison_see_surface(seen, surface);
        }
    }
    helix_surface_pool_unref(converted);
    helix_surface_pool_unref(pool);
}

/* ---- snapshots ---- */

/* The part of it from @x, @y to the last row and column. What was its own reference is gone: a part needs none. */
static HelixSurface *corner(HelixSurface *whole, guint32 x, guint32 y)
{
    HelixSnapshot *snapshot = helix_snapshot_new(1, 0);
    HelixPicture picture = { .crop_x = x, .crop_y = y, .width = whole->width - x, .height = whole->height - y };
    HelixSurface *part;
    GError *error = NULL;

    helix_snapshot_finish(snapshot, whole, NULL);
    part = helix_snapshot_part(snapshot, &picture, &error);
    g_assert_no_error(error);
    helix_snapshot_unref(snapshot);
    return part;
}

static void run_corner(PoisonSeen *seen, gconstpointer data)
{
    const Case *c = data;
    HelixSurfacePool *pool = helix_surface_pool_new(1);
    HelixConverter *converter = helix_converter_new(c->coded_width, c->coded_height);

    for (guint n = 0; n < N_PICTURES; n++) {
        guint32 x = n * c->width / N_PICTURES & ~1u, y = n * c->height / N_PICTURES & ~1u;
        g_autoptr(HelixSurface) part = corner(receive(pool, c, n), x, y);
        HelixNv12 nv12;

        g_assert_true(helix_converter_run(converter, part, &nv12, NULL));
        see_nv12(seen, &nv12, c);
    }
    helix_converter_free(converter);
    helix_surface_pool_unref(pool);
}

/* ---- a film ---- */

/* A constant quantiser, as rate control looks at how long slices took. */
static void run_film(PoisonSeen *seen, gconstpointer data)
{
    const Case *c = data;
    HelixSurfacePool *pool = helix_surface_pool_new(1);
    HelixEncoderConfig config = {
        .width = c->coded_width,
        .height = c->coded_height,
        .slices = c->slices,
        .realtime = c->realtime,
        .rate_control = HELIX_RATE_CQP,
        .min_qp = 12,
    };
    HelixEncoder *encoder;

    g_assert_true(helix_encoder_config_complete(&config, NULL));
    encoder = helix_encoder_x264.open(&config, FALSE, NULL);
    g_assert_nonnull(encoder);
    for (guint n = 0; n < N_PICTURES; n++) {
        g_autoptr(HelixSurface) surface = receive(pool, c, n);
        HelixAccessUnit unit = { .pts_ns = n * G_GINT64_CONSTANT(16666667) };

        g_assert_true(encoder->klass->encode(encoder, surface, n == 0, &unit, NULL));
        poison_see(seen, g_bytes_get_data(unit.data, NULL), g_bytes_get_size(unit.data));
        g_bytes_unref(unit.data);
    }
    encoder->klass->close(encoder);
    helix_surface_pool_unref(pool);
}

/* ---- all sizes ---- */

static void compare(const char *how, void (*run)(PoisonSeen *seen, gconstpointer data), const Case *c)
{
    g_autofree char *what = g_strdup_printf("%s, %.4s of %u x %u to %u x %u, %u slices", how, (const char *)&c->fourcc,
                                            c->width, c->height, c->coded_width, c->coded_height, c->slices);

    poison_compare(what, run, c);
}

static void for_each_case(void (*each)(const Case *c))
{
    for (guint f = 0; f < G_N_ELEMENTS(fourccs); f++) {
        for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
            guint32 width = sizes[s][0], height = sizes[s][1];
            Case c = { fourccs[f], width, height, even(width), even(height), 1, TRUE };

            each(&c);
        }
    }
}

static void each_wire(const Case *c)
{
    compare("from the wire", run_wire, c);
}

static void each_converted(const Case *c)
{
    static const guint32 other[][2] = { { 34, 18 }, { 130, 98 }, { 720, 406 } };

    compare("converted", run_convert, c);
    for (guint i = 0; c->width > 3 && i < G_N_ELEMENTS(other); i++) {
        Case scaled = *c;

        scaled.coded_width = other[i][0];
        scaled.coded_height = other[i][1];
        compare("scaled", run_convert, &scaled);
        if (c->fourcc != HELIX_FORMAT_NV12) {
            compare("scaled without slack", run_tight, &scaled);
        }
    }
}

static void each_corner(const Case *c)
{
    static const guint32 coded[][2] = { { 34, 18 }, { 130, 98 } };

    for (guint i = 0; i < G_N_ELEMENTS(coded); i++) {
        Case scaled = *c;

        scaled.coded_width = coded[i][0];
        scaled.coded_height = coded[i][1];
        compare("a part of a snapshot", run_corner, &scaled);
    }
    compare("a part of a snapshot", run_corner, c);
}

static void each_film(const Case *c)
{
    Case film = *c;

    film.coded_width = MAX(film.coded_width, 16);
    film.coded_height = MAX(film.coded_height, 16);
    compare("film", run_film, &film);
    film.realtime = FALSE;
    film.slices = 4;
    compare("film", run_film, &film);
}

TEST("/poison/wire", test_wire)
{
    for_each_case(each_wire);
}

TEST("/poison/converted", test_converted)
{
    for_each_case(each_converted);
}

TEST("/poison/ahead", test_ahead)
{
    compare("ahead", run_ahead, &(Case){ HELIX_FORMAT_XR24, 642, 362, 642, 362, 1, TRUE });
    compare("ahead", run_ahead, &(Case){ HELIX_FORMAT_AB24, 1030, 578, 1030, 578, 1, TRUE });
}

TEST("/poison/snapshots", test_snapshots)
{
    for_each_case(each_corner);
}

TEST("/poison/films", test_films)
{
    for_each_case(each_film);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/poison/itself", poison_test_itself);
    test_cases_add();
    return g_test_run();
}
