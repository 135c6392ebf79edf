/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pixel-upload.c - PIXEL_DATA into a surface, row by row. */
#include <string.h>

#include "../protocol/error.h"
#include "pixel-upload.h"

gboolean helix_pixel_upload_start(HelixPixelUpload *sink, HelixSurfacePool *pool, const HelixPicture *picture,
                                  guint64 available, GError **error)
{
    guint32 min_stride;
    gsize needed = helix_picture_size(picture->fourcc, picture->width, picture->height, picture->stride, &min_stride);

    memset(sink, 0, sizeof *sink);
    if (picture->width > HELIX_MAX_DIMENSION || picture->height > HELIX_MAX_DIMENSION) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "%u x %u pixels: each side is at most %u", picture->width,
                    picture->height, HELIX_MAX_DIMENSION);
        return FALSE;
    }
    if (needed == 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY,
                    "a stride of %u bytes: %u x %u pixels of this format need at least %u", picture->stride,
                    picture->width, picture->height, min_stride);
        return FALSE;
    }
    if (needed > available) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY,
                    "%" G_GUINT64_FORMAT " bytes of pixels: this size, format and stride "
                    "need %" G_GSIZE_FORMAT,
                    available, needed);
        return FALSE;
    }
    sink->surface = helix_surface_pool_take_for_wire(pool, picture->fourcc, picture->width, picture->height, error);
    if (!sink->surface) {
        return FALSE;
    }
    sink->surface->path = HELIX_HOST_PATH_PIXEL_DATA;
    sink->stride = picture->stride;
    sink->row_bytes = min_stride;
    return TRUE;
}

/* Where a row of the wire's layout goes, or NULL for the row that pads NV12's luma to an even height and for excess. */
static guint8 *row_at(const HelixSurface *surface, guint64 row)
{
    guint64 luma_rows = surface->height, chroma_row;

    if (row < luma_rows) {
        return surface->data + surface->offset[0] + row * surface->stride[0];
    }
    luma_rows = (luma_rows + 1) & ~G_GUINT64_CONSTANT(1);
    if (surface->n_planes < 2 || row < luma_rows) {
        return NULL;
    }
    chroma_row = row - luma_rows;
    return chroma_row < luma_rows / 2 ? surface->data + surface->offset[1] + chroma_row * surface->stride[1] : NULL;
}

void helix_pixel_upload_feed(HelixPixelUpload *sink, const guint8 *data, gsize len)
{
    while (sink->surface && len > 0) {
        guint64 row = sink->position / sink->stride;
        guint32 column = (guint32)(sink->position % sink->stride);
        gsize piece = MIN(len, sink->stride - column);
        guint8 *to = row_at(sink->surface, row);

        if (to && column < sink->row_bytes) {
            gsize wanted = MIN(piece, sink->row_bytes - column);

            memcpy(to + column, data, wanted);
            sink->surface->cpu_bytes += wanted;
        }
        sink->position += piece;
        data += piece;
        len -= piece;
    }
}

HelixSurface *helix_pixel_upload_finish(HelixPixelUpload *sink)
{
    HelixSurface *surface = g_steal_pointer(&sink->surface);

    for (guint i = 0; surface && i < surface->n_planes; i++) {
        helix_surface_clear_edges(surface, i, 0, i ? (guint32)(((guint64)surface->height + 1) / 2) : surface->height);
    }
    return surface;
}
