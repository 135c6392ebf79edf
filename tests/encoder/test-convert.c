/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-convert.c - the CPU conversion against BT.709 in double arithmetic. */
#include <string.h>

#include "cases.h"
#include "common.h"
#include "encode/convert.h"
#include "encode/convert-rgb.h"
#include "encode/letterbox.h"

static const guint32 formats[] = { HELIX_FORMAT_AR24, HELIX_FORMAT_XR24, HELIX_FORMAT_AB24, HELIX_FORMAT_XB24,
                                   HELIX_FORMAT_NV12 };

static Yuv *from_nv12(const HelixNv12 *nv12, guint width, guint height)
{
    Yuv *yuv = yuv_new(width, height);

    for (guint y = 0; y < height; y++) {
        memcpy(yuv->y + (gsize)y * width, nv12->plane[0] + (gsize)y * nv12->stride[0], width);
    }
    for (guint y = 0; y < height / 2; y++) {
        for (guint x = 0; x < width / 2; x++) {
            yuv->u[(gsize)y * (width / 2) + x] = nv12->plane[1][(gsize)y * nv12->stride[1] + 2 * x];
            yuv->v[(gsize)y * (width / 2) + x] = nv12->plane[1][(gsize)y * nv12->stride[1] + 2 * x + 1];
        }
    }
    return yuv;
}

static Yuv *convert(HelixSurface *surface, guint width, guint height, HelixNv12 *nv12)
{
    g_autoptr(GError) error = NULL;
    HelixConverter *converter = helix_converter_new(width, height);
    Yuv *yuv;

    g_assert_no_error(error);
    helix_converter_run(converter, surface, nv12, &error);
    g_assert_no_error(error);
    yuv = from_nv12(nv12, width, height);
    helix_converter_free(converter);
    return yuv;
}

/* Every format, stride and parity against the reference: at most one level apart anywhere. */
static void check_same_size(guint32 fourcc, guint width, guint height, guint stride, Painter painter)
{
    g_autoptr(HelixSurface) surface = surface_paint(fourcc, width, height, stride, 0x55, painter, 3);
    g_autoptr(Yuv) expected = yuv_reference(painter, width, height, 3);
    g_autoptr(Yuv) got = NULL;
    guint64 pixels = (guint64)expected->width * expected->height;
    HelixNv12 nv12;

    got = convert(surface, expected->width, expected->height, &nv12);
    for (guint plane = 0; plane < 3; plane++) {
        g_assert_cmpuint(yuv_compare(expected, got, plane).max, <=, 1);
    }
    if (fourcc == HELIX_FORMAT_NV12 && width % 2 == 0 && height % 2 == 0) {
        g_assert_true(nv12.in_place);
        g_assert_true(nv12.plane[0] == surface->data);
        g_assert_cmpuint(nv12.cpu_bytes, ==, 0);
    } else {
        g_assert_false(nv12.in_place);
        g_assert_cmpuint(nv12.cpu_bytes, >=,
                         surface->n_planes == 1 ? (guint64)width * height * 4 + pixels * 3 / 2 : pixels * 2);
    }
}

TEST("/convert/same-size", test_same_size)
{
    static const guint sizes[][2] = { { 64, 48 },   { 65, 49 },   { 66, 49 },  { 65, 50 },
                                      { 322, 242 }, { 641, 361 }, { 8192, 3 }, { 1, 8192 } };

    for (guint f = 0; f < G_N_ELEMENTS(formats); f++) {
        for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
            guint width = sizes[s][0], height = sizes[s][1];
            guint bytes = formats[f] == HELIX_FORMAT_NV12 ? (width + 1) & ~1u : width * 4;

            check_same_size(formats[f], width, height, 0, paint_noise);
            check_same_size(formats[f], width, height, bytes + 20, paint_figure);
            check_same_size(formats[f], width, height, (bytes + 255) & ~255u, paint_figure);
        }
    }
}

TEST("/convert/small", test_small)
{
    for (guint width = 1; width <= 20; width++) {
        for (guint height = 1; height <= 20; height++) {
            check_same_size(HELIX_FORMAT_XB24, width, height, 0, paint_noise);
            check_same_size(HELIX_FORMAT_NV12, width, height, 0, paint_noise);
        }
    }
}

/* The vector code by itself, at every width around its pieces: exact to a level, and nothing written outside of the
 * picture. */
