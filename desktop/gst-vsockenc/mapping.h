/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mapping.h - frames read by the CPU: a DMA-BUF's write fence waited for, and its reads bracketed. Any thread. */
#ifndef VSOCKENC_MAPPING_H
#define VSOCKENC_MAPPING_H

#include <gst/video/video.h>

/* Limit for the write fence of a DMA-BUF that the CPU reads: below the 100 ms in which flush and stop return. */
#define VSOCKENC_FENCE_MS 80

/*
 * Map @buffer for reading, its write fence waited for. NULL with GST_STREAM_ERROR: it is not what its caps say; with
 * GST_RESOURCE_ERROR_BUSY: the fence was not signalled in time.
 */
GstVideoFrame *vsockenc_map(const GstVideoInfo *info, GstBuffer *buffer, GError **error);
void vsockenc_unmap(GstVideoFrame *frame);

#endif
