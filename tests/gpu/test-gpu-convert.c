/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-gpu-convert.c - the conversion by the GPU against that of the CPU: one level apart at most, for each format, odd
 * sizes, parts, either orientation, and into padded planes. Planes are memory of an encoder's kind, imported.
 */
#include <string.h>

#include "cases.h"
#include "common.h"
#include "encode/convert.h"
#include "gl-world.h"
#include "gpu/gpu-convert.h"

#define R8 HELIX_FOURCC('R', '8', ' ', ' ')
#define GR88 HELIX_FOURCC('G', 'R', '8', '8')
#define SRGB 1u /* a texture of GL's own with sRGB bytes */
#define UNTOUCHED 0xa5

static HelixGpuConverter *converter;

static const guint32 formats[] = { HELIX_FORMAT_AR24, HELIX_FORMAT_XR24, HELIX_FORMAT_AB24, HELIX_FORMAT_XB24, SRGB };

/* ---- a picture in a texture ---- */

typedef struct Source {
    guint32 fourcc, width, height; /* of the texture */
    gboolean bottom_up;
    guint32 x, y, cut; /* the picture's place, and by how much it is smaller on each side */
} Source;

static Source part; /* what paint_part() paints of */

static Rgb paint_part(guint x, guint y, guint width, guint height, guint n)
{
    return paint_noise(x + part.x, y + part.y, part.width, part.height, n);
}

static Rgb paint_smooth_part(guint x, guint y, guint width, guint height, guint n)
{
    return paint_smooth(x + part.x, y + part.y, part.width, part.height, n);
}

static void put_pixels(guint8 *to, guint32 stride, Painter whole, const Source *source)
{
    gboolean red_first = source->fourcc != HELIX_FORMAT_AR24 && source->fourcc != HELIX_FORMAT_XR24;

    for (guint32 y = 0; y < source->height; y++) {
        guint8 *pixel = to + (gsize)(source->bottom_up ? source->height - 1 - y : y) * stride;

        for (guint32 x = 0; x < source->width; x++, pixel += 4) {
            Rgb rgb = whole(x, y, source->width, source->height, 0);

            pixel[0] = red_first ? rgb.r : rgb.b;
            pixel[1] = rgb.g;
            pixel[2] = red_first ? rgb.b : rgb.r;
            pixel[3] = (guint8)(x * 31 + y); /* alpha is ignored */
        }
    }
}

static GLuint srgb_texture(Painter whole, const Source *source)
{
    g_autofree guint8 *pixels = g_malloc((gsize)source->width * source->height * 4);
    GLuint texture;

    put_pixels(pixels, source->width * 4, whole, source);
    glGenTextures(1, &texture);
    glBindTexture(GL_TEXTURE_2D, texture);
    glTexImage2D(GL_TEXTURE_2D, 0, GL_SRGB8_ALPHA8, (GLsizei)source->width, (GLsizei)source->height, 0, GL_RGBA,
                 GL_UNSIGNED_BYTE, pixels);
    return texture;
}

/* ---- both conversions ---- */

static void read_planes(const GlMemory *luma, const GlMemory *chroma, Yuv *yuv)
{
    glFinish();
    for (guint y = 0; y < yuv->height; y++) {
        memcpy(yuv->y + (gsize)y * yuv->width, luma->data + (gsize)y * luma->stride, yuv->width);
    }
    for (guint y = 0; y < yuv->height / 2; y++) {
        for (guint x = 0; x < yuv->width / 2; x++) {
            const guint8 *pair = chroma->data + (gsize)y * chroma->stride + 2 * x;

            yuv->u[(gsize)y * (yuv->width / 2) + x] = pair[0];
            yuv->v[(gsize)y * (yuv->width / 2) + x] = pair[1];
        }
    }
}

/* Bytes between the rows are not the planes'. */
static void check_untouched(const GlMemory *plane, guint32 row)
{
    for (gsize i = 0; i < plane->size; i++) {
        g_assert_true(i % plane->stride < row || plane->data[i] == UNTOUCHED);
    }
}

/* Beyond the picture its last column and row are repeated. */
static void check_padding(const GlMemory *plane, guint32 step, guint32 width, guint32 height, guint32 padded_width,
                          guint32 padded_height)
{
    for (guint32 y = 0; y < padded_height; y++) {
        for (guint32 x = 0; x < padded_width; x++) {
            const guint8 *edge = plane->data + (gsize)MIN(y, height - 1) * plane->stride + MIN(x, width - 1) * step;

            g_assert_cmpint(memcmp(plane->data + (gsize)y * plane->stride + x * step, edge, step), ==, 0);
        }
    }
}

