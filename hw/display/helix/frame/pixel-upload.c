/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pixel-upload.c - PIXEL_DATA into a surface, row by row. */
#include <string.h>

#include "../protocol/error.h"
#include "pixel-upload.h"

gboolean helix_pixel_upload_start(HelixPixelUpload *upload, HelixSurfacePool *pool, const HelixPicture *picture,
                                  guint64 available, GError **error)
{
    guint32 min_stride;
    gsize needed = helix_picture_size(picture->fourcc, picture->width, picture->height, picture->stride, &min_stride);

    memset(upload, 0, sizeof *upload);
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
    upload->surface = helix_surface_pool_take_for_wire(pool, picture->fourcc, picture->width, picture->height, error);
    if (!upload->surface) {
        return FALSE;
    }
    upload->surface->path = HELIX_HOST_PATH_PIXEL_DATA;
    upload->stride = picture->stride;
    upload->row_bytes = min_stride;
    return TRUE;
}

/* The address of row @row of the wire's layout; NULL for the row that pads NV12's luma to an even height, and behind
 * the last one. */
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

void helix_pixel_upload_feed(HelixPixelUpload *upload, const guint8 *data, gsize len)
{
    while (upload->surface && len > 0) {
        guint64 row = upload->position / upload->stride;
        guint32 column = (guint32)(upload->position % upload->stride);
        gsize piece = MIN(len, upload->stride - column);
        guint8 *to = row_at(upload->surface, row);

        if (to && column < upload->row_bytes) {
            gsize wanted = MIN(piece, upload->row_bytes - column);

            memcpy(to + column, data, wanted);
            upload->surface->cpu_bytes += wanted;
        }
        upload->position += piece;
        data += piece;
        len -= piece;
    }
}

HelixSurface *helix_pixel_upload_finish(HelixPixelUpload *upload)
{
    HelixSurface *surface = g_steal_pointer(&upload->surface);

    for (guint i = 0; surface && i < surface->n_planes; i++) {
        helix_surface_clear_edges(surface, i, 0, i ? (guint32)(((guint64)surface->height + 1) / 2) : surface->height);
    }
    return surface;
}
