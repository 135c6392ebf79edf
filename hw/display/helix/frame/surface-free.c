/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * surface-free.c - surfaces that a pool gives up.
 *
 * Each page costs time to free: 800 MiB take 50 ms. The main loop therefore frees large surfaces in pieces.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../loop/threads.h"
#include "surface-pool-private.h"

static void pooled_free(PooledSurface *pooled)
{
    free(pooled->surface.data);
    g_free(pooled);
}

static void free_all(GQueue *gone)
{
    GList *link;

    while ((link = g_queue_pop_head_link(gone))) {
        pooled_free(link->data);
    }
}

#if defined(__linux__)
/* The first page boundary behind byte @at of @pooled, in bytes from its begin. */
static gsize page_behind(const PooledSurface *pooled, gsize at, gsize page)
{
    return at + (page - (guintptr)(pooled->surface.data + at) % page) % page;
}
#endif

/* Give the pages of the last piece back to the system. FALSE: one piece at most is left, or the system refuses. */
static gboolean give_back_piece(PooledSurface *pooled)
{
#if defined(__linux__)
    gsize page = (gsize)sysconf(_SC_PAGESIZE), from, end;

    if (pooled->present > HELIX_SURFACE_PIECE) {
        end = page_behind(pooled, pooled->present, page);
        pooled->present -= HELIX_SURFACE_PIECE;
        from = page_behind(pooled, pooled->present, page);
        end = end > pooled->capacity ? end - page : end;
        return madvise(pooled->surface.data + from, end - from, MADV_DONTNEED) ==
            0; /* fails for memory that is locked */
    }
#endif
    return FALSE;
}

gboolean helix_surface_pool_free_piece(HelixSurfacePool *pool)
{
    PooledSurface *whole = NULL;
    gboolean more;
    GList *link;

    g_mutex_lock(&pool->lock);
    link = g_queue_pop_head_link(&pool->given_up);
    g_mutex_unlock(&pool->lock);
    if (link && !give_back_piece(link->data)) {
        whole = link->data;
    }
    g_mutex_lock(&pool->lock);
    if (whole) {
        pool->given_up_bytes -= whole->capacity;
    } else if (link) {
        g_queue_push_head_link(&pool->given_up, link);
    }
    more = pool->given_up.length > 0;
    g_mutex_unlock(&pool->lock);
    if (whole) {
        pooled_free(whole);
    }
    return more;
}

void helix_pooled_give_up(HelixSurfacePool *pool, GQueue *gone)
{
    void (*on_given_up)(gpointer data) = NULL;
    gpointer data = NULL;
    GList *link;

    if (gone->length == 0) {
        return;
    }
    g_mutex_lock(&pool->lock);
    if (pool->loop_thread == g_thread_self()) {
        while ((link = g_queue_pop_head_link(gone))) {
            pool->given_up_bytes += ((PooledSurface *)link->data)->capacity;
            g_queue_push_tail_link(&pool->given_up, link);
        }
        on_given_up = pool->on_given_up;
        data = pool->given_up_data;
    }
    g_mutex_unlock(&pool->lock);
    if (on_given_up) {
        on_given_up(data);
    }
    free_all(gone);
}

void helix_surface_pool_free_later(HelixSurfacePool *pool, void (*on_given_up)(gpointer data), gpointer data)
{
    g_mutex_lock(&pool->lock);
    pool->loop_thread = on_given_up ? g_thread_self() : NULL;
    pool->on_given_up = on_given_up;
    pool->given_up_data = data;
    g_mutex_unlock(&pool->lock);
}

void helix_pooled_unref_pool(HelixSurfacePool *pool)
{
    if (g_atomic_ref_count_dec(&pool->refs)) {
        g_mutex_clear(&pool->lock);
        g_free(pool);
    }
}

static gpointer free_given_up(gpointer data)
{
    HelixSurfacePool *pool = data;

    free_all(&pool->given_up);
    helix_pooled_unref_pool(pool);
    return NULL;
}

/* The main loop will not come back to what is left: a thread frees it, if it is much. */
void helix_pooled_free_rest(HelixSurfacePool *pool, gboolean loop_thread)
{
    HelixThreadsBefore before;
    GThread *thread = NULL;

    if (loop_thread && pool->given_up_bytes > HELIX_SURFACE_PIECE) {
        helix_threads_begin(&before, TRUE);
        thread = g_thread_try_new("helix-free", free_given_up, pool, NULL);
        helix_threads_end(&before);
    }
    if (thread) {
        g_thread_unref(thread);
    } else {
        free_given_up(pool);
    }
}
