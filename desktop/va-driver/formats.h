/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* formats.h - the formats of surfaces and images, and how their planes lie in memory. */
#ifndef HELIX_VA_FORMATS_H
#define HELIX_VA_FORMATS_H

#include <glib.h>
#include <va/va.h>

/* Sides of a surface, in pixels: what hosts take. */
#define HVA_MIN_SIDE 16u
#define HVA_MAX_SIDE 8192u

typedef struct HvaFormat {
    guint32 fourcc;    /* VA's */
    guint32 drm;       /* DRM's, and the library's; 0: images only */
    guint32 rt_format; /* VA_RT_FORMAT_ */
    guint n_planes;
    guint8 red, blue; /* RGB: the byte of a pixel; green is 1 */
    guint8 cb, cr;    /* YUV: the plane */
    gboolean alpha;
} HvaFormat;

#define HVA_N_FORMATS 7u
extern const HvaFormat hva_formats[HVA_N_FORMATS];

/* NULL: not known. */
const HvaFormat *hva_format_find(guint32 fourcc);
const HvaFormat *hva_format_of_drm(guint32 drm);
/* The format of a surface whose client names none; NULL: no surface can have @rt_format. */
const HvaFormat *hva_format_default(guint32 rt_format);
static inline gboolean hva_format_is_rgb(const HvaFormat *format)
{
    return format->n_planes == 1;
}
void hva_format_describe(const HvaFormat *format, VAImageFormat *image);

/* Where the planes lie; in the order of memory. */
typedef struct HvaLayout {
    gsize offset[3], stride[3], size;
} HvaLayout;

void hva_layout(const HvaFormat *format, guint width, guint height, HvaLayout *layout);
/* Bytes of a row, and rows, of a plane. */
gsize hva_row_bytes(const HvaFormat *format, guint plane, guint width);
guint hva_rows(const HvaFormat *format, guint plane, guint height);

#endif
