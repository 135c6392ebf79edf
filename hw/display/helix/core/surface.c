/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * surface.c - surfaces' life, the arithmetic of picture layouts, and the pool host memory comes from.
 *
 * Sizes here come from the guest: sums are 64 bits wide, memory is asked for with allocators that may fail, and the pool
 * has a ceiling for all it hands out, so that a guest cannot grow the host by asking for many pictures.
 */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "surface.h"

#define ROW_ALIGN 64u

struct HelixSurfacePool {
    gatomicrefcount refs;       /* the owner and every surface handed out */
    GMutex lock;                /* idle, n_idle, bytes */
    GQueue idle;                /* PooledSurface, longest idle first */
    guint keep;
    guint64 bytes, max_bytes;   /* allocated now, idle ones included */
    guint64 wire_bytes;         /* of them, handed out for pixels of the wire */
    gboolean closed;            /* the owner is gone: keep nothing */
    gboolean trimmed;           /* nobody takes surfaces at the moment: keep nothing either */
};

typedef struct PooledSurface {
    HelixSurface surface;       /* first: a HelixSurface of ours is one of these */
    gsize capacity;
    gboolean for_wire;
} PooledSurface;

const char *helix_host_path_name(HelixHostPath path)
{
    static const char *const names[HELIX_N_HOST_PATHS] = {
        [HELIX_HOST_PATH_IOSURFACE] = "iosurface",
        [HELIX_HOST_PATH_METAL_COPY] = "metal-copy",
        [HELIX_HOST_PATH_GL_BLIT] = "gl-blit",
        [HELIX_HOST_PATH_READBACK] = "readback",
        [HELIX_HOST_PATH_PAGES] = "pages",
        [HELIX_HOST_PATH_PIXEL_DATA] = "pixel-data",
        [HELIX_HOST_PATH_REPEAT] = "repeat",
        [HELIX_HOST_PATH_TEXTURE] = "texture",
    };
    return (guint)path < HELIX_N_HOST_PATHS ? names[path] : "unknown";
}

HelixSurface *helix_surface_ref(HelixSurface *surface)
{
    g_atomic_ref_count_inc(&surface->refs);
    return surface;
}

void helix_surface_unref(HelixSurface *surface)
{
    if (surface && g_atomic_ref_count_dec(&surface->refs)) {
        surface->destroy(surface);
    }
}

static guint64 row_bytes(guint32 fourcc, guint32 width)
{
    switch (fourcc) {
    case HELIX_FORMAT_AR24:
    case HELIX_FORMAT_XR24:
    case HELIX_FORMAT_AB24:
    case HELIX_FORMAT_XB24:
        return (guint64)width * 4;
    case HELIX_FORMAT_NV12:
        return ((guint64)width + 1) & ~G_GUINT64_CONSTANT(1);   /* a chroma row has whole pairs */
    default:
        return 0;
    }
}

gsize helix_picture_size(guint32 fourcc, guint32 width, guint32 height, guint32 stride, guint32 *min_stride)
{
    guint64 row = row_bytes(fourcc, width), rows = height, size;
    gboolean usable = row > 0 && row <= G_MAXUINT32;

    if (min_stride) {
        *min_stride = usable ? (guint32)row : 0;
    }
    if (!usable || height == 0 || stride < row) {
        return 0;
    }
    if (fourcc == HELIX_FORMAT_NV12) {
        rows = (rows + 1) & ~G_GUINT64_CONSTANT(1);
        rows += rows / 2;
    }
    /* stride < 2^32 and rows < 2^33 */
    if (rows > G_MAXUINT64 / stride) {
        return 0;
    }
    size = rows * stride;
    return size > G_MAXSSIZE ? 0 : (gsize)size;
}

void helix_surface_clear_edges(HelixSurface *surface, guint plane, guint32 row, guint32 rows)
{
    gboolean nv12 = surface->fourcc == HELIX_FORMAT_NV12;
    guint32 stride = surface->stride[plane];
    guint64 used = nv12 && plane == 0 ? surface->width : row_bytes(surface->fourcc, surface->width);
    guint8 *to = surface->data + surface->offset[plane] + (gsize)row * stride;

    for (guint32 y = 0; used < stride && y < rows; y++) {
        memset(to + (gsize)y * stride + used, 0, stride - used);
    }
    if (nv12 && plane == 0 && surface->height % 2 && row + rows == surface->height) {
        memset(to + (gsize)rows * stride, 0, stride);
    }
}

static void pool_unref(HelixSurfacePool *pool)
{
    if (g_atomic_ref_count_dec(&pool->refs)) {
        g_mutex_clear(&pool->lock);
        g_free(pool);
    }
}

static void pooled_free(PooledSurface *pooled)
{
    free(pooled->surface.data);
    g_free(pooled);
}

/* Called with the lock held. */
static void drop_idle(HelixSurfacePool *pool, guint keep)
{
    while (pool->idle.length > keep) {
        PooledSurface *pooled = g_queue_pop_head(&pool->idle);

        pool->bytes -= pooled->capacity;
        pooled_free(pooled);
    }
}

static void pooled_destroy(HelixSurface *surface)
{
    HelixSurfacePool *pool = surface->destroy_data;

    PooledSurface *pooled = (PooledSurface *)surface;

    g_mutex_lock(&pool->lock);
    if (pooled->for_wire) {
        pool->wire_bytes -= pooled->capacity;
    }
    g_queue_push_tail(&pool->idle, pooled);
    drop_idle(pool, pool->closed || pool->trimmed ? 0 : pool->keep);
    g_mutex_unlock(&pool->lock);
    pool_unref(pool);
}

