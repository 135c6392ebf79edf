/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pixel-layout.h - the byte order of virtio-gpu's and virgl's 32-bit formats. Pure functions, any thread.
 */
#ifndef HELIX_PIXEL_LAYOUT_H
#define HELIX_PIXEL_LAYOUT_H

#include "../protocol/helix-wire.h"

/* The byte order of a 32-bit pixel in memory, and how to reorder it into one of the wire's formats. */
typedef struct HelixPixelLayout {
    uint32_t fourcc; /* HELIX_FORMAT_ after reordering; 0: the format is not supported */
    uint8_t byte[4]; /* source index of each byte of fourcc; 0 1 2 3 if nothing is to be reordered */
} HelixPixelLayout;

/* The layout of virtio-gpu (and virgl) format @format; fourcc is 0 if it is not 8-bit RGB. */
HelixPixelLayout helix_pixel_layout(uint32_t format);

/* Whether @format is an sRGB format of virgl: GL may convert its samples, which a screen shows as they are. */
bool helix_format_is_srgb(uint32_t format);

/*
 * Reorder the bytes of @rows of @width pixels into @layout's fourcc, in place; rows are @stride bytes apart. False:
 * they are in that order already and nothing was written.
 */
bool helix_pixels_reorder(uint8_t *pixels, uint32_t width, uint32_t rows, uint32_t stride,
                          const HelixPixelLayout *layout);

#endif