static Yuv *by_gpu(const Source *source, Painter whole, guint32 width, guint32 height, guint32 padding)
{
    const guint32 padded_width = width + padding, padded_height = height + padding;
    GlMemory picture = { .texture = 0 }, luma = gl_memory_new(R8, padded_width, padded_height, padded_width, UNTOUCHED),
             chroma = gl_memory_new(GR88, padded_width / 2, padded_height / 2, padded_width, UNTOUCHED);
    HelixGpuPicture what = { .bottom_up = source->bottom_up,
                             .x = source->x,
                             .y = source->y,
                             .width = source->width - source->cut,
                             .height = source->height - source->cut };
    HelixGpuPlanes planes = { luma.texture, chroma.texture, width, height, padded_width, padded_height };
    g_autoptr(GError) error = NULL;
    Yuv *yuv = yuv_new(width, height);

    if (source->fourcc == SRGB) {
        what.texture = srgb_texture(whole, source);
    } else {
        picture = gl_memory_new(source->fourcc, source->width, source->height, source->width * 4, 0);
        put_pixels(picture.data, picture.stride, whole, source);
        what.texture = picture.texture;
    }
    helix_gpu_convert(converter, &what, &planes, &error);
    g_assert_no_error(error);
    read_planes(&luma, &chroma, yuv);
    check_untouched(&luma, padded_width);
    check_untouched(&chroma, padded_width);
    check_padding(&luma, 1, width, height, padded_width, padded_height);
    check_padding(&chroma, 2, width / 2, height / 2, padded_width / 2, padded_height / 2);
    if (picture.texture) {
        gl_memory_free(&picture);
    } else {
        glDeleteTextures(1, &what.texture);
    }
    gl_memory_free(&luma);
    gl_memory_free(&chroma);
    return yuv;
}

static Yuv *by_cpu(const Source *source, Painter painter, guint32 width, guint32 height)
{
    g_autoptr(HelixSurface) surface = surface_paint(HELIX_FORMAT_XR24, source->width - source->cut,
                                                    source->height - source->cut, 0, 0, painter, 0);
    HelixConverter *cpu = helix_converter_new(width, height);
    g_autoptr(GError) error = NULL;
    Yuv *yuv = yuv_new(width, height);
    HelixNv12 nv12;

    helix_converter_run(cpu, surface, &nv12, &error);
    g_assert_no_error(error);
    for (guint y = 0; y < height; y++) {
        memcpy(yuv->y + (gsize)y * width, nv12.plane[0] + (gsize)y * nv12.stride[0], width);
    }
    for (guint y = 0; y < height / 2; y++) {
        for (guint x = 0; x < width / 2; x++) {
            yuv->u[(gsize)y * (width / 2) + x] = nv12.plane[1][(gsize)y * nv12.stride[1] + 2 * x];
            yuv->v[(gsize)y * (width / 2) + x] = nv12.plane[1][(gsize)y * nv12.stride[1] + 2 * x + 1];
        }
    }
    helix_converter_free(cpu);
    return yuv;
}

/* ---- tests ---- */

static void check_exact(const Source *source, guint32 padding)
{
    guint32 width = (source->width - source->cut + 1) & ~1u, height = (source->height - source->cut + 1) & ~1u;
    g_autoptr(Yuv) gpu = by_gpu(source, paint_noise, width, height, padding);
    g_autoptr(Yuv) cpu = NULL, exact = NULL;

    part = *source;
    cpu = by_cpu(source, paint_part, width, height);
    exact = yuv_reference(paint_part, source->width - source->cut, source->height - source->cut, 0);
    for (guint plane = 0; plane < 3; plane++) {
        g_assert_cmpuint(yuv_compare(exact, gpu, plane).max, <=, 1);
        g_assert_cmpuint(yuv_compare(cpu, gpu, plane).max, <=, 1);
    }
}

TEST("/gpu-convert/same-size", test_same_size)
{
    static const guint sizes[][2] = {
        { 64, 48 }, { 65, 49 }, { 66, 49 }, { 65, 50 }, { 321, 181 }, { 1, 1 }, { 2, 7 }
    };

    for (guint f = 0; f < G_N_ELEMENTS(formats); f++) {
        for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
            for (guint flip = 0; flip < 2; flip++) {
                check_exact(&(Source){ formats[f], sizes[s][0], sizes[s][1], .bottom_up = flip }, 0);
            }
        }
    }
}

TEST("/gpu-convert/parts", test_parts)
{
    for (guint flip = 0; flip < 2; flip++) {
        check_exact(&(Source){ HELIX_FORMAT_XR24, 100, 70, flip, .x = 7, .y = 3, .cut = 21 }, 0);
        check_exact(&(Source){ HELIX_FORMAT_AB24, 100, 70, flip, .x = 20, .y = 20, .cut = 20 }, 0);
        check_exact(&(Source){ SRGB, 100, 70, flip, .x = 0, .y = 5, .cut = 33 }, 0);
    }
}

