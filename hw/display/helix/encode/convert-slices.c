/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert-slices.c - conversion of a picture to NV12 in slices, which helper threads share. */
#include "convert-slices.h"

#define SLICE_ROWS 64u

static void convert_slice(gpointer data, guint n)
{
    const HelixConvertSlices *slices = data;
    HelixRgbPicture slice = slices->picture;
    gsize first = (gsize)n * SLICE_ROWS;

    slice.pixels += first * slice.stride;
    slice.height = (guint32)MIN(slice.height - first, SLICE_ROWS);
    helix_convert_rgb(&slice, slices->luma + first * slices->stride, slices->chroma + first / 2 * slices->stride,
                      slices->stride);
}

void helix_convert_slices_begin(HelixConvertSlices *slices, guint helpers)
{
    const HelixRgbPicture *picture = &slices->picture;
    gboolean small = (guint64)picture->width * picture->height < HELIX_CONVERT_SLICES_MIN_PIXELS;

    slices->work = helix_parallel_for_begin(convert_slice, slices, (picture->height + SLICE_ROWS - 1) / SLICE_ROWS,
                                            small ? 0 : helpers);
}

void helix_convert_slices_end(HelixConvertSlices *slices)
{
    helix_parallel_for_end(g_steal_pointer(&slices->work));
}