TEST("/convert/vectors", test_vectors)
{
    if (!helix_convert_rgb_available()) {
        g_test_skip("this processor has no AVX2");
        return;
    }
    for (guint width = HELIX_CONVERT_RGB_MIN_WIDTH; width <= 132; width += 2) {
        const guint height = 4, stride = width + 6;
        const gsize size = (gsize)stride * height * 3 / 2;
        guint32 fourcc = width % 4 ? HELIX_FORMAT_XR24 : HELIX_FORMAT_XB24;
        g_autoptr(HelixSurface) surface = surface_paint(fourcc, width, height, 0, 0xff, paint_noise, width);
        g_autoptr(Yuv) expected = yuv_reference(paint_noise, width, height, width);
        g_autoptr(Yuv) got = NULL;
        g_autofree guint8 *out = g_malloc(size);
        HelixNv12 nv12 = { .plane = { out, out + (gsize)stride * height }, .stride = { stride, stride } };
        HelixRgbPicture picture = { .pixels = surface->data,
                                    .stride = surface->stride[0],
                                    .width = width,
                                    .height = height,
                                    .red_first = fourcc == HELIX_FORMAT_XB24 };

        memset(out, 0xa5, size);
        helix_convert_rgb(&picture, out, out + (gsize)stride * height, stride);
        got = from_nv12(&nv12, width, height);
        for (guint plane = 0; plane < 3; plane++) {
            g_assert_cmpuint(yuv_compare(expected, got, plane).max, <=, 1);
        }
        for (gsize i = 0; i < size; i++) {
            g_assert_true(i % stride < width || out[i] == 0xa5);
        }
    }
}

typedef struct Distance {
    double luma, cb, cr; /* the largest, from the exact value */
} Distance;

static void measure_block(Distance *far, const guint8 *pixels, gsize stride, const guint8 *luma, gsize out_stride,
                          const guint8 *chroma)
{
    double mean[3] = { 0 }, y;

    for (guint i = 0; i < 4; i++) {
        const guint8 *pixel = pixels + (i / 2) * stride + (i % 2) * 4;

        y = 16 + 219 / 255.0 * (0.2126 * pixel[2] + 0.7152 * pixel[1] + 0.0722 * pixel[0]);
        far->luma = MAX(far->luma, ABS(luma[(i / 2) * out_stride + i % 2] - y));
        for (guint j = 0; j < 3; j++) {
            mean[j] += pixel[j] / 4.0;
        }
    }
    y = 0.2126 * mean[2] + 0.7152 * mean[1] + 0.0722 * mean[0];
    far->cb = MAX(far->cb, ABS(chroma[0] - (128 + 224 / 255.0 * (mean[0] - y) / 1.8556)));
    far->cr = MAX(far->cr, ABS(chroma[1] - (128 + 224 / 255.0 * (mean[2] - y) / 1.5748)));
}

/* Any pixels, or neighbours that differ a little, near the ends of the range too, where roundings add up: as far as the
 * header says. */
TEST("/convert/exactness", test_exactness)
{
    enum { WIDTH = 512, TIMES = 1500 };
    static guint8 pixels[2 * WIDTH * 4], luma[2 * WIDTH], chroma[WIDTH];
    const HelixRgbPicture picture = { .pixels = pixels, .stride = WIDTH * 4, .width = WIDTH, .height = 2 };
    Distance far = { 0 };

    if (!helix_convert_rgb_available()) {
        g_test_skip("this processor has no AVX2");
        return;
    }
    for (guint i = 0; i < TIMES; i++) {
        for (guint x = 0; x < WIDTH * 4; x++) {
            guint base = i % 3 == 0 ? 0
                : i % 3 == 1        ? (guint)g_test_rand_int_range(0, 253)
                                    : 252 * (guint)g_test_rand_int_range(0, 2);

            for (guint at = 0; x % 8 < 4 && at < 4; at++) { /* a block's four pixels */
                guint8 *to = pixels + (at / 2) * picture.stride + (at % 2) * 4 + x;

                *to = (guint8)(i % 3 == 0 ? g_test_rand_int_range(0, 256) : (gint)base + g_test_rand_int_range(0, 4));
            }
        }
        helix_convert_rgb(&picture, luma, chroma, WIDTH);
        for (guint x = 0; x < WIDTH; x += 2) {
            measure_block(&far, pixels + x * 4, picture.stride, luma + x, WIDTH, chroma + x);
        }
    }
    g_test_message("from the exact value: luma %.2f, Cb %.2f, Cr %.2f", far.luma, far.cb, far.cr);
    g_assert_cmpfloat(far.luma, <, 1);
    g_assert_cmpfloat(far.cb, <, 1.62);
    g_assert_cmpfloat(far.cr, <, 1.39);
    g_assert_cmpfloat(far.cb, >, 1); /* else the header says too little */
}

