/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image.h - a GstBuffer's picture as libhelix-client describes one. Pure: any thread. */
#ifndef VSOCKENC_IMAGE_H
#define VSOCKENC_IMAGE_H

#include <gst/video/video.h>
#include "../client/helix-client.h"

/* HELIX_CLIENT_FORMAT_ of @format; 0: none. */
guint32 vsockenc_image_format(GstVideoFormat format);
/* Why pictures of @info are converted by the copy, to be freed. NULL: they are not. */
char *vsockenc_image_why_converted(const GstVideoInfo *info);
/* Size of @buffer's picture after its crop meta, if that is a usable one. */
void vsockenc_image_size(const GstVideoInfo *info, GstBuffer *buffer, guint32 *width, guint32 *height);
/* Where the picture lies in @buffer's first memory. FALSE: it has fewer planes than its format. */
gboolean vsockenc_image_in_memory(HelixClientImage *image, const GstVideoInfo *info, GstBuffer *buffer);
/* The pixels of @frame, a mapped @buffer. */
void vsockenc_image_of_pixels(HelixClientImage *image, const GstVideoInfo *info, const GstVideoFrame *frame);

#endif
