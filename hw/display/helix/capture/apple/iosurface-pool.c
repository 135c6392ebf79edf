/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iosurface-pool.c - see iosurface-pool.h. */
#include "../../protocol/error.h"
#include "iosurface-pool.h"

/* A stream has one picture in the encoder, one queued and one kept: three for each of a dozen streams' sizes. */
#define MAX_ENTRIES 36u
#define MAX_BYTES ((guint64)1 << 30)
/*
 * Entries of one size that IOSurfaceIsInUse() reports as used though no job or surface has them. Whether a texture on
 * an IOSurface counts as a use depends on the system, and if it does, none would ever be free: then the copies' own
 * textures are freed and the entries are checked again.
 */
#define MAX_HELD 6u

struct HelixIOSurfacePool {
    GPtrArray *entries;
    guint64 taken;   /* counts take() */
    guint64 trimmed; /* its count at the last trim() */
    void (*forget)(gpointer data, HelixPooledIOSurface *entry);
    gpointer data;
};

HelixIOSurfacePool *helix_iosurface_pool_new(void (*forget)(gpointer data, HelixPooledIOSurface *entry), gpointer data)
{
    HelixIOSurfacePool *pool = g_new0(HelixIOSurfacePool, 1);

    pool->entries = g_ptr_array_new();
    pool->forget = forget;
    pool->data = data;
    return pool;
}

void helix_pooled_iosurface_unref(HelixPooledIOSurface *entry)
{
    if (g_atomic_ref_count_dec(&entry->refs)) {
        CFRelease(entry->surface);
        g_free(entry);
    }
}

static void remove_at(HelixIOSurfacePool *pool, guint index)
{
    HelixPooledIOSurface *entry = g_ptr_array_remove_index_fast(pool->entries, index);

    pool->forget(pool->data, entry);
    helix_pooled_iosurface_unref(entry);
}

void helix_iosurface_pool_clear(HelixIOSurfacePool *pool)
{
    while (pool->entries->len > 0) {
        remove_at(pool, pool->entries->len - 1);
    }
}

void helix_iosurface_pool_free(HelixIOSurfacePool *pool)
{
    helix_iosurface_pool_clear(pool);
    g_ptr_array_unref(pool->entries);
    g_free(pool);
}

void helix_iosurface_pool_drop(HelixIOSurfacePool *pool, HelixPooledIOSurface *entry)
{
    guint index;

    if (g_ptr_array_find(pool->entries, entry, &index)) {
        remove_at(pool, index);
    }
}

gboolean helix_iosurface_pool_trim(HelixIOSurfacePool *pool)
{
    for (guint i = pool->entries->len; i-- > 0;) {
        HelixPooledIOSurface *entry = pool->entries->pdata[i];

        if (entry->taken <= pool->trimmed && !g_atomic_int_get(&entry->busy)) {
            remove_at(pool, i); /* the last entry, which was checked already, moves to its place */
        }
    }
    pool->trimmed = pool->taken;
    return pool->entries->len > 0;
}

/* VideoToolbox may hold an IOSurface longer than the frame's encoding takes. */
static gboolean is_idle(HelixPooledIOSurface *entry)
{
    return !g_atomic_int_get(&entry->busy) && !IOSurfaceIsInUse(entry->surface);
}

/* The same after freeing the copies' objects. */
static gboolean is_idle_alone(const HelixIOSurfacePool *pool, HelixPooledIOSurface *entry)
{
    if (!g_atomic_int_get(&entry->busy)) {
        pool->forget(pool->data, entry);
    }
    return is_idle(entry);
}

static guint64 entry_bytes(guint32 width, guint32 height)
{
    return (guint64)width * height * 4;
}

static guint64 pool_bytes(const HelixIOSurfacePool *pool)
{
    guint64 bytes = 0;

    for (guint i = 0; i < pool->entries->len; i++) {
        const HelixPooledIOSurface *entry = pool->entries->pdata[i];

        bytes += entry_bytes(entry->width, entry->height);
    }
    return bytes;
}

/* Make room for one more entry by freeing idle ones of other sizes. */
static gboolean make_room(HelixIOSurfacePool *pool, guint64 bytes)
{
    for (guint i = pool->entries->len;
         i-- > 0 && (pool->entries->len >= MAX_ENTRIES || pool_bytes(pool) + bytes > MAX_BYTES);) {
        if (is_idle_alone(pool, pool->entries->pdata[i])) {
            remove_at(pool, i);
        }
    }
    return pool->entries->len < MAX_ENTRIES && pool_bytes(pool) + bytes <= MAX_BYTES;
}

