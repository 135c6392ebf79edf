/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * node.h - the virtio-gpu's render node, opened by the element for itself.
 *
 * Handles of a DRM file are shared by all who use it, so closing one of somebody else's file would pull a buffer from
 * under him: hence an own open. Reference-counted, as buffers made on it may outlive the element that made them. Any
 * thread.
 */
#ifndef VSOCKENC_NODE_H
#define VSOCKENC_NODE_H

#include <glib.h>
#include <sys/types.h>

#define VSOCK_GPU_ERROR (vsock_gpu_error_quark())
GQuark vsock_gpu_error_quark(void);

typedef enum VsockGpuError {
    VSOCK_GPU_ERROR_NO_DEVICE, /* no virtio-gpu here */
    VSOCK_GPU_ERROR_ACCESS,    /* there is one, but its render node cannot be opened */
    VSOCK_GPU_ERROR_FOREIGN,   /* the buffer belongs to another driver: the host does not know it */
    VSOCK_GPU_ERROR_FAILED,
} VsockGpuError;

typedef struct VsockNode {
    gatomicrefcount refs;
    int fd;
    dev_t device;      /* tells whether two opens are of the same GPU, whose resource ids they then share */
    gboolean has_3d;   /* virgl or venus behind it, not a 2D device */
    gboolean has_blob; /* takes blobs: guest memory that the host reads where it lies */
} VsockNode;

/* @dri: the folder to look in, NULL for /dev/dri (tests name another). NULL with VSOCK_GPU_ERROR that says what to do.
 */
VsockNode *vsock_node_open(const char *dri, GError **error);
VsockNode *vsock_node_ref(VsockNode *node);
void vsock_node_unref(VsockNode *node);
/* Let go of GEM handle @handle. */
void vsock_node_close_handle(VsockNode *node, guint32 handle);

#endif
