/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.h - GstMemory in virtio-gpu buffers of the element's own: written by the CPU, named to the host by its id.
 *
 * What makes such a buffer different from a compositor's is that its pages, not a texture, hold the picture. The host
 * reads them where they lie; one that cannot reads the texture, which vsock_memory_upload() makes equal to them first.
 * One picture a buffer, in GStreamer's default layout of its format and size. Any thread.
 */
#ifndef VSOCKENC_MEMORY_H
#define VSOCKENC_MEMORY_H

#include <gst/video/video.h>
#include "node.h"

typedef enum VsockMemoryKind {
    VSOCK_MEMORY_BLOB,    /* guest memory that the host knows nothing of but its size; needs blob=on */
    VSOCK_MEMORY_CLASSIC, /* a resource with a format, pages, and a texture (or a 2D device's image) beside them */
} VsockMemoryKind;

typedef struct VsockMemory {
    GstMemory memory;
    VsockNode *node;
    VsockMemoryKind kind;
    GstVideoFormat format; /* that the resource was made for */
    guint32 handle, resource_id;
    guint32 width, height; /* CLASSIC: of the resource */
    void *map;
    gsize map_size;
    GMutex lock;
    int dmabuf; /* polls readable when an upload is done; -1 before the first. With the lock */
} VsockMemory;

/*
 * Memory for one picture of @info (BGRx, BGRA, RGBx, RGBA or NV12), zeroed, of @at_least so many bytes. NULL with
 * VSOCK_GPU_ERROR. The host's own refusal is not seen here: it shows when a picture is asked for.
 */
GstMemory *vsock_memory_new(VsockNode *node, VsockMemoryKind kind, const GstVideoInfo *info, gsize at_least,
                            GError **error);
gboolean vsock_is_memory(GstMemory *memory);

/*
 * Begin to copy @memory's pages into its texture (CLASSIC). Returns an fd (@memory's own) that polls readable when it
 * is done, or -1 with VSOCK_GPU_ERROR. A 2D device gives no sign of it: there the fd is readable at once, and the host
 * looks no picture up before it has done what was asked earlier.
 */
int vsock_memory_upload(VsockMemory *memory, GError **error);

#endif
