/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resource.h - from a DMA-BUF to the virtio-gpu resource id the host knows it by.
 *
 * Imported handles are kept, because each import and each close costs the host a context attach; a buffer that has not
 * been seen for a while is let go. One thread at a time.
 */
#ifndef VSOCKENC_RESOURCE_H
#define VSOCKENC_RESOURCE_H

#include "node.h"

typedef struct VsockGpu VsockGpu;

/* Imports through @node (referenced), which nobody else imports through. */
VsockGpu *vsock_gpu_new(VsockNode *node);
void vsock_gpu_free(VsockGpu *gpu);
/* The resource id of DMA-BUF @fd (kept by the caller). @imported tells whether it was new. 0 with VSOCK_GPU_ERROR. */
guint32 vsock_gpu_lookup(VsockGpu *gpu, int fd, gboolean *imported, GError **error);
/* Let every buffer go. */
void vsock_gpu_forget(VsockGpu *gpu);

/*
 * Who exported DMA-BUF @fd: a driver's name like "virtio_gpu", "drm" for one of the others that share DRM's code, or
 * NULL if the kernel does not say: before 5.8 "drm" may be the virtio-gpu too. To be freed.
 */
char *vsock_dmabuf_exporter(int fd);

#endif
