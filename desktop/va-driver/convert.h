/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convert.h - pictures copied by the CPU: into another format, another size, another place. Any thread. */
#ifndef HELIX_VA_CONVERT_H
#define HELIX_VA_CONVERT_H

#include "formats.h"

typedef struct HvaRect {
    guint x, y, width, height;
} HvaRect;

typedef struct HvaPlanes {
    const HvaFormat *format;
    guint width, height;
    guint8 *data[3]; /* in the order of memory */
    gsize stride[3];
    guint8 *cb, *cr;     /* YUV: the first sample of each */
    gsize chroma_stride; /* from one row of them to the next */
    gsize chroma_step;   /* from one to the next */
} HvaPlanes;

void hva_planes(HvaPlanes *planes, const HvaFormat *format, guint width, guint height, const HvaLayout *layout,
                guint8 *data);
/*
 * @to_rect of @to becomes what @from_rect of @from is. Rectangles lie within their pictures and are not empty. YUV is
 * BT.709 in limited range where RGB is the other side, and keeps its samples where both are YUV. Scaling is bilinear.
 * In 4:2:0, @to_rect begins at even coordinates; its odd last column or row shares its chroma with nothing.
 */
void hva_convert(const HvaPlanes *from, const HvaRect *from_rect, const HvaPlanes *to, const HvaRect *to_rect);
/* All of @to becomes @argb (0xAARRGGBB). */
void hva_fill(const HvaPlanes *to, guint32 argb);

#endif