HelixSurfacePool *helix_surface_pool_new(guint keep)
{
    HelixSurfacePool *pool = g_new0(HelixSurfacePool, 1);

    g_atomic_ref_count_init(&pool->refs);
    g_mutex_init(&pool->lock);
    g_queue_init(&pool->idle);
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
    g_mutex_lock(&pool->lock);
    pool->trimmed = TRUE;
    drop_idle(pool, 0);
    g_mutex_unlock(&pool->lock);
}

void helix_surface_pool_unref(HelixSurfacePool *pool)
{
    g_mutex_lock(&pool->lock);
    pool->closed = TRUE;
    drop_idle(pool, 0);
    g_mutex_unlock(&pool->lock);
    pool_unref(pool);
}

/* Called with the lock held: an idle surface of exactly this capacity, the one used last as its memory is warm. */
static PooledSurface *take_idle(HelixSurfacePool *pool, gsize capacity)
{
    for (GList *link = pool->idle.tail; link; link = link->prev) {
        PooledSurface *pooled = link->data;

        if (pooled->capacity == capacity) {
            g_queue_delete_link(&pool->idle, link);
            return pooled;
        }
    }
    return NULL;
}

/* Called with the lock held. */
static PooledSurface *allocate(HelixSurfacePool *pool, gsize capacity, GError **error)
{
    PooledSurface *pooled;
    void *data = NULL;

    if (capacity > pool->max_bytes || pool->bytes > pool->max_bytes - capacity) {
        drop_idle(pool, 0);
    }
    if (capacity > pool->max_bytes || pool->bytes > pool->max_bytes - capacity) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL, "a picture of %" G_GSIZE_FORMAT " bytes does not fit beside the %"
                    G_GUINT64_FORMAT " in use; %" G_GUINT64_FORMAT " is the limit: fewer or smaller streams",
                    capacity, pool->bytes, pool->max_bytes);
        return NULL;
    }
    if (posix_memalign(&data, ROW_ALIGN, capacity) != 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL, "no memory for a picture of %" G_GSIZE_FORMAT " bytes", capacity);
        return NULL;
    }
    pooled = g_new0(PooledSurface, 1);
    pooled->surface.data = data;
    pooled->capacity = capacity;
    pool->bytes += capacity;
    return pooled;
}

/* Called with the lock held. */
static gboolean wire_has_room(HelixSurfacePool *pool, gsize capacity, GError **error)
{
    guint64 most = pool->max_bytes / 2;

    if (capacity <= most && pool->wire_bytes <= most - capacity) {
        return TRUE;
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL, "pixels of %" G_GSIZE_FORMAT " bytes do not fit beside the %" G_GUINT64_FORMAT
                " that came over the wire or are coming; %" G_GUINT64_FORMAT " is the limit: fewer or smaller streams, or resources",
                capacity, pool->wire_bytes, most);
    return FALSE;
}

guint64 helix_surface_pool_row(guint32 fourcc, guint32 width)
{
    return (row_bytes(fourcc, width) + ROW_ALIGN - 1) & ~(guint64)(ROW_ALIGN - 1);
}

static HelixSurface *take(HelixSurfacePool *pool, guint32 fourcc, guint32 width, guint32 height, gboolean for_wire, GError **error)
{
    guint64 stride = helix_surface_pool_row(fourcc, width);
    gsize capacity = stride <= G_MAXUINT32 ? helix_picture_size(fourcc, width, height, (guint32)stride, NULL) : 0;
    PooledSurface *pooled = NULL;
    HelixSurface *surface;

    if (capacity == 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "no picture can be %u x %u of format 0x%08x: sides are at least 1, "
                    "formats AR24, XR24, AB24, XB24 or NV12", width, height, fourcc);
        return NULL;
    }
    g_mutex_lock(&pool->lock);
    pool->trimmed = FALSE;
    if (!for_wire || wire_has_room(pool, capacity, error)) {
        pooled = take_idle(pool, capacity);
        if (!pooled) {
            pooled = allocate(pool, capacity, error);
        }
    }
    if (pooled) {
        pooled->for_wire = for_wire;
        pool->wire_bytes += for_wire ? capacity : 0;
    }
    g_mutex_unlock(&pool->lock);
    if (!pooled) {
        return NULL;
    }

    surface = &pooled->surface;
    *surface = (HelixSurface) {
        .kind = HELIX_SURFACE_MEMORY, .width = width, .height = height, .fourcc = fourcc,
        .n_planes = fourcc == HELIX_FORMAT_NV12 ? 2 : 1,
        .data = surface->data, .size = capacity, .fd = -1,
        .destroy = pooled_destroy, .destroy_data = pool,
    };
    g_atomic_ref_count_init(&surface->refs);
    for (guint i = 0; i < surface->n_planes; i++) {
        surface->stride[i] = (guint32)stride;
        surface->offset[i] = i * (gsize)stride * (((gsize)height + 1) & ~(gsize)1);
    }
    g_atomic_ref_count_inc(&pool->refs);
    return surface;
}

HelixSurface *helix_surface_pool_take(HelixSurfacePool *pool, guint32 fourcc, guint32 width, guint32 height, GError **error)
{
    return take(pool, fourcc, width, height, FALSE, error);
}

HelixSurface *helix_surface_pool_take_for_wire(HelixSurfacePool *pool, guint32 fourcc, guint32 width, guint32 height, GError **error)
{
    return take(pool, fourcc, width, height, TRUE, error);
}
