/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * upstream-pool.h - a GstBufferPool of virtio-gpu buffers for upstream to draw into.
 *
 * No more than @most of its buffers are the GPU's, as these are costly: upstream gets plain memory beyond that, so that
 * it never waits for the host, and such a buffer is let go when it comes back. Buffers keep the render node open, so
 * the pool may be used when the element is gone. Any thread.
 */
#ifndef VSOCKENC_UPSTREAM_POOL_H
#define VSOCKENC_UPSTREAM_POOL_H

#include <gst/video/gstvideopool.h>
#include "../client/helix-client.h"

/* Not configured yet: caps of a format that helix_client_buffer_new() takes, in system memory. */
GstBufferPool *vsockenc_pool_new(HelixClientGpu *gpu, HelixClientBufferKind kind, guint most);

#endif
