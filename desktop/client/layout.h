/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * layout.h - where a picture lies in a buffer, and how its visible part is copied from there. Pure: any thread.
 */
#ifndef HELIX_CLIENT_LAYOUT_H
#define HELIX_CLIENT_LAYOUT_H

#include "helix-client.h"
#include "layout-types.h"

/* FALSE with HELIX_CLIENT_ERROR_IMAGE: no format of ours, no size, or a crop outside of it. */
gboolean client_image_check(const HelixClientImage *image, GError **error);
/* The part of @image to encode. */
ClientRect client_image_rect(const HelixClientImage *image);
/* The protocol's format for pictures of @format: YU12 becomes NV12, as samples.h says of others. 0: none. */
guint32 client_wire_format(guint32 format);
/* Of an image of @format; 0 for what is no format. */
guint client_format_planes(guint32 format);

/* Rows without padding but what NV12 needs for even sizes, the second plane below an even number of rows. */
ClientLayout client_layout_tight(guint32 fourcc, guint width, guint height);
/* The layout that most programs give a picture: rows begin at multiples of four bytes. */
ClientLayout client_layout_default(guint32 fourcc, guint width, guint height);
/* Bytes of a row of @rect's plane @plane, and how many rows. */
gsize client_plane_row_bytes(guint32 fourcc, guint plane, guint width);
guint client_plane_rows(guint plane, guint height);

/*
 * Copy @rect of @image's pixels to @to, laid out as @layout says. Chroma is taken from the samples that the rectangle
 * touches: a crop that begins between two begins at the one before. Returns the bytes written.
 */
gsize client_copy_rect(const HelixClientImage *image, const ClientRect *rect, guint8 *to, const ClientLayout *layout);

#endif
