/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * picture.h - how a FRAME_REQUEST describes its picture, and the arithmetic of picture layouts.
 *
 * No function keeps state; any thread.
 */
#ifndef HELIX_PICTURE_H
#define HELIX_PICTURE_H

#include <glib.h>
#include "helix-wire.h"

/* A FRAME_REQUEST's picture with its EXT block (all zero without one). Not trusted: nothing was compared with the
 * resource yet; width, height, crop and offsets are as the guest sent them. */
typedef struct HelixPicture {
    guint32 resource_id;
    guint32 width, height; /* pixels after cropping; > 0 */
    guint32 fourcc;        /* one of HELIX_FORMAT_ */
    guint32 stride;        /* bytes; has no meaning for a texture */
    guint8 source;         /* HELIX_SOURCE_ */
    guint8 planes;         /* 0: offset, stride_of and modifier have no meaning */
    guint32 crop_x, crop_y;
    guint32 res_width, res_height; /* of the whole resource; 0: as the picture */
    guint32 offset[3], stride_of[3];
    guint64 modifier;
} HelixPicture;

/* Bytes of the pixels in one row of the first plane; 0 for an unknown format. NV12's chroma rows have as many. */
guint64 helix_picture_row_bytes(guint32 fourcc, guint32 width);

/*
 * Bytes that a picture of this format needs at this stride (bytes of the first plane's rows), or 0 if format or
 * geometry is unusable or the sum overflows. NV12's second plane starts at stride * (height rounded up to even).
 * @min_stride, if not NULL, receives the smallest stride for @width, also when @stride was too small.
 */
gsize helix_picture_size(guint32 fourcc, guint32 width, guint32 height, guint32 stride, guint32 *min_stride);

#endif
