/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * convert-slices.h - a picture is converted to NV12 in bands of rows, some of them by idle processors.
 */
#ifndef HELIX_CONVERT_SLICES_H
#define HELIX_CONVERT_SLICES_H

#include "convert-rgb.h"
#include "parallel-for.h"

/* The caller's; stays where it is from begin to end, as do the pictures. */
typedef struct HelixConvertSlices {
    HelixRgbPicture picture;
    guint8 *luma, *chroma; /* as of helix_convert_rgb(), which must be available */
    gsize stride;
    HelixParallelFor *work; /* ours */
} HelixConvertSlices;

/* Pictures smaller than this are converted sooner than a helper wakes up. */
#define HELIX_CONVERT_SLICES_MIN_PIXELS ((guint64)640 * 360)

/* As of helix_parallel_for_begin() and helix_parallel_for_end(). */
void helix_convert_slices_begin(HelixConvertSlices *bands, guint helpers);
void helix_convert_slices_end(HelixConvertSlices *bands);

#endif