static IOSurfaceRef create_surface(guint32 width, guint32 height)
{
    const void *keys[] = { kIOSurfaceWidth, kIOSurfaceHeight, kIOSurfaceBytesPerElement, kIOSurfacePixelFormat };
    const gint32 numbers[] = { (gint32)width, (gint32)height, 4, 0x42475241 }; /* 'BGRA' */
    const void *values[G_N_ELEMENTS(numbers)];
    CFDictionaryRef properties;
    IOSurfaceRef surface;

    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        values[i] = CFNumberCreate(kCFAllocatorDefault, kCFNumberSInt32Type, &numbers[i]);
    }
    properties = CFDictionaryCreate(kCFAllocatorDefault, keys, values, G_N_ELEMENTS(keys),
                                    &kCFTypeDictionaryKeyCallBacks, &kCFTypeDictionaryValueCallBacks);
    surface = IOSurfaceCreate(properties);
    CFRelease(properties);
    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        CFRelease(values[i]);
    }
    return surface;
}

static HelixPooledIOSurface *add_entry(HelixIOSurfacePool *pool, guint32 width, guint32 height, GError **error)
{
    IOSurfaceRef surface = NULL;
    HelixPooledIOSurface *entry;

    if (!make_room(pool, entry_bytes(width, height))) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL,
                    "all %u IOSurfaces are in use: open fewer or smaller streams", pool->entries->len);
        return NULL;
    }
    surface = create_surface(width, height);
    if (!surface) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL, "can't create an IOSurface of %u x %u", width, height);
        return NULL;
    }
    entry = g_new0(HelixPooledIOSurface, 1);
    g_atomic_ref_count_init(&entry->refs);
    entry->width = width;
    entry->height = height;
    entry->surface = surface;
    g_ptr_array_add(pool->entries, entry);
    return entry;
}

/*
 * An unused entry of this size, or NULL. An IOSurface that may still be read is never written: IOSurfaceIsInUse()
 * decides.
 */
static HelixPooledIOSurface *find_entry(const HelixIOSurfacePool *pool, guint32 width, guint32 height)
{
    guint held = 0;

    for (guint i = 0; i < pool->entries->len; i++) {
        HelixPooledIOSurface *entry = pool->entries->pdata[i];

        if (entry->width == width && entry->height == height) {
            if (is_idle(entry)) {
                return entry;
            }
            held += !g_atomic_int_get(&entry->busy);
        }
    }
    for (guint i = 0; i < pool->entries->len && held >= MAX_HELD; i++) {
        HelixPooledIOSurface *entry = pool->entries->pdata[i];

        if (entry->width == width && entry->height == height && is_idle_alone(pool, entry)) {
            return entry;
        }
    }
    return NULL;
}

HelixPooledIOSurface *helix_iosurface_pool_take(HelixIOSurfacePool *pool, guint32 width, guint32 height, GError **error)
{
    HelixPooledIOSurface *entry = find_entry(pool, width, height);

    if (!entry) {
        entry = add_entry(pool, width, height, error);
    }
    if (entry) {
        entry->taken = ++pool->taken;
        g_atomic_int_set(&entry->busy, TRUE);
        g_atomic_ref_count_inc(&entry->refs);
    }
    return entry;
}

/* ---- surfaces ---- */

static void surface_destroy(HelixSurface *surface)
{
    HelixPooledIOSurface *entry = surface->destroy_data;

    CFRelease(surface->native);
    if (entry) {
        g_atomic_int_set(&entry->busy, FALSE);
        helix_pooled_iosurface_unref(entry);
    }
    g_free(surface);
}

HelixSurface *helix_iosurface_wrap(IOSurfaceRef io)
{
    HelixSurface *surface = g_new0(HelixSurface, 1);

    g_atomic_ref_count_init(&surface->refs);
    surface->kind = HELIX_SURFACE_IOSURFACE;
    surface->width = (guint32)IOSurfaceGetWidth(io);
    surface->height = (guint32)IOSurfaceGetHeight(io);
    surface->fourcc = HELIX_FORMAT_AR24;
    surface->fd = -1;
    surface->native = (gpointer)CFRetain(io);
    surface->path = HELIX_HOST_PATH_IOSURFACE;
    surface->borrows_guest = TRUE;
    surface->destroy = surface_destroy;
    return surface;
}

HelixSurface *helix_pooled_iosurface_surface(HelixPooledIOSurface *entry, HelixHostPath path)
{
    HelixSurface *surface = helix_iosurface_wrap(entry->surface);

    surface->path = path;
    surface->borrows_guest = FALSE;
    surface->destroy_data = entry;
    return surface;
}
