/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pixel-upload.h - PIXEL_DATA, which arrives in pieces of any size, is written straight into a surface. Main loop only.
 *
 * Part of frame/, not protocol/: it takes memory from the surface pool and clears the bytes beside the rows.
 */
#ifndef HELIX_PIXEL_UPLOAD_H
#define HELIX_PIXEL_UPLOAD_H

#include "surface.h"

typedef struct HelixPixelUpload {
    HelixSurface *surface; /* being filled; NULL: bytes that arrive are skipped */
    guint32 stride;        /* bytes per row on the wire */
    guint32 row_bytes;     /* of them, bytes of pixels */
    guint64 position;      /* bytes that arrived, in the wire's layout */
} HelixPixelUpload;

/*
 * Prepare for @picture, of which @available bytes will arrive. FALSE with HELIX_CODE_GEOMETRY if its size, format and
 * stride need more, or HELIX_CODE_INTERNAL without memory; the bytes are then skipped.
 */
gboolean helix_pixel_upload_start(HelixPixelUpload *upload, HelixSurfacePool *pool, const HelixPicture *picture,
                                  guint64 available, GError **error);
void helix_pixel_upload_feed(HelixPixelUpload *upload, const guint8 *data, gsize len);
/* The filled surface, the caller's; NULL if the bytes were skipped. */
HelixSurface *helix_pixel_upload_finish(HelixPixelUpload *upload);

#endif
