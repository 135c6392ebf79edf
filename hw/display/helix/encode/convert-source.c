/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert-source.c - the picture in a surface's memory, checked to lie within it, as libswscale may read it. */
#include <string.h>

#include "convert-source.h"
#include "../protocol/error.h"

static gboolean describe(const HelixSurface *surface, HelixConvertSource *source)
{
    guint64 width = surface->width, height = surface->height;
    guint64 chroma_rows = (height + 1) / 2, chroma_bytes = (width + 1) / 2 * 2;

    if (surface->kind != HELIX_SURFACE_MEMORY || !surface->data || width < 1 || height < 1 ||
        width > HELIX_MAX_DIMENSION || height > HELIX_MAX_DIMENSION) {
        return FALSE;
    }
    *source = (HelixConvertSource){ .width = surface->width, .height = surface->height, .n_planes = 1 };
    source->rows[0] = surface->height;
    source->row_bytes[0] = surface->width * 4;
    switch (surface->fourcc) {
    case HELIX_FORMAT_AR24:
    case HELIX_FORMAT_XR24:
        source->format = AV_PIX_FMT_BGR0;
        return TRUE;
    case HELIX_FORMAT_AB24:
    case HELIX_FORMAT_XB24:
        source->format = AV_PIX_FMT_RGB0;
        return TRUE;
    case HELIX_FORMAT_NV12:
        source->format = AV_PIX_FMT_NV12;
        source->n_planes = 2;
        source->row_bytes[0] = surface->width;
        source->row_bytes[1] = (guint32)chroma_bytes;
        source->rows[1] = (guint32)chroma_rows;
        return TRUE;
    default:
        return FALSE;
    }
}

gboolean helix_convert_source_open(HelixConvertSource *source, const HelixSurface *surface, GError **error)
{
    gboolean usable = describe(surface, source);

    source->has_slack = TRUE;
    for (guint i = 0; usable && i < source->n_planes; i++) {
        guint64 last_row = (guint64)surface->stride[i] * (source->rows[i] - 1);
        guint64 span = last_row + source->row_bytes[i];

        usable = surface->stride[i] >= source->row_bytes[i] && surface->stride[i] <= G_MAXINT32 &&
            span <= surface->size && surface->offset[i] <= surface->size - span;
        if (usable) {
            source->plane[i] = surface->data + surface->offset[i];
            source->stride[i] = surface->stride[i];
            source->bytes += (guint64)source->row_bytes[i] * source->rows[i];
            source->has_slack = source->has_slack &&
                surface->offset[i] + last_row + helix_convert_align_row(source->row_bytes[i]) <= surface->size;
        }
    }
    if (!usable) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY,
                    "no %u x %u picture of format 0x%08x fits in the surface's %" G_GSIZE_FORMAT " bytes: sides are "
                    "from 1 to %u, formats AR24, XR24, AB24, XB24 or NV12",
                    surface->width, surface->height, surface->fourcc, surface->size, HELIX_MAX_DIMENSION);
    }
    return usable;
}

/* ---- a copy with slack ---- */

void helix_convert_copy_rows(guint8 *to, guint32 to_stride, const guint8 *from, guint32 from_stride, guint32 bytes,
                             guint32 rows)
{
    for (guint32 y = 0; y < rows; y++) {
        memcpy(to + (gsize)y * to_stride, from + (gsize)y * from_stride, bytes);
    }
}

/* libswscale reads the bytes between two rows, though they change no pixel: they are initialised too. */
static void clear_row_ends(guint8 *to, guint32 stride, guint32 bytes, guint32 rows)
{
    for (guint32 y = 0; bytes < stride && y < rows; y++) {
        memset(to + (gsize)y * stride + bytes, 0, stride - bytes);
    }
}

gsize helix_convert_source_padded_size(const HelixConvertSource *source)
{
    gsize size = 0;

    for (guint i = 0; i < source->n_planes; i++) {
        size += (gsize)helix_convert_align_row(source->row_bytes[i]) * source->rows[i];
    }
    return size;
}

void helix_convert_source_pad(HelixConvertSource *source, guint8 *to)
{
    for (guint i = 0; i < source->n_planes; i++) {
        guint32 stride = helix_convert_align_row(source->row_bytes[i]);

        helix_convert_copy_rows(to, stride, source->plane[i], source->stride[i], source->row_bytes[i], source->rows[i]);
        clear_row_ends(to, stride, source->row_bytes[i], source->rows[i]);
        source->plane[i] = to;
        source->stride[i] = stride;
        to += (gsize)stride * source->rows[i];
    }
    source->has_slack = TRUE;
}
