/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pixels.h - pictures read by the CPU: mapped, and sent as pixels. */
#ifndef VSOCKENC_PIXELS_H
#define VSOCKENC_PIXELS_H

#include "picture.h"

/* So long a DMA-BUF that the CPU is to read may take to be drawn: below the 100 ms in which flush and stop return. */
#define VSOCK_FENCE_MS 80

/*
 * Map @buffer for reading, its write fence waited for. NULL with GST_STREAM_ERROR: it is not what its caps say; with
 * GST_RESOURCE_ERROR_BUSY: the fence did not open in time.
 */
GstVideoFrame *vsock_frame_map(const GstVideoInfo *info, GstBuffer *buffer, GError **error);
void vsock_frame_unmap(GstVideoFrame *frame);

/* A picture whose pixels go over the connection. NULL with GST_STREAM_ERROR or GST_RESOURCE_ERROR. */
VsockPicture *vsock_pixels_picture(const GstVideoInfo *info, GstBuffer *buffer, GError **error);
/* The picture in a buffer of ours once more, as vsock_picture_again() but by its pixels. NULL: no memory. */
VsockPicture *vsock_pixels_again(const VsockPicture *picture);

#endif
