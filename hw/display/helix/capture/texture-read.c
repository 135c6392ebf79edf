/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * texture-read.c - rows of a texture read by virglrenderer, verified to be written.
 *
 * virgl_renderer_transfer_read_iov() returns 0 also where it wrote fewer bytes than requested, or none. The rest would
 * be stale memory of the pool: another client's picture, or old contents of QEMU's heap. So the rows are filled with a
 * random number first; if a pixel still has it afterwards, they are read again with another number.
 */
#include "qemu/osdep.h"
#include <wchar.h>
#include "readback.h"
#include "texture-hooks.h"

/* A picture of noise contains a given number once in about a thousand times. */
#define TRIES 3

/* wmemset() and wmemchr() are the C library's vector code for 32-bit units. */
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
                "the host's renderer did not read back all of resource %u: copy it "
                "to a texture of two dimensions and one sample",
                resource->id);
    return false;
}
