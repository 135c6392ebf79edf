/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * surface-pool.c - the memory of pictures on the host: kept for reuse, with a ceiling for all that is handed out, so
 * that a guest cannot grow the host by asking for many pictures.
 *
 * Its lock is taken by the main loop: no memory is allocated or freed under it. And memory that the main loop gives up
 * goes in pieces, as a page costs time to free: 800 MiB take 50 ms.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../protocol/error.h"
#include "surface.h"
#include "../loop/threads.h"

typedef struct PooledSurface {
    HelixSurface surface; /* first: a HelixSurface of ours is one of these */
    GList link;           /* in one of the pool's queues */
    gsize capacity;
    gsize present; /* bytes of it, from its begin, whose pages were not given back yet */
    gboolean for_wire;
} PooledSurface;

struct HelixSurfacePool {
    gatomicrefcount refs; /* the owner and every surface handed out */
    GMutex lock;          /* what follows */
    GQueue idle;          /* PooledSurface, longest idle first */
    guint keep;
    guint64 bytes, max_bytes; /* allocated now, idle ones included */
    guint64 wire_bytes;       /* of them, handed out for pixels of the wire */
    gboolean closed;          /* the owner is gone: keep nothing */
    gboolean trimmed;         /* nobody takes surfaces at the moment: keep nothing either */

    GQueue given_up; /* PooledSurface, to be freed in pieces; no longer in bytes */
    guint64 given_up_bytes;
    GThread *patient; /* frees in pieces only; NULL: no thread does */
    void (*given)(gpointer data);
    gpointer given_data;
};

static void pool_unref(HelixSurfacePool *pool)
{
    if (g_atomic_ref_count_dec(&pool->refs)) {
        g_mutex_clear(&pool->lock);
        g_free(pool);
    }
}

/* ---- memory that goes ---- */

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
/* The first page that begins at or behind byte @at of @pooled, as bytes from its begin. */
static gsize page_behind(const PooledSurface *pooled, gsize at, gsize page)
{
    return at + (page - (guintptr)(pooled->surface.data + at) % page) % page;
}
#endif

/* Give the pages of the last piece back. FALSE: what is left is one piece at most, or the system keeps them. */
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

/* Called with the lock held: what is idle beyond @keep goes to @gone, which give_up() is for. */
static void take_out(HelixSurfacePool *pool, guint keep, GQueue *gone)
{
    while (pool->idle.length > keep) {
        GList *link = g_queue_pop_head_link(&pool->idle);

        pool->bytes -= ((PooledSurface *)link->data)->capacity;
        g_queue_push_tail_link(gone, link);
    }
}

/* Called without the lock. */
static void give_up(HelixSurfacePool *pool, GQueue *gone)
{
    void (*given)(gpointer data) = NULL;
    gpointer data = NULL;
    GList *link;

    if (gone->length == 0) {
        return;
    }
    g_mutex_lock(&pool->lock);
    if (pool->patient == g_thread_self()) {
        while ((link = g_queue_pop_head_link(gone))) {
            pool->given_up_bytes += ((PooledSurface *)link->data)->capacity;
            g_queue_push_tail_link(&pool->given_up, link);
        }
        given = pool->given;
        data = pool->given_data;
    }
    g_mutex_unlock(&pool->lock);
    if (given) {
        given(data);
    }
    free_all(gone);
}

void helix_surface_pool_free_later(HelixSurfacePool *pool, void (*given)(gpointer data), gpointer data)
{
    g_mutex_lock(&pool->lock);
    pool->patient = given ? g_thread_self() : NULL;
    pool->given = given;
    pool->given_data = data;
    g_mutex_unlock(&pool->lock);
}

