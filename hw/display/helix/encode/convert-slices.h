/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * convert-slices.h - a picture is converted to NV12 in bands of rows, some of them by idle processors.
 */
#ifndef HELIX_BANDS_H
#define HELIX_BANDS_H

#include "convert-rgb.h"
#include "parallel-for.h"

/* The caller's; stays where it is from begin to end, as do the pictures. */
typedef struct HelixBands {
    HelixRgbPicture picture;
    guint8 *luma, *chroma; /* as of helix_convert_rgb(), which must be available */
    gsize stride;
    HelixShared *work; /* ours */
} HelixBands;

/* Pictures smaller than this are converted sooner than a helper wakes up. */
#define HELIX_BANDS_MIN_PIXELS ((guint64)640 * 360)

/* As of helix_share_begin() and helix_share_end(). */
void helix_bands_begin(HelixBands *bands, guint helpers);
void helix_bands_end(HelixBands *bands);

#endif
