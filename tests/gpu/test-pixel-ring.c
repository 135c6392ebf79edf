/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-pixel-ring.c - pictures in the ring's memory are the CPU's conversion; buffers come back, and few stay. */
#include <string.h>

#include "cases.h"
#include "common.h"
#include "gl-world.h"
#include "gpu/pixel-ring.h"

static HelixPixelRing *ring;
static guint n_returned;

static GLuint texture_of(Painter painter, guint width, guint height, guint n)
{
    g_autoptr(HelixSurface) surface = surface_paint(HELIX_FORMAT_XR24, width, height, 0, 0xff, painter, n);
    GLuint texture;

    glGenTextures(1, &texture);
    glBindTexture(GL_TEXTURE_2D, texture);
    glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA8, (GLsizei)width, (GLsizei)height, 0, GL_BGRA, GL_UNSIGNED_BYTE,
                 surface->data);
    return texture;
}

static HelixPixelBuffer *convert(guint width, guint height, guint n)
{
    HelixGpuPicture picture = { .texture = texture_of(paint_noise, width, height, n),
                                .width = width,
                                .height = height };
    g_autoptr(GError) error = NULL;
    HelixPixelBuffer *buffer = helix_pixel_ring_convert(ring, &picture, (width + 1) & ~1u, (height + 1) & ~1u, &error);

    g_assert_no_error(error);
    glDeleteTextures(1, &picture.texture);
    return buffer;
}

/* The picture to a level, and zeros beside it. */
static void check(const HelixPixelBuffer *buffer, guint width, guint height, guint n)
{
    g_autoptr(Yuv) expected = yuv_reference(paint_noise, width, height, n),
                   got = yuv_new(buffer->width, buffer->height);

    g_assert_cmpuint(buffer->size, ==, helix_pixel_ring_buffer_size(buffer->width, buffer->height));
    for (guint y = 0; y < buffer->height * 3 / 2; y++) {
        const guint8 *row = buffer->data + (gsize)y * buffer->stride;
        guint in_chroma = y - buffer->height; /* or anything */

        for (guint x = 0; x < buffer->stride; x++) {
            if (x >= buffer->width) {
                g_assert_cmpuint(row[x], ==, 0);
            } else if (y < buffer->height) {
                got->y[(gsize)y * buffer->width + x] = row[x];
            } else {
                (x % 2 ? got->v : got->u)[(gsize)in_chroma * (buffer->width / 2) + x / 2] = row[x];
            }
        }
    }
    for (guint plane = 0; plane < 3; plane++) {
        g_assert_cmpuint(yuv_compare(expected, got, plane).max, <=, 1);
    }
}

TEST("/pixel-ring/pictures", test_pictures)
{
    static const guint sizes[][2] = { { 64, 48 }, { 66, 50 }, { 333, 77 }, { 1, 1 }, { 64, 48 } };

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        HelixPixelBuffer *buffer = convert(sizes[i][0], sizes[i][1], i);

        check(buffer, sizes[i][0], sizes[i][1], i);
        helix_pixel_ring_release(ring, buffer);
    }
}

/* Pictures that an encoder still reads stay as they are; memory of the same size is used again. */
TEST("/pixel-ring/buffers", test_buffers)
{
    enum { N = HELIX_PIXEL_RING_IDLE + 3 };
    HelixPixelBuffer *buffers[N];
    const guint8 *memory[N];
    guint again = 0, before = n_returned;

    for (guint i = 0; i < N; i++) {
        buffers[i] = convert(130, 66, 100 + i);
    }
    for (guint i = 0; i < N; i++) {
        check(buffers[i], 130, 66, 100 + i);
        memory[i] = buffers[i]->data;
        helix_pixel_ring_release(ring, buffers[i]);
    }
    g_assert_cmpuint(n_returned - before, ==, N);
    helix_pixel_ring_trim(ring);
    for (guint i = 0; i < HELIX_PIXEL_RING_IDLE; i++) {
        buffers[i] = convert(130, 66, i);
        for (guint j = 0; j < N; j++) {
            again += buffers[i]->data == memory[j];
        }
    }
    g_assert_cmpuint(again, ==, HELIX_PIXEL_RING_IDLE);
    for (guint i = 0; i < HELIX_PIXEL_RING_IDLE; i++) {
        check(buffers[i], 130, 66, i);
        helix_pixel_ring_release(ring, buffers[i]);
    }
}

/* What the conversion refuses leaves the ring usable. */
TEST("/pixel-ring/refused", test_refused)
{
    HelixGpuPicture picture = { .texture = texture_of(paint_noise, 64, 48, 0), .width = 65, .height = 48 };
    g_autoptr(GError) error = NULL;
    HelixPixelBuffer *buffer;

    g_assert_null(helix_pixel_ring_convert(ring, &picture, 66, 48, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY);
    glDeleteTextures(1, &picture.texture);
    buffer = convert(64, 48, 5);
    check(buffer, 64, 48, 5);
    helix_pixel_ring_release(ring, buffer);
}

static void count_returned(gpointer data)
{
    ++*(guint *)data;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    int status;

    g_test_init(&argc, &argv, NULL);
    if (!gl_world_start(FALSE)) {
        g_print("1..0 # SKIP EGL does not draw without a screen here\n");
        return 77;
    }
    ring = helix_pixel_ring_new(count_returned, &n_returned, &error);
    g_assert_no_error(error);
    test_cases_add();
    status = g_test_run();
    helix_pixel_ring_free(ring);
    return status;
}