/* The primaries, their pairs, black, white and greys, by the formula and by the codes everyone knows. */
TEST("/convert/flat", test_flat)
{
    static const struct {
        guint colour;
        guint8 y, u, v;
    } known[] = {
        { 0x000000, 16, 128, 128 }, { 0xffffff, 235, 128, 128 }, { 0xff0000, 63, 102, 240 },
        { 0x00ff00, 173, 42, 26 },  { 0x0000ff, 32, 240, 118 },  { 0xffff00, 219, 16, 138 },
        { 0x00ffff, 188, 154, 16 }, { 0xff00ff, 78, 214, 230 },  { 0x808080, 126, 128, 128 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(known); i++) {
        for (guint f = 0; f < 4; f++) {
            g_autoptr(HelixSurface) surface = surface_paint(formats[f], 32, 32, 0, 0, paint_flat, known[i].colour);
            HelixNv12 nv12;
            g_autoptr(Yuv) got = convert(surface, 32, 32, &nv12);

            for (guint p = 0; p < 32 * 32; p++) {
                g_assert_cmpint(abs(got->y[p] - known[i].y), <=, 1);
            }
            for (guint p = 0; p < 16 * 16; p++) {
                g_assert_cmpint(abs(got->u[p] - known[i].u), <=, 1);
                g_assert_cmpint(abs(got->v[p] - known[i].v), <=, 1);
            }
        }
    }
}

/* Scaled down by two in each direction: the mean of each 2 x 2, so chroma of 4 x 4. */
TEST("/convert/halved", test_halved)
{
    g_autoptr(HelixSurface) surface = surface_paint(HELIX_FORMAT_XR24, 256, 128, 0, 0, paint_figure, 1);
    g_autoptr(Yuv) full = yuv_reference(paint_figure, 256, 128, 1);
    HelixNv12 nv12;
    g_autoptr(Yuv) got = convert(surface, 128, 64, &nv12);

    for (guint y = 0; y < 64; y++) {
        for (guint x = 0; x < 128; x++) {
            const guint8 *p = full->y + y * 2 * 256 + x * 2;

            g_assert_cmpint(abs(got->y[y * 128 + x] - (p[0] + p[1] + p[256] + p[257] + 2) / 4), <=, 2);
        }
    }
}

TEST("/convert/scaled", test_scaled)
{
    static const guint sizes[][4] = { { 640, 480, 320, 240 }, { 321, 241, 640, 480 }, { 1000, 300, 512, 512 },
                                      { 37, 91, 128, 64 },    { 320, 240, 322, 242 }, { 320, 240, 318, 240 },
                                      { 16, 16, 1280, 720 } };

    for (guint f = 0; f < G_N_ELEMENTS(formats); f++) {
        for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
            const guint *size = sizes[s];
            g_autoptr(HelixSurface) surface = surface_paint(formats[f], size[0], size[1], 0, 0, paint_smooth, 0);
            g_autoptr(Yuv) expected = yuv_reference(paint_smooth, size[2], size[3], 0);
            HelixNv12 nv12;
            g_autoptr(Yuv) got = convert(surface, size[2], size[3], &nv12);
            double floor = size[0] == 16 ? 28 : 36; /* 16 pixels say little about 1280 */

            for (guint plane = 0; plane < 3; plane++) {
                g_assert_cmpfloat(yuv_compare(expected, got, plane).psnr, >=, floor);
            }
        }
    }
}

/* A 1 x 1 picture and the largest factors: a picture or an error, never a crash. */
TEST("/convert/extremes", test_extremes)
{
    static const guint sizes[][4] = {
        { 1, 1, 640, 480 }, { 2, 1, 8192, 2 }, { 8192, 2, 2, 2 }, { 2, 8192, 2, 2 }, { 8191, 3, 640, 2 }
    };

    for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
        g_autoptr(HelixSurface)
            surface = surface_paint(HELIX_FORMAT_XR24, sizes[s][0], sizes[s][1], 0, 0, paint_flat, 0xffffff);
        g_autoptr(GError) error = NULL;
        HelixConverter *converter = helix_converter_new(sizes[s][2], sizes[s][3]);
        HelixNv12 nv12;

        g_assert_no_error(error);
        if (helix_converter_run(converter, surface, &nv12, &error)) {
            g_assert_cmpint(abs(nv12.plane[0][0] - 235), <=, 1);
        } else {
            g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
        }
        helix_converter_free(converter);
    }
}

