/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resource.h - from a DMA-BUF to the virtio-gpu resource id the host knows it by.
 *
 * An own open of the render node: handles of a DRM file are shared by all who import through it, so closing one of
 * somebody else's file would pull the buffer from under him. Imported handles are kept, because each import and each
 * close costs the host a context attach; a buffer that has not been seen for a while is let go. One thread at a time.
 */
#ifndef VSOCKENC_RESOURCE_H
#define VSOCKENC_RESOURCE_H

#include <glib.h>

typedef struct VsockGpu VsockGpu;

#define VSOCK_GPU_ERROR (vsock_gpu_error_quark())
GQuark vsock_gpu_error_quark(void);

typedef enum VsockGpuError {
    VSOCK_GPU_ERROR_NO_DEVICE,  /* no virtio-gpu here */
    VSOCK_GPU_ERROR_ACCESS,     /* there is one, but its render node cannot be opened */
    VSOCK_GPU_ERROR_FOREIGN,    /* the buffer belongs to another driver: the host does not know it */
    VSOCK_GPU_ERROR_FAILED,
} VsockGpuError;

/* The virtio-gpu's render node. @dri: its folder, NULL for /dev/dri (tests name another). */
VsockGpu *vsock_gpu_open(const char *dri, GError **error);
void vsock_gpu_free(VsockGpu *gpu);
/* The resource id of DMA-BUF @fd (kept by the caller). @imported tells whether it was new. 0 with VSOCK_GPU_ERROR. */
guint32 vsock_gpu_lookup(VsockGpu *gpu, int fd, gboolean *imported, GError **error);
/* Let every buffer go. */
void vsock_gpu_forget(VsockGpu *gpu);

/* Who exported DMA-BUF @fd: a driver's name like "virtio_gpu", or NULL if the kernel does not say. To be freed. */
char *vsock_dmabuf_exporter(int fd);

#endif
