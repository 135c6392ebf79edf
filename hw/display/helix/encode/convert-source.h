/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert-source.h - the picture in a surface's memory, checked to lie within it, as libswscale may read it. */
#ifndef HELIX_CONVERT_SOURCE_H
#define HELIX_CONVERT_SOURCE_H

#include <libavutil/pixfmt.h>

#include "../frame/surface.h"

/* libswscale's vector code reads and writes rows in whole vectors: up to the next multiple of this. */
#define HELIX_CONVERT_ROW_ALIGN 64u

typedef struct HelixConvertSource {
    enum AVPixelFormat format; /* NV12, BGR0 or RGB0: alpha is ignored */
    guint32 width, height;
    guint n_planes;
    const guint8 *plane[2];
    guint32 stride[2], row_bytes[2], rows[2];
    guint64 bytes;      /* of the picture itself */
    gboolean has_slack; /* each plane's last row may be read up to the next multiple of HELIX_CONVERT_ROW_ALIGN */
} HelixConvertSource;

/* Find the planes of @surface, each wholly within its memory. FALSE with HELIX_CODE_GEOMETRY: there are none. */
gboolean helix_convert_source_open(HelixConvertSource *source, const HelixSurface *surface, GError **error);

/* Bytes of a copy with slack. */
gsize helix_convert_source_padded_size(const HelixConvertSource *source);
/* Copy the picture to @to, of that size, and let @source describe the copy. Every byte of the copy is written. */
void helix_convert_source_pad(HelixConvertSource *source, guint8 *to);

static inline guint32 helix_convert_align_row(guint32 bytes)
{
    return (bytes + HELIX_CONVERT_ROW_ALIGN - 1) & ~(HELIX_CONVERT_ROW_ALIGN - 1);
}

/* Copy @rows rows of @bytes bytes. */
void helix_convert_copy_rows(guint8 *to, guint32 to_stride, const guint8 *from, guint32 from_stride, guint32 bytes,
                             guint32 rows);

#endif
