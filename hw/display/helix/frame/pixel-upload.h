/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pixel-upload.h - PIXEL_DATA as it arrives, in pieces of any size, put straight into a surface.
 */
#ifndef HELIX_PIXEL_UPLOAD_H
#define HELIX_PIXEL_UPLOAD_H

#include "surface.h"

typedef struct HelixPixelUpload {
    HelixSurface *surface; /* being filled; NULL: what arrives is skipped */
    guint32 stride;        /* bytes a row on the wire */
    guint32 row_bytes;     /* of them, the picture's */
    guint64 position;      /* bytes of the picture's layout that arrived */
} HelixPixelUpload;

/*
 * Get ready for @picture of which @available bytes will arrive. FALSE with HELIX_CODE_GEOMETRY if that is not what its
 * size, format and stride need, or HELIX_CODE_INTERNAL without memory; the sink then skips.
 */
gboolean helix_pixel_upload_start(HelixPixelUpload *sink, HelixSurfacePool *pool, const HelixPicture *picture,
                                  guint64 available, GError **error);
void helix_pixel_upload_feed(HelixPixelUpload *sink, const guint8 *data, gsize len);
/* The filled surface, the caller's; NULL if the sink skipped. */
HelixSurface *helix_pixel_upload_finish(HelixPixelUpload *sink);

#endif
