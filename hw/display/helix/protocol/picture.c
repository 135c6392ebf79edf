/* SPDX-License-Identifier: GPL-2.0-or-later */
/* picture.c - the arithmetic of picture layouts. Sizes come from the guest: sums are 64 bits wide. */
#include "picture.h"

guint64 helix_picture_row_bytes(guint32 fourcc, guint32 width)
{
    switch (fourcc) {
    case HELIX_FORMAT_AR24:
    case HELIX_FORMAT_XR24:
    case HELIX_FORMAT_AB24:
    case HELIX_FORMAT_XB24:
        return (guint64)width * 4;
    case HELIX_FORMAT_NV12:
        return ((guint64)width + 1) & ~G_GUINT64_CONSTANT(1); /* a chroma row has whole pairs */
    default:
        return 0;
    }
}

gsize helix_picture_size(guint32 fourcc, guint32 width, guint32 height, guint32 stride, guint32 *min_stride)
{
    guint64 row = helix_picture_row_bytes(fourcc, width), rows = height, size;
    gboolean usable = row > 0 && row <= G_MAXUINT32;

    if (min_stride) {
        *min_stride = usable ? (guint32)row : 0;
    }
    if (!usable || height == 0 || stride < row) {
        return 0;
    }
    if (fourcc == HELIX_FORMAT_NV12) {
        rows = (rows + 1) & ~G_GUINT64_CONSTANT(1);
        rows += rows / 2;
    }
    /* stride < 2^32 and rows < 2^33 */
    if (rows > G_MAXUINT64 / stride) {
        return 0;
    }
    size = rows * stride;
    return size > G_MAXSSIZE ? 0 : (gsize)size;
}
