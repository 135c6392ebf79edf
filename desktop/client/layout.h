/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * layout.h - where a picture lies in a buffer, and how its visible part is copied from there. Pure: any thread.
 */
#ifndef VSOCKENC_LAYOUT_H
#define VSOCKENC_LAYOUT_H

#include <gst/video/video.h>

typedef struct VsockRect {
    guint x, y, width, height;
} VsockRect;

/* The picture inside @buffer: GstVideoCropMeta where there is a usable one. */
VsockRect vsock_visible_rect(const GstVideoInfo *info, GstBuffer *buffer);

/* The wire's format for pictures of @format: I420 becomes NV12. 0: none. */
guint32 vsock_fourcc(GstVideoFormat format);

/* Where the wire's pixels begin and how far their rows are apart. */
typedef struct VsockLayout {
    guint n_planes; /* 2: NV12 */
    gsize offset[2], stride[2];
    gsize size;
} VsockLayout;

/* Rows without more padding than the format needs, the second plane below an even number of rows. */
VsockLayout vsock_layout_tight(guint32 fourcc, guint width, guint height);
/* GStreamer's default for @info. */
VsockLayout vsock_layout_default(const GstVideoInfo *info);

/*
 * Copy @rect of @frame to @to, laid out as @layout says. Chroma is taken from the samples that the rectangle touches:
 * a crop that begins between two begins at the one before. Returns the bytes written.
 */
gsize vsock_copy_rect(const GstVideoFrame *frame, const VsockRect *rect, guint8 *to, const VsockLayout *layout);

#endif