static void pooled_destroy(HelixSurface *surface)
{
    HelixSurfacePool *pool = surface->destroy_data;
    PooledSurface *pooled = (PooledSurface *)surface;
    GQueue gone = G_QUEUE_INIT;

    g_mutex_lock(&pool->lock);
    if (pooled->for_wire) {
        pool->wire_bytes -= pooled->capacity;
    }
    g_queue_push_tail_link(&pool->idle, &pooled->link);
    take_out(pool, pool->closed || pool->trimmed ? 0 : pool->keep, &gone);
    g_mutex_unlock(&pool->lock);
    give_up(pool, &gone);
    pool_unref(pool);
}

/* ---- the owner's ---- */

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
    give_up(pool, &gone);
}

static gpointer free_given_up(gpointer data)
{
    HelixSurfacePool *pool = data;

    free_all(&pool->given_up);
    pool_unref(pool);
    return NULL;
}

/*
 * There is no later turn for what a patient thread has not freed yet: a thread is made for it, if there is much. Takes
 * over the caller's reference.
 */
static void free_rest(HelixSurfacePool *pool, gboolean patient)
{
    HelixThreadsBefore before;
    GThread *thread = NULL;

    if (patient && pool->given_up_bytes > HELIX_SURFACE_PIECE) {
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

void helix_surface_pool_unref(HelixSurfacePool *pool)
{
    gboolean patient;

    g_mutex_lock(&pool->lock);
    pool->closed = TRUE;
    patient = pool->patient == g_thread_self();
    pool->patient = NULL;
    for (GList *link = pool->idle.head; link; link = link->next) {
        pool->given_up_bytes += ((PooledSurface *)link->data)->capacity;
    }
    take_out(pool, 0, &pool->given_up);
    g_mutex_unlock(&pool->lock);
    /* from here on nothing is given up, and nobody but this looks at what was */
    free_rest(pool, patient);
}

/* ---- memory that comes ---- */

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
static gboolean wire_has_room(HelixSurfacePool *pool, gsize capacity, GError **error)
{
    guint64 most = pool->max_bytes / 2;

    if (capacity <= most && pool->wire_bytes <= most - capacity) {
        return TRUE;
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL,
                "pixels of %" G_GSIZE_FORMAT " bytes do not fit beside the %" G_GUINT64_FORMAT
                " that came over the wire or are coming; %" G_GUINT64_FORMAT
                ", half of helix-max-memory, is the limit: fewer or smaller "
                "streams, or resources",
                capacity, pool->wire_bytes, most);
    return FALSE;
}

/* What reserve() has counted. */
static PooledSurface *allocate(HelixSurfacePool *pool, gsize capacity, gboolean for_wire, GError **error)
{
    PooledSurface *pooled;
    void *data = NULL;

    if (posix_memalign(&data, HELIX_SURFACE_ALIGN, capacity) != 0) {
        g_mutex_lock(&pool->lock);
        pool->bytes -= capacity;
        pool->wire_bytes -= for_wire ? capacity : 0;
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

static PooledSurface *take_pooled(HelixSurfacePool *pool, gsize capacity, gboolean for_wire, GError **error)
{
    PooledSurface *pooled = NULL;
    GQueue gone = G_QUEUE_INIT;
    gboolean reserved = FALSE;

    g_mutex_lock(&pool->lock);
    pool->trimmed = FALSE;
    if (!for_wire || wire_has_room(pool, capacity, error)) {
        pooled = take_idle(pool, capacity);
        reserved = !pooled && reserve(pool, capacity, &gone, error);
        pool->wire_bytes += for_wire && (pooled || reserved) ? capacity : 0;
    }
    g_mutex_unlock(&pool->lock);
    give_up(pool, &gone);
    if (reserved) {
        pooled = allocate(pool, capacity, for_wire, error);
    }
    if (pooled) {
        pooled->for_wire = for_wire;
    }
    return pooled;
}

static HelixSurface *take(HelixSurfacePool *pool, guint32 fourcc, guint32 width, guint32 height, gboolean for_wire,
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
    pooled = take_pooled(pool, capacity, for_wire, error);
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
