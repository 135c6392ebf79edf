/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * convert-rgb.h - 32-bit RGB to NV12 of the same size, BT.709 limited range, by vector instructions.
 *
 * No library does BT.709 at this speed: libyuv knows BT.601 only, libswscale takes several times as long.
 */
#ifndef HELIX_CONVERT_RGB_H
#define HELIX_CONVERT_RGB_H

#include <glib.h>

/* Minimum width in pixels: rows are converted in pieces of this width. */
#define HELIX_CONVERT_RGB_MIN_WIDTH 32u

typedef struct HelixRgbPicture {
    const guint8 *pixels;  /* four bytes a pixel, the fourth is ignored */
    gsize stride;          /* bytes a row */
    guint32 width, height; /* even; width from HELIX_CONVERT_RGB_MIN_WIDTH on */
    gboolean red_first;    /* else blue is */
} HelixRgbPicture;

/* FALSE: this processor lacks the instructions (AVX2), or there is no code for its architecture. Any thread. */
gboolean helix_convert_rgb_available(void);

/*
 * Convert @picture into @luma and @chroma (Cb and Cr interleaved), both of @stride bytes a row. Nothing outside of the
 * pictures is read or written. Chroma is the mean of 2 x 2 pixels. Any thread; only if available.
 *
 * Luma is less than one level from the exact value. Chroma may be further from it: the mean is rounded up in each of
 * two steps (0.44 of a level at most), the coefficients are multiples of 1/256 (0.68 for Cb, 0.45 for Cr), and the sum
 * is rounded (0.5), so that Cb is within 1.62 and Cr within 1.39, and at worst, which is rare, two levels from the
 * rounded exact value.
 */
void helix_convert_rgb(const HelixRgbPicture *picture, guint8 *luma, guint8 *chroma, gsize stride);

#endif
