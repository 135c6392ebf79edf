/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* buffer-pool.c - see buffer-pool.h. */
#include "buffer-pool.h"

struct ClientBufferPool {
    HelixClientGpu *gpu;
    HelixClientBufferKind kind;
    guint32 format;
    guint width, height, most;
    GMutex lock;
    guint refs; /* the owner's, and one for each buffer that is out */
    gboolean closed;
    GQueue free;  /* HelixClientBuffer without a reference */
    guint n_made; /* that exist */
};

/* With the lock, which it gives up. */
static void unref_and_unlock(ClientBufferPool *pool)
{
    gboolean last = --pool->refs == 0;

    g_mutex_unlock(&pool->lock);
    if (last) {
        helix_client_gpu_unref(pool->gpu);
        g_mutex_clear(&pool->lock);
        g_free(pool);
    }
}

/* For the last reference of @buffer. */
static void give_back(gpointer data, HelixClientBuffer *buffer)
{
    ClientBufferPool *pool = data;

    g_mutex_lock(&pool->lock);
    if (pool->closed) {
        client_buffer_destroy(buffer);
    } else {
        g_queue_push_tail(&pool->free, buffer);
    }
    unref_and_unlock(pool);
}

static HelixClientBuffer *make(ClientBufferPool *pool, GError **error)
{
    HelixClientBuffer *buffer = helix_client_buffer_new(pool->gpu, pool->kind, pool->format, pool->width, pool->height,
                                                        0, error);

    if (buffer) {
        buffer->pool = pool;
        buffer->give_back = give_back;
        pool->n_made++;
    }
    return buffer;
}

ClientBufferPool *client_buffer_pool_new(HelixClientGpu *gpu, HelixClientBufferKind kind, guint32 format, guint width,
                                         guint height, guint most, GError **error)
{
    ClientBufferPool *pool = g_new0(ClientBufferPool, 1);
    HelixClientBuffer *first;

    g_mutex_init(&pool->lock);
    g_queue_init(&pool->free);
    pool->refs = 1;
    pool->gpu = helix_client_gpu_ref(gpu);
    pool->kind = kind;
    pool->format = format;
    pool->width = width;
    pool->height = height;
    pool->most = most;
    first = make(pool, error);
    if (!first) {
        client_buffer_pool_free(pool);
        return NULL;
    }
    g_queue_push_tail(&pool->free, first);
    return pool;
}

void client_buffer_pool_free(ClientBufferPool *pool)
{
    HelixClientBuffer *buffer;

    g_mutex_lock(&pool->lock);
    pool->closed = TRUE;
    while ((buffer = g_queue_pop_head(&pool->free))) {
        client_buffer_destroy(buffer);
    }
    unref_and_unlock(pool);
}

gboolean client_buffer_pool_is_for(const ClientBufferPool *pool, HelixClientBufferKind kind, guint32 format,
                                   guint width, guint height)
{
    return pool->kind == kind && pool->format == format && pool->width == width && pool->height == height;
}

HelixClientBuffer *client_buffer_pool_take(ClientBufferPool *pool)
{
    HelixClientBuffer *buffer;

    g_mutex_lock(&pool->lock);
    buffer = g_queue_pop_head(&pool->free);
    if (!buffer && pool->n_made < pool->most) {
        buffer = make(pool, NULL);
    }
    if (buffer) {
        g_atomic_ref_count_init(&buffer->refs);
        pool->refs++;
    }
    g_mutex_unlock(&pool->lock);
    return buffer;
}
