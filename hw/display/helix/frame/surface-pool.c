/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * surface-pool.c - the memory of pictures on the host: kept for reuse, with a limit for all that is handed out, so that
 * a guest cannot make the host grow by asking for many pictures.
 *
 * The main loop takes the pool's lock: no memory is allocated or freed while it is held.
 */
#include <stdlib.h>

#include "../protocol/error.h"
#include "surface-pool-private.h"

/* Called with the lock held: move idle surfaces beyond @keep to @gone, for helix_pooled_give_up(). */
static void take_out(HelixSurfacePool *pool, guint keep, GQueue *gone)
{
    while (pool->idle.length > keep) {
        GList *link = g_queue_pop_head_link(&pool->idle);

        pool->bytes -= ((PooledSurface *)link->data)->capacity;
        g_queue_push_tail_link(gone, link);
    }
}

static void pooled_destroy(HelixSurface *surface)
{
    HelixSurfacePool *pool = surface->destroy_data;
    PooledSurface *pooled = (PooledSurface *)surface;
    GQueue gone = G_QUEUE_INIT;

    g_mutex_lock(&pool->lock);
    if (pooled->held) {
        pool->held_bytes -= pooled->capacity;
    }
    g_queue_push_tail_link(&pool->idle, &pooled->link);
    take_out(pool, pool->closed || pool->trimmed ? 0 : pool->keep, &gone);
    g_mutex_unlock(&pool->lock);
    helix_pooled_give_up(pool, &gone);
    helix_pooled_unref_pool(pool);
}

/* ---- the owner ---- */

HelixSurfacePool *helix_surface_pool_new(guint keep)
{
    HelixSurfacePool *pool = g_new0(HelixSurfacePool, 1);

    g_atomic_ref_count_init(&pool->refs);
    g_mutex_init(&pool->lock);
    g_queue_init(&pool->idle);
    g_queue_init(&pool->given_up);
    pool->keep = keep;
    pool->max_bytes = G_MAXUINT64;
    return pool;
}

void helix_surface_pool_set_limit(HelixSurfacePool *pool, guint64 max_bytes)
{
    g_mutex_lock(&pool->lock);
    pool->max_bytes = max_bytes;
    g_mutex_unlock(&pool->lock);
}

guint64 helix_surface_pool_bytes(HelixSurfacePool *pool)
{
    guint64 bytes;

    g_mutex_lock(&pool->lock);
    bytes = pool->bytes;
    g_mutex_unlock(&pool->lock);
    return bytes;
}

void helix_surface_pool_trim(HelixSurfacePool *pool)
{
    GQueue gone = G_QUEUE_INIT;

    g_mutex_lock(&pool->lock);
    pool->trimmed = TRUE;
    take_out(pool, 0, &gone);
    g_mutex_unlock(&pool->lock);
    helix_pooled_give_up(pool, &gone);
}

void helix_surface_pool_unref(HelixSurfacePool *pool)
{
    gboolean loop_thread;

    g_mutex_lock(&pool->lock);
    pool->closed = TRUE;
    loop_thread = pool->loop_thread == g_thread_self();
    pool->loop_thread = NULL;
    for (GList *link = pool->idle.head; link; link = link->next) {
        pool->given_up_bytes += ((PooledSurface *)link->data)->capacity;
    }
    take_out(pool, 0, &pool->given_up);
    g_mutex_unlock(&pool->lock);
    /* from here on nothing is given up, and no other function uses what was */
    helix_pooled_free_rest(pool, loop_thread);
}

/* ---- handing memory out ---- */

/* Called with the lock held: an idle surface of exactly this capacity, the one used last as its memory is warm. */
static PooledSurface *take_idle(HelixSurfacePool *pool, gsize capacity)
{
    for (GList *link = pool->idle.tail; link; link = link->prev) {
        PooledSurface *pooled = link->data;

        if (pooled->capacity == capacity) {
            g_queue_unlink(&pool->idle, link);
            return pooled;
        }
    }
    return NULL;
}

static gboolean has_room(const HelixSurfacePool *pool, gsize capacity)
{
    return capacity <= pool->max_bytes && pool->bytes <= pool->max_bytes - capacity;
}

/* Called with the lock held: count @capacity as allocated. Idle ones go to @gone for it. */
static gboolean reserve(HelixSurfacePool *pool, gsize capacity, GQueue *gone, GError **error)
{
    if (!has_room(pool, capacity)) {
        take_out(pool, 0, gone);
    }
    if (!has_room(pool, capacity)) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL,
                    "a picture of %" G_GSIZE_FORMAT " bytes does not fit beside the %" G_GUINT64_FORMAT
                    " in use; %" G_GUINT64_FORMAT " is all that helix-max-memory allows: fewer or smaller streams",
                    capacity, pool->bytes, pool->max_bytes);
        return FALSE;
    }
    if (pool->given_up_bytes > pool->max_bytes) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL,
                    "a picture of %" G_GSIZE_FORMAT " bytes has to wait until some of %" G_GUINT64_FORMAT
                    " that were given up are free: change the size less often",
                    capacity, pool->given_up_bytes);
        return FALSE;
    }
    pool->bytes += capacity;
    return TRUE;
}

/* Called with the lock held. */
static gboolean has_room_to_hold(HelixSurfacePool *pool, gsize capacity, GError **error)
{
    guint64 most = pool->max_bytes / 2;

    if (capacity <= most && pool->held_bytes <= most - capacity) {
        return TRUE;
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL,
                "pixels of %" G_GSIZE_FORMAT " bytes do not fit beside the %" G_GUINT64_FORMAT
                " that came over the wire, are coming, or are kept as snapshots; %" G_GUINT64_FORMAT
                ", half of helix-max-memory, is the limit: fewer or smaller "
                "streams, resources, or fewer snapshots",
                capacity, pool->held_bytes, most);
    return FALSE;
}