/* One converter through pictures of changing size and format. */
TEST("/convert/reuse", test_reuse)
{
    g_autoptr(GError) error = NULL;
    HelixConverter *converter = helix_converter_new(320, 240);

    for (guint i = 0; i < 24; i++) {
        guint width = i % 3 == 0 ? 320 : i % 3 == 1 ? 319 : 640, height = i % 4 == 0 ? 240 : i % 4 == 1 ? 239 : 480;
        g_autoptr(HelixSurface) surface = surface_paint(formats[i % 5], width, height, 0, 0, paint_smooth, i);
        g_autoptr(Yuv) expected = yuv_reference(paint_smooth, 320, 240, i);
        g_autoptr(Yuv) got = NULL;
        HelixNv12 nv12;

        helix_converter_run(converter, surface, &nv12, &error);
        g_assert_no_error(error);
        got = from_nv12(&nv12, 320, 240);
        g_assert_cmpfloat(yuv_compare(expected, got, 0).psnr, >=, 38);
    }
    helix_converter_free(converter);
}

/* Black beside or above and below a flat picture, whose shape stays. */
TEST("/convert/letterbox", test_letterbox)
{
    static const guint cases[][6] = {
        /* the picture, and where it is to lie in 160x90 */
        { 640, 480, 20, 0, 120, 90 }, { 1280, 480, 0, 14, 160, 60 }, { 37, 91, 62, 0, 36, 90 },
        { 320, 180, 0, 0, 160, 90 },  { 160, 90, 0, 0, 160, 90 },    { 8192, 2, 0, 44, 160, 2 },
    };
    HelixLetterbox *letterbox = helix_letterbox_new(160, 90, 16);

    for (guint i = 0; i < G_N_ELEMENTS(cases) * G_N_ELEMENTS(formats); i++) {
        const guint *is = cases[i / G_N_ELEMENTS(formats)];
        g_autoptr(HelixSurface)
            surface = surface_paint(formats[i % G_N_ELEMENTS(formats)], is[0], is[1], 0, 0, paint_flat, 0xff0000);
        g_autoptr(GError) error = NULL;
        g_autoptr(Yuv) got = NULL;
        HelixNv12 nv12;

        helix_letterbox_run(letterbox, surface, &nv12, &error);
        g_assert_no_error(error);
        got = from_nv12(&nv12, 160, 90);
        for (guint p = 0; p < 160 * 90; p++) {
            guint x = p % 160, y = p / 160, c = y / 2 * 80 + x / 2;
            gboolean inside = x >= is[2] && x < is[2] + is[4] && y >= is[3] && y < is[3] + is[5];

            g_assert_cmpint(abs(got->y[p] - (inside ? 63 : 16)), <=, inside ? 1 : 0);
            g_assert_cmpint(abs(got->u[c] - (inside ? 102 : 128)), <=, inside ? 1 : 0);
            g_assert_cmpint(abs(got->v[c] - (inside ? 240 : 128)), <=, inside ? 1 : 0);
        }
    }
    helix_letterbox_free(letterbox);
}

typedef void (*Spoil)(HelixSurface *surface);

static void spoil_kind(HelixSurface *surface)
{
    surface->kind = HELIX_SURFACE_DMABUF;
}
static void spoil_data(HelixSurface *surface)
{
    surface->data = NULL;
}
static void spoil_format(HelixSurface *surface)
{
    surface->fourcc = HELIX_FOURCC('Y', 'U', '1', '2');
}
static void spoil_width(HelixSurface *surface)
{
    surface->width = 0;
}
static void spoil_height(HelixSurface *surface)
{
    surface->height++;
}
static void spoil_huge(HelixSurface *surface)
{
    surface->height = G_MAXUINT32;
}
static void spoil_stride(HelixSurface *surface)
{
    surface->stride[0] = surface->width * 4 - 1;
}
static void spoil_big_stride(HelixSurface *surface)
{
    surface->stride[0] = G_MAXUINT32;
    surface->height = 1;
}
static void spoil_offset(HelixSurface *surface)
{
    surface->offset[0] = 1;
}
static void spoil_big_offset(HelixSurface *surface)
{
    surface->offset[0] = G_MAXSIZE;
}
static void spoil_size(HelixSurface *surface)
{
    surface->size--;
}

/* What the converter is handed is checked against the memory it lies in, without overflow. */
TEST("/convert/bad-surfaces", test_bad_surfaces)
{
    static const Spoil spoils[] = { spoil_kind,   spoil_data,       spoil_format, spoil_width,
                                    spoil_height, spoil_huge,       spoil_stride, spoil_big_stride,
                                    spoil_offset, spoil_big_offset, spoil_size };

    for (guint i = 0; i < G_N_ELEMENTS(spoils); i++) {
        g_autoptr(HelixSurface) surface = surface_paint(HELIX_FORMAT_AR24, 64, 64, 0, 0, paint_flat, 0);
        g_autoptr(GError) error = NULL;
        HelixConverter *converter = helix_converter_new(64, 64);
        HelixNv12 nv12;

        spoils[i](surface);
        g_assert_false(helix_converter_run(converter, surface, &nv12, &error));
        g_assert_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY);
        helix_converter_free(converter);
    }
}
