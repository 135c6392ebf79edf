/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pixels.c - see pixels.h. */
#include <fcntl.h>
#include <unistd.h>
#include "pixels.h"

/* A client's pool of surfaces under way at once; 8 pictures of 1080p in NV12 are 25 MB. */
#define MAX_UNUSED 8u

struct HvaPool {
    GMutex lock;
    GQueue unused; /* HvaPixels without a reference; the latest first */
};

HvaPool *hva_pool_new(void)
{
    HvaPool *pool = g_new0(HvaPool, 1);

    g_mutex_init(&pool->lock);
    return pool;
}

static void destroy(HvaPixels *pixels)
{
    if (pixels->forget) {
        pixels->forget(pixels);
    }
    if (pixels->buffer) {
        helix_client_buffer_unref(pixels->buffer);
    } else {
        g_free(pixels->data);
    }
    if (pixels->dmabuf >= 0) {
        close(pixels->dmabuf);
    }
    g_free(pixels);
}

void hva_pool_free(HvaPool *pool)
{
    g_queue_clear_full(&pool->unused, (GDestroyNotify)destroy);
    g_mutex_clear(&pool->lock);
    g_free(pool);
}

static gboolean is_wanted_kind(const HvaDriver *driver, const HvaFormat *format, gboolean buffer)
{
    gboolean wanted = g_atomic_int_get(&driver->buffer_kind) != 0 && format->fourcc != VA_FOURCC_I420;

    return wanted == buffer;
}

static HvaPixels *take_unused(HvaDriver *driver, const HvaFormat *format, guint width, guint height)
{
    HvaPixels *found = NULL, *oldest = NULL;
    HvaPool *pool = driver->pool;

    g_mutex_lock(&pool->lock);
    for (GList *l = pool->unused.head; l; l = l->next) {
        HvaPixels *pixels = l->data;

        if (pixels->format == format && pixels->width == width && pixels->height == height &&
            is_wanted_kind(driver, format, pixels->buffer != NULL)) {
            found = pixels;
            g_queue_delete_link(&pool->unused, l);
            break;
        }
    }
    if (!found) { /* others are for sizes that are no longer in use */
        oldest = g_queue_pop_tail(&pool->unused);
    }
    g_mutex_unlock(&pool->lock);
    if (oldest) {
        destroy(oldest);
    }
    return found;
}

static HvaPixels *pixels_new(HvaDriver *driver, const HvaFormat *format, guint width, guint height)
{
    HvaPixels *pixels = g_new0(HvaPixels, 1);

    g_atomic_ref_count_init(&pixels->refs);
    pixels->driver = driver;
    pixels->format = format;
    pixels->width = width;
    pixels->height = height;
    pixels->dmabuf = -1;
    return pixels;
}

/* Its bytes. */
static guint8 *read_layout(HvaPixels *pixels)
{
    HelixClientImage image;

    helix_client_buffer_get_image(pixels->buffer, &image);
    for (guint i = 0; i < pixels->format->n_planes; i++) {
        pixels->layout.offset[i] = image.offset[i];
        pixels->layout.stride[i] = (gsize)image.stride[i];
    }
    return helix_client_buffer_get_data(pixels->buffer, &pixels->layout.size);
}

/* FALSE: the virtio-gpu makes none; plain memory serves, at the price of a copy. */
static gboolean make_buffer(HvaPixels *pixels)
{
    int kind = g_atomic_int_get(&pixels->driver->buffer_kind);

    if (!pixels->driver->gpu || !kind || pixels->format->fourcc == VA_FOURCC_I420) {
        return FALSE;
    }
    pixels->buffer = helix_client_buffer_new(pixels->driver->gpu, (HelixClientBufferKind)(kind - 1),
                                             pixels->format->drm, pixels->width, pixels->height, 0, NULL);
    if (!pixels->buffer) {
        return FALSE;
    }
    pixels->data = read_layout(pixels);
    return TRUE;
}

HvaPixels *hva_pixels_new(HvaDriver *driver, const HvaFormat *format, guint width, guint height)
{
    HvaPixels *pixels = take_unused(driver, format, width, height);

    if (pixels) {
        g_atomic_ref_count_init(&pixels->refs);
        return pixels;
    }
    pixels = pixels_new(driver, format, width, height);
    if (!make_buffer(pixels)) {
        hva_layout(format, width, height, &pixels->layout);
        pixels->data = g_try_malloc0(pixels->layout.size);
    }
    if (!pixels->data) {
        g_clear_pointer(&pixels, destroy);
    }
    return pixels;
}

HvaPixels *hva_pixels_new_dmabuf(HvaDriver *driver, const HvaFormat *format, guint width, guint height,
                                 const HvaLayout *layout, int fd, guint64 modifier)
{
    HvaPixels *pixels = pixels_new(driver, format, width, height);

    pixels->layout = *layout;
    pixels->modifier = modifier;
    pixels->dmabuf = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (pixels->dmabuf < 0) {
        g_clear_pointer(&pixels, destroy);
    }
    return pixels;
}

HvaPixels *hva_pixels_new_exported(HvaDriver *driver, const HvaFormat *format, guint width, guint height)
{
    HvaPixels *pixels;

    if (!driver->gpu) {
        return NULL;
    }
    pixels = pixels_new(driver, format, width, height);
    pixels->buffer = helix_client_buffer_new(driver->gpu, HELIX_CLIENT_BUFFER_RESOURCE, format->drm, width, height, 0,
                                             NULL);
    if (pixels->buffer) {
        read_layout(pixels); /* GPUs draw on the host: the pages hold nothing to be read */
        pixels->dmabuf = helix_client_buffer_export(pixels->buffer, NULL);
    }
    if (pixels->dmabuf < 0) {
        g_clear_pointer(&pixels, destroy);
    }
    return pixels;
}

HvaPixels *hva_pixels_ref(HvaPixels *pixels)
{
    g_atomic_ref_count_inc(&pixels->refs);
    return pixels;
}

void hva_pixels_unref(HvaPixels *pixels)
{
    HvaPool *pool = pixels->driver->pool;
    HvaPixels *surplus = NULL;

    if (!g_atomic_ref_count_dec(&pixels->refs)) {
        return;
    }
    if (pixels->dmabuf >= 0 || !is_wanted_kind(pixels->driver, pixels->format, pixels->buffer != NULL)) {
        destroy(pixels);
        return;
    }
    g_mutex_lock(&pool->lock);
    g_queue_push_head(&pool->unused, pixels);
    if (pool->unused.length > MAX_UNUSED) {
        surplus = g_queue_pop_tail(&pool->unused);
    }
    g_mutex_unlock(&pool->lock);
    if (surplus) {
        destroy(surplus);
    }
}

gboolean hva_pixels_is_sole(HvaPixels *pixels)
{
    return g_atomic_ref_count_compare(&pixels->refs, 1);
}

gboolean hva_pixels_is_outdated(const HvaPixels *pixels)
{
    return pixels->dmabuf < 0 && !is_wanted_kind(pixels->driver, pixels->format, pixels->buffer != NULL);
}

gboolean hva_pixels_is_imported(const HvaPixels *pixels)
{
    return pixels->dmabuf >= 0;
}
