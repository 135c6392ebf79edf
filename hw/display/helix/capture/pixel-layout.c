/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pixel-layout.c - the byte order of virtio-gpu's and virgl's 32-bit formats.
 */
#include "qemu/osdep.h"
#include "pixel-layout.h"

static const struct {
    uint32_t format;
    HelixPixelLayout layout;
} pixel_layouts[] = {
    { 1, { HELIX_FORMAT_AR24, { 0, 1, 2, 3 } } },   /* B8G8R8A8_UNORM */
    { 2, { HELIX_FORMAT_XR24, { 0, 1, 2, 3 } } },   /* B8G8R8X8_UNORM */
    { 3, { HELIX_FORMAT_AR24, { 3, 2, 1, 0 } } },   /* A8R8G8B8_UNORM */
    { 4, { HELIX_FORMAT_XR24, { 3, 2, 1, 0 } } },   /* X8R8G8B8_UNORM */
    { 67, { HELIX_FORMAT_AB24, { 0, 1, 2, 3 } } },  /* R8G8B8A8_UNORM */
    { 68, { HELIX_FORMAT_XB24, { 3, 2, 1, 0 } } },  /* X8B8G8R8_UNORM */
    { 121, { HELIX_FORMAT_AB24, { 3, 2, 1, 0 } } }, /* A8B8G8R8_UNORM */
    { 134, { HELIX_FORMAT_XB24, { 0, 1, 2, 3 } } }, /* R8G8B8X8_UNORM */
    /* virgl's sRGB twins: the same bytes, which are what a screen shows */
    { 98, { HELIX_FORMAT_AB24, { 3, 2, 1, 0 } } },  /* A8B8G8R8_SRGB */
    { 99, { HELIX_FORMAT_XB24, { 3, 2, 1, 0 } } },  /* X8B8G8R8_SRGB */
    { 100, { HELIX_FORMAT_AR24, { 0, 1, 2, 3 } } }, /* B8G8R8A8_SRGB */
    { 101, { HELIX_FORMAT_XR24, { 0, 1, 2, 3 } } }, /* B8G8R8X8_SRGB */
    { 102, { HELIX_FORMAT_AR24, { 3, 2, 1, 0 } } }, /* A8R8G8B8_SRGB */
    { 103, { HELIX_FORMAT_XR24, { 3, 2, 1, 0 } } }, /* X8R8G8B8_SRGB */
    { 104, { HELIX_FORMAT_AB24, { 0, 1, 2, 3 } } }, /* R8G8B8A8_SRGB */
    { 230, { HELIX_FORMAT_XB24, { 0, 1, 2, 3 } } }, /* R8G8B8X8_SRGB */
};

HelixPixelLayout helix_pixel_layout(uint32_t format)
{
    for (size_t i = 0; i < G_N_ELEMENTS(pixel_layouts); i++) {
        if (pixel_layouts[i].format == format) {
            return pixel_layouts[i].layout;
        }
    }
    return (HelixPixelLayout){ 0 };
}

bool helix_pixels_reorder(uint8_t *pixels, uint32_t width, uint32_t rows, uint32_t stride,
                          const HelixPixelLayout *layout)
{
    const uint8_t *from = layout->byte;

    if (from[0] == 0) {
        return false;
    }
    for (uint32_t y = 0; y < rows; y++) {
        uint8_t *pixel = pixels + (size_t)y * stride;

        for (uint32_t x = 0; x < width; x++, pixel += 4) {
            uint8_t old[4];

            memcpy(old, pixel, 4);
            for (int i = 0; i < 4; i++) {
                pixel[i] = old[from[i]];
            }
        }
    }
    return true;
}

bool helix_format_is_srgb(uint32_t format)
{
    return (format >= 98 && format <= 104) || format == 230;
}
