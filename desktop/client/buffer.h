/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * buffer.h - memory of the virtio-gpu that the CPU writes and the host reads by its resource id.
 *
 * Its pages, not a texture, hold the picture: that makes it different from a compositor's. The host reads them where
 * they lie; one that cannot reads the texture, which client_buffer_upload() makes equal to them first. Any thread.
 */
#ifndef HELIX_CLIENT_BUFFER_H
#define HELIX_CLIENT_BUFFER_H

#include "gpu.h"

struct HelixClientBuffer {
    gatomicrefcount refs;
    HelixClientGpu *gpu;
    HelixClientBufferKind kind;
    guint32 format, width, height; /* of the picture that it was made for */
    guint32 handle, resource_id;
    guint32 res_width, res_height; /* RESOURCE: of the resource */
    guint8 *map;
    gsize map_size;
    GMutex lock;
    int dmabuf; /* polls readable when an upload is done; -1 before the first. With the lock */
    /* Called with the last reference, of a buffer that belongs to a pool; NULL: it is freed. */
    void (*give_back)(gpointer pool, HelixClientBuffer *buffer);
    gpointer pool;
};

/*
 * Begin to copy @buffer's pages into its texture (RESOURCE). Returns an fd (@buffer's own) that polls readable when it
 * is done, or -1 with HELIX_CLIENT_ERROR_GPU. A 2D device gives no sign of it: there the fd is readable at once, and
 * the host looks no picture up before it has done what was asked earlier.
 */
int client_buffer_upload(HelixClientBuffer *buffer, GError **error);
/* Frees a buffer that nobody references. */
void client_buffer_destroy(HelixClientBuffer *buffer);

#endif
