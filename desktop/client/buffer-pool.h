/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * buffer-pool.h - the buffers that the library copies frames into, kept for the next frame when the host has read one.
 *
 * The pool may be freed while buffers of it are out: they are freed when they come back. Any thread.
 */
#ifndef HELIX_CLIENT_BUFFER_POOL_H
#define HELIX_CLIENT_BUFFER_POOL_H

#include "buffer.h"

typedef struct ClientBufferPool ClientBufferPool;

/* Of at most @most buffers, the first of which is made at once: NULL with HELIX_CLIENT_ERROR_GPU if that fails. */
ClientBufferPool *client_buffer_pool_new(HelixClientGpu *gpu, HelixClientBufferKind kind, guint32 format, guint width,
                                         guint height, guint most, GError **error);
void client_buffer_pool_free(ClientBufferPool *pool);
gboolean client_buffer_pool_is_for(const ClientBufferPool *pool, HelixClientBufferKind kind, guint32 format,
                                   guint width, guint height);
/* A buffer with a reference; NULL: all are in use, or the GPU makes no more. */
HelixClientBuffer *client_buffer_pool_take(ClientBufferPool *pool);

#endif
