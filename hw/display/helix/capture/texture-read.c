/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * texture-read.c - rows of a texture by virglrenderer, and proof that it has written them.
 *
 * virgl_renderer_transfer_read_iov() returns 0 also where it wrote less than was asked, or nothing. What it left would
 * be memory of the pool: another client's picture, or what QEMU's heap held. So the rows are filled with a number
 * first, and read again with another one if a pixel has it afterwards.
 */
#include "qemu/osdep.h"
#include <wchar.h>
#include "readback.h"
#include "texture-hooks.h"

/* A picture that is noise has any number among its pixels once in a thousand times. */
#define TRIES 3

/* One row at a time by the C library's vector code. */
G_STATIC_ASSERT(sizeof(wchar_t) == 4);

static void fill(uint8_t *to, uint32_t width, uint32_t rows, uint32_t stride, uint32_t number)
{
    for (uint32_t y = 0; y < rows; y++) {
        wmemset((wchar_t *)(void *)(to + (size_t)y * stride), (wchar_t)number, width);
    }
}

static bool has(const uint8_t *pixels, uint32_t width, uint32_t rows, uint32_t stride, uint32_t number)
{
    for (uint32_t y = 0; y < rows; y++) {
        if (wmemchr((const wchar_t *)(const void *)(pixels + (size_t)y * stride), (wchar_t)number, width)) {
            return true;
        }
    }
    return false;
}

bool helix_texture_read(VirtIOGPU *g, const HelixResource *resource, uint32_t x, uint32_t y, uint32_t width,
                        uint32_t rows, uint8_t *to, uint32_t stride, GError **error)
{
    for (int i = 0; i < TRIES; i++) {
        uint32_t number = g_random_int();

        fill(to, width, rows, stride, number);
        if (!helix_texture_reader->read(g, resource, x, y, width, rows, to, stride, error)) {
            return false;
        }
        if (!has(to, width, rows, stride, number)) {
            return true;
        }
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE,
                "the host's renderer did not read all of resource %u back: copy it "
                "to a texture of two dimensions and one sample",
                resource->id);
    return false;
}
