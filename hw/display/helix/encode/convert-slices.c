/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert-slices.c - a picture is converted to NV12 in bands of rows, some of them by idle processors. */
#include "convert-slices.h"

#define BAND_ROWS 64u /* that one thread converts before it takes the next ones */

static void convert_band(gpointer data, guint n)
{
    const HelixConvertSlices *bands = data;
    HelixRgbPicture band = bands->picture;
    gsize first = (gsize)n * BAND_ROWS;

    band.pixels += first * band.stride;
    band.height = (guint32)MIN(band.height - first, BAND_ROWS);
    helix_convert_rgb(&band, bands->luma + first * bands->stride, bands->chroma + first / 2 * bands->stride,
                      bands->stride);
}

void helix_convert_slices_begin(HelixConvertSlices *bands, guint helpers)
{
    const HelixRgbPicture *picture = &bands->picture;
    gboolean small = (guint64)picture->width * picture->height < HELIX_CONVERT_SLICES_MIN_PIXELS;

    bands->work = helix_parallel_for_begin(convert_band, bands, (picture->height + BAND_ROWS - 1) / BAND_ROWS,
                                           small ? 0 : helpers);
}

void helix_convert_slices_end(HelixConvertSlices *bands)
{
    helix_parallel_for_end(g_steal_pointer(&bands->work));
}
