/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* coded-size.h - the size that the host codes pictures in, where downstream's caps ask for another than theirs. No
 * state: any thread. */
#ifndef VSOCKENC_CODED_SIZE_H
#define VSOCKENC_CODED_SIZE_H

#include <gst/gst.h>

/*
 * The size that downstream of @srcpad takes and that is nearest to @width x @height, a picture's, which it replaces;
 * its shape is kept where the caps leave a choice. FALSE: downstream takes the picture's own.
 */
gboolean vsockenc_coded_size_choose(GstPad *srcpad, guint32 *width, guint32 *height);
/* Whether a picture keeps its shape when it is scaled to @coded_width x @coded_height: to the pixel, as coded sizes are
 * whole and even. */
gboolean vsockenc_coded_size_has_shape(guint32 width, guint32 height, guint32 coded_width, guint32 coded_height);
/* From a picture's pixel aspect ratio *@n / *@d to that of its coded one, stretched to that size. */
void vsockenc_coded_size_stretch_pixels(guint32 width, guint32 height, guint32 coded_width, guint32 coded_height,
                                        gint *n, gint *d);
/* Whether downstream of @srcpad takes pixels of aspect ratio @n / @d. */
gboolean vsockenc_coded_size_takes_pixels(GstPad *srcpad, gint n, gint d);

#endif