/* What reserve() has counted. */
static PooledSurface *allocate(HelixSurfacePool *pool, gsize capacity, gboolean held, GError **error)
{
    PooledSurface *pooled;
    void *data = NULL;

    if (posix_memalign(&data, HELIX_SURFACE_ALIGN, capacity) != 0) {
        g_mutex_lock(&pool->lock);
        pool->bytes -= capacity;
        pool->held_bytes -= held ? capacity : 0;
        g_mutex_unlock(&pool->lock);
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL, "no memory for a picture of %" G_GSIZE_FORMAT " bytes",
                    capacity);
        return NULL;
    }
    pooled = g_new0(PooledSurface, 1);
    pooled->link.data = pooled;
    pooled->surface.data = data;
    pooled->capacity = pooled->present = capacity;
    return pooled;
}

static PooledSurface *take_pooled(HelixSurfacePool *pool, gsize capacity, gboolean held, GError **error)
{
    PooledSurface *pooled = NULL;
    GQueue gone = G_QUEUE_INIT;
    gboolean reserved = FALSE;

    g_mutex_lock(&pool->lock);
    pool->trimmed = FALSE;
    if (!held || has_room_to_hold(pool, capacity, error)) {
        pooled = take_idle(pool, capacity);
        reserved = !pooled && reserve(pool, capacity, &gone, error);
        pool->held_bytes += held && (pooled || reserved) ? capacity : 0;
    }
    g_mutex_unlock(&pool->lock);
    helix_pooled_give_up(pool, &gone);
    if (reserved) {
        pooled = allocate(pool, capacity, held, error);
    }
    if (pooled) {
        pooled->held = held;
    }
    return pooled;
}

static HelixSurface *take(HelixSurfacePool *pool, guint32 fourcc, guint32 width, guint32 height, gboolean held,
                          GError **error)
{
    guint64 stride = helix_surface_pool_row(fourcc, width);
    gsize capacity = stride <= G_MAXUINT32 ? helix_picture_size(fourcc, width, height, (guint32)stride, NULL) : 0;
    PooledSurface *pooled;
    HelixSurface *surface;

    if (capacity == 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY,
                    "no picture can be %u x %u of format 0x%08x: sides are at least 1, "
                    "formats AR24, XR24, AB24, XB24 or NV12",
                    width, height, fourcc);
        return NULL;
    }
    pooled = take_pooled(pool, capacity, held, error);
    if (!pooled) {
        return NULL;
    }

    surface = &pooled->surface;
    *surface = (HelixSurface){
        .kind = HELIX_SURFACE_MEMORY,
        .width = width,
        .height = height,
        .fourcc = fourcc,
        .n_planes = fourcc == HELIX_FORMAT_NV12 ? 2 : 1,
        .data = surface->data,
        .size = capacity,
        .fd = -1,
        .destroy = pooled_destroy,
        .destroy_data = pool,
    };
    g_atomic_ref_count_init(&surface->refs);
    for (guint i = 0; i < surface->n_planes; i++) {
        surface->stride[i] = (guint32)stride;
        surface->offset[i] = i * (gsize)stride * (((gsize)height + 1) & ~(gsize)1);
    }
    g_atomic_ref_count_inc(&pool->refs);
    return surface;
}

HelixSurface *helix_surface_pool_take(HelixSurfacePool *pool, guint32 fourcc, guint32 width, guint32 height,
                                      GError **error)
{
    return take(pool, fourcc, width, height, FALSE, error);
}

HelixSurface *helix_surface_pool_take_for_wire(HelixSurfacePool *pool, guint32 fourcc, guint32 width, guint32 height,
                                               GError **error)
{
    return take(pool, fourcc, width, height, TRUE, error);
}

gboolean helix_surface_pool_charge(HelixSurfacePool *pool, gsize bytes, GError **error)
{
    GQueue gone = G_QUEUE_INIT;
    gboolean reserved;

    g_mutex_lock(&pool->lock);
    reserved = reserve(pool, bytes, &gone, error);
    g_mutex_unlock(&pool->lock);
    helix_pooled_give_up(pool, &gone);
    if (reserved) {
        g_atomic_ref_count_inc(&pool->refs);
    }
    return reserved;
}

void helix_surface_pool_uncharge(HelixSurfacePool *pool, gsize bytes)
{
    g_mutex_lock(&pool->lock);
    pool->bytes -= bytes;
    g_mutex_unlock(&pool->lock);
    helix_pooled_unref_pool(pool);
}

gboolean helix_surface_pool_hold(HelixSurfacePool *pool, HelixSurface *surface, GError **error)
{
    PooledSurface *pooled = (PooledSurface *)surface;
    gboolean held;

    if (surface->destroy != pooled_destroy || surface->destroy_data != pool) {
        g_set_error_literal(error, HELIX_ERROR, HELIX_CODE_INTERNAL, "the picture is not in memory of the host's own");
        return FALSE;
    }
    g_mutex_lock(&pool->lock);
    held = pooled->held || has_room_to_hold(pool, pooled->capacity, error);
    if (held && !pooled->held) {
        pooled->held = TRUE;
        pool->held_bytes += pooled->capacity;
    }
    g_mutex_unlock(&pool->lock);
    return held;
}
