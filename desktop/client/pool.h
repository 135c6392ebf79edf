/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.h - a GstBufferPool of virtio-gpu buffers of the element's own: given to upstream to draw into, or copied into
 * by the element itself.
 *
 * No more than @most of its buffers are the GPU's, as these are dear: upstream gets plain memory beyond that, so that
 * it never waits for the host, and such a buffer is let go when it comes back. Buffers keep the render node open, so
 * the pool may be used when the element is gone.
 */
#ifndef VSOCKENC_POOL_H
#define VSOCKENC_POOL_H

#include <gst/video/gstvideopool.h>
#include "memory.h"

/* Not configured yet: caps of a format that vsock_memory_new() takes, in system memory. */
GstBufferPool *vsock_pool_new(VsockNode *node, VsockMemoryKind kind, guint most);
/* Configured for @info and active; NULL with VSOCK_GPU_ERROR. */
GstBufferPool *vsock_pool_new_active(VsockNode *node, VsockMemoryKind kind, guint most, const GstVideoInfo *info,
                                     GError **error);

#endif