/* As encoders have them: whole macroblocks. */
TEST("/gpu-convert/padded", test_padded)
{
    check_exact(&(Source){ HELIX_FORMAT_XR24, 64, 50, .bottom_up = FALSE }, 14);
    check_exact(&(Source){ HELIX_FORMAT_XR24, 63, 49, .bottom_up = TRUE }, 8);
}

/* Scaled down and up, by whole factors and by others, as the CPU does it. */
TEST("/gpu-convert/scaled", test_scaled)
{
    static const guint sizes[][4] = { { 640, 480, 320, 240 }, { 321, 241, 640, 480 }, { 1000, 300, 512, 512 },
                                      { 37, 91, 128, 64 },    { 320, 240, 318, 240 }, { 256, 128, 128, 64 },
                                      { 512, 64, 32, 4 } };

    for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
        Source source = { HELIX_FORMAT_XR24, sizes[s][0], sizes[s][1], .bottom_up = s & 1 };
        g_autoptr(Yuv) gpu = by_gpu(&source, paint_smooth, sizes[s][2], sizes[s][3], 0);
        g_autoptr(Yuv) cpu = NULL;

        part = source;
        cpu = by_cpu(&source, paint_smooth_part, sizes[s][2], sizes[s][3]);
        for (guint plane = 0; plane < 3; plane++) {
            Difference difference = yuv_compare(cpu, gpu, plane);

            g_test_message("%u x %u to %u x %u, plane %u: %u levels, %.1f dB", sizes[s][0], sizes[s][1], sizes[s][2],
                           sizes[s][3], plane, difference.max, difference.psnr);
            g_assert_cmpuint(difference.max, <=, 2); /* 1 with the libswscale of Debian 13 on AVX2 */
        }
    }
}

typedef struct Wrong {
    HelixGpuPicture picture;                            /* of a texture of 64 x 32 */
    guint32 width, height, padded_width, padded_height; /* of planes of 64 x 32 */
    int code;
} Wrong;

/* What does not lie within its texture, or would keep the GPU for too long, is refused before anything is drawn. */
TEST("/gpu-convert/refused", test_refused)
{
    static const Wrong wrongs[] = {
        { { .width = 65, .height = 32 }, 64, 32, 64, 32, HELIX_CODE_GEOMETRY },
        { { .width = 64, .height = 32, .y = 1 }, 64, 32, 64, 32, HELIX_CODE_GEOMETRY },
        { { .width = 1, .height = 1, .x = G_MAXUINT32 }, 64, 32, 64, 32, HELIX_CODE_GEOMETRY },
        { { .width = 0, .height = 32 }, 64, 32, 64, 32, HELIX_CODE_GEOMETRY },
        { { .width = 64, .height = 32 }, 63, 32, 64, 32, HELIX_CODE_GEOMETRY },
        { { .width = 64, .height = 32 }, 64, 32, 62, 32, HELIX_CODE_GEOMETRY },
        { { .width = 64, .height = 32 }, 64, 32, 64, 34, HELIX_CODE_GEOMETRY },
        { { .width = 64, .height = 32 }, 2, 32, 64, 32, HELIX_CODE_GEOMETRY },
        { { .texture = 4711, .width = 64, .height = 32 }, 64, 32, 64, 32, HELIX_CODE_GEOMETRY },
    };
    GlMemory picture = gl_memory_new(HELIX_FORMAT_XR24, 64, 32, 256, 0x10),
             luma = gl_memory_new(R8, 64, 32, 64, UNTOUCHED), chroma = gl_memory_new(GR88, 32, 16, 64, UNTOUCHED);

    for (guint i = 0; i < G_N_ELEMENTS(wrongs); i++) {
        HelixGpuPicture what = wrongs[i].picture;
        HelixGpuPlanes planes = { luma.texture,     chroma.texture,         wrongs[i].width,
                                  wrongs[i].height, wrongs[i].padded_width, wrongs[i].padded_height };
        g_autoptr(GError) error = NULL;

        what.texture = what.texture ? what.texture : picture.texture;
        g_assert_false(helix_gpu_convert(converter, &what, &planes, &error));
        g_assert_error(error, HELIX_ERROR, wrongs[i].code);
    }
    glFinish();
    check_untouched(&luma, 0);
    check_untouched(&chroma, 0);
    gl_memory_free(&picture);
    gl_memory_free(&luma);
    gl_memory_free(&chroma);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    int status;

    g_test_init(&argc, &argv, NULL);
    if (!gl_world_start(TRUE)) {
        g_print("1..0 # SKIP EGL does not draw without a screen here\n");
        return 77;
    }
    converter = helix_gpu_converter_new(&error);
    g_assert_no_error(error);
    test_cases_add();
    status = g_test_run();
    helix_gpu_converter_free(converter);
    return status;
}
