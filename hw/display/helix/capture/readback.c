/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * readback.c - pictures read into host memory by the CPU, in pieces, so that a large one does not block the main loop.
 *
 * Each iteration of the main loop reads pieces until its time budget is spent; pictures in progress are served
 * round-robin. Each time the resource is looked up again, so that nothing of the guest's is referenced across
 * callbacks: a resource that was destroyed meanwhile is an error, and so is another one with the same id. (A guest may
 * draw into a picture that it has requested; that spoils its own picture only.)
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "qemu/queue.h"
#include "system/runstate.h"
#include "guest-pages.h"
#include "pixel-layout.h"
#include "readback.h"
#include "texture-hooks.h"
#include "../loop/loop-budget.h"
#include "../trace.h"

#define PIECE_BYTES (512u * 1024u)

/* A picture in progress. */
typedef struct Read {
    QTAILQ_ENTRY(Read) next;
    VirtIOGPU *g;
    HelixPicture picture;
    HelixResource resource; /* as found first; its pages must not be accessed */
    bool texture;
    bool replaced; /* another resource has its id */
    HelixPixelLayout layout;
    HelixPlane planes[2];
    unsigned n_planes, plane; /* planes in all, and the index of the current one */
    uint32_t row;             /* next row of the current plane */
    HelixSurfacePool *pool;
    HelixSurface *surface; /* NULL while the GPU converts */
    HelixResolved done;    /* NULL: already answered */
    gpointer data;
} Read;

static QTAILQ_HEAD(, Read) reads = QTAILQ_HEAD_INITIALIZER(reads);       /* read on the main loop */
static QTAILQ_HEAD(, Read) threaded = QTAILQ_HEAD_INITIALIZER(threaded); /* read by helix_readback_thread */
static QEMUBH *band_bh;

/*
 * Size, texture or backing of the same id may have changed; resource-lifetime.c notices a resource that was made again.
 */
static bool same_resource(const HelixResource *a, const HelixResource *b, bool texture)
{
    return a->texture_id == b->texture_id && a->width == b->width && a->height == b->height && a->format == b->format &&
        a->blob_size == b->blob_size && (texture || a->pages_hash == b->pages_hash);
}

static void read_image(const HelixResource *resource, uint32_t x, uint32_t y, uint32_t row_bytes, uint32_t rows,
                       uint8_t *to, size_t to_stride)
{
    size_t stride = pixman_image_get_stride(resource->image);
    const uint8_t *from = (const uint8_t *)pixman_image_get_data(resource->image) + y * stride + (size_t)x * 4;

    for (; rows > 0; rows--, from += stride, to += to_stride) {
        memcpy(to, from, row_bytes);
    }
}

/* Read some rows of the current plane. */
static bool read_piece(Read *read, const HelixResource *resource, GError **error)
{
    const HelixPlane *plane = &read->planes[read->plane];
    HelixSurface *surface = read->surface;
    uint32_t stride = surface->stride[read->plane];
    uint32_t rows = MIN(plane->rows - read->row, MAX(1, PIECE_BYTES / MAX(1, plane->row_bytes)));
    uint8_t *to = surface->data + surface->offset[read->plane] + (size_t)read->row * stride;
    const HelixPicture *picture = &read->picture;

    if (!read->texture) {
        if (!helix_pages_read(resource, plane, read->row, rows, to, stride)) {
            g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "the pages of resource %u end before the picture",
                        resource->id);
            return false;
        }
    } else if (resource->image) {
        read_image(resource, picture->crop_x, picture->crop_y + read->row, plane->row_bytes, rows, to, stride);
    } else if (!helix_texture_read(read->g, resource, picture->crop_x, picture->crop_y + read->row, picture->width,
                                   rows, to, stride, error)) {
        return false;
    }
    helix_surface_clear_edges(surface, read->plane, read->row, rows);
    surface->cpu_bytes += (uint64_t)plane->row_bytes * rows;
    if (helix_pixels_reorder(to, picture->width, rows, stride, &read->layout)) {
        surface->cpu_bytes += (uint64_t)plane->row_bytes * rows;
    }
    read->row += rows;
    if (read->row == plane->rows) {
        read->plane++;
        read->row = 0;
    }
    return true;
}

static bool whole(const Read *read)
{
    return read->plane == read->n_planes;
}

/* Read pieces until the iteration's time budget is spent; one at least. */
static bool read_band(Read *read, const HelixResource *resource, GError **error)
{
    do {
        if (!read_piece(read, resource, error)) {
            return false;
        }
    } while (!whole(read) && helix_loop_spent_us() < HELIX_LOOP_BUDGET_US);
    return true;
}

/* Answer the request; frees @read. */
static void finish(Read *read, GError *error)
{
    HelixSurface *surface = error ? NULL : g_steal_pointer(&read->surface);

    if (!error) {
        trace_helix_lookup_found(read->resource.id, surface->width, surface->height, read->resource.format,
                                 helix_host_path_name(surface->path));
    } else {
        trace_helix_lookup_failed(read->resource.id, error->code, error->message);
    }
    read->done(read->data, surface, error);
    helix_surface_unref(read->surface);
    g_free(read);
}

static void next_band(void *opaque)
{
    HELIX_LOOP_SCOPE;
    Read *read = QTAILQ_FIRST(&reads);
    HelixResource resource;
    GError *error = NULL;

    if (!read || !runstate_is_running()) {
        return;
    }
    QTAILQ_REMOVE(&reads, read, next);
    if (helix_resource_find(read->g, read->resource.id, !read->texture, &resource, &error) &&
        (read->replaced || !same_resource(&read->resource, &resource, read->texture))) {
        error = g_error_new(HELIX_ERROR, HELIX_CODE_NOT_FOUND,
                            "resource %u was destroyed while it was read, and another "
                            "has its id: keep a buffer until FRAME_RELEASED or the answer",
                            resource.id);
    }
    /* The hash detects an honest guest's change; what is read lies within the current pages in any case. */
    if (!error &&
        (read->texture || helix_pages_plan(&resource, &read->picture, read->layout.fourcc, read->planes, &error))) {
        read_band(read, &resource, &error);
    }
    if (error || whole(read)) {
        finish(read, error);
    } else {
        QTAILQ_INSERT_TAIL(&reads, read, next);
    }
    helix_readback_continue();
}

void helix_readback_continue(void)
{
    if (!QTAILQ_EMPTY(&reads) && runstate_is_running()) {
        if (!band_bh) {
            band_bh = aio_bh_new(iohandler_get_aio_context(), next_band, NULL);
        }
        qemu_bh_schedule(band_bh);
    }
}

static void mark_replaced(Read *read, uint32_t id)
{
    read->replaced |= !id || read->resource.id == id;
}

void helix_readback_invalidate(uint32_t id)
{
    Read *read;

    QTAILQ_FOREACH (read, &reads, next) {
        mark_replaced(read, id);
    }
    QTAILQ_FOREACH (read, &threaded,
                    next) { /* the thread still reads the old texture, the main loop would read the new one */
        mark_replaced(read, id);
    }
}

static GError *reset_error(const Read *read)
{
    return g_error_new(HELIX_ERROR, HELIX_CODE_NOT_FOUND,
                       "the GPU was reset and resource %u with it: send the picture "
                       "again",
                       read->resource.id);
}

/* ---- read by the read-back thread ---- */

static void thread_done(void *data, bool good)
{
    HELIX_LOOP_SCOPE;
    Read *read = data;

    QTAILQ_REMOVE(&threaded, read, next);
    if (!read->done) {
        helix_surface_unref(read->surface);
        g_free(read);
    } else if (good) {
        read->surface->cpu_bytes = (uint64_t)read->planes[0].row_bytes * read->planes[0].rows;
        finish(read, NULL);
    } else { /* the main loop reads it instead */
        QTAILQ_INSERT_TAIL(&reads, read, next);
        helix_readback_continue();
    }
}

/* For a texture whose bytes GL returns in the surface's order. The plan is checked against the surface again. */
static bool begin_threaded(Read *read)
{
    const HelixResource *resource = &read->resource;
    const HelixPlane *plane = &read->planes[0];
    HelixSurface *surface = read->surface;
    HelixReadbackOrder order = {
        .texture = resource->texture_id,
        .red_first = read->layout.fourcc == HELIX_FORMAT_AB24 || read->layout.fourcc == HELIX_FORMAT_XB24,
        .x = read->picture.crop_x,
        .y = read->picture.crop_y,
        .width = read->picture.width,
        .rows = read->picture.height,
        .to = surface->data + surface->offset[0],
        .stride = surface->stride[0],
        .done = thread_done,
        .data = read,
    };

    if (!helix_readback_thread || !read->texture || !resource->texture_id || resource->image || resource->bottom_up ||
        read->layout.byte[0] != 0 || helix_format_is_srgb(resource->format) || read->n_planes != 1 ||
        surface->n_planes != 1 || plane->row_bytes != order.width * 4 || order.stride < plane->row_bytes ||
        order.stride % 4 || surface->offset[0] > surface->size ||
        (uint64_t)order.stride * order.rows > surface->size - surface->offset[0] ||
        !helix_readback_thread->begin(&order)) {
        return false;
    }
    QTAILQ_INSERT_TAIL(&threaded, read, next);
    return true;
}

static bool take_memory(Read *read, GError **error)
{
    const HelixPicture *picture = &read->picture;

    read->surface = helix_surface_pool_take(read->pool, read->layout.fourcc, picture->width, picture->height, error);
    if (read->surface) {
        read->surface->path = read->texture ? HELIX_HOST_PATH_READBACK : HELIX_HOST_PATH_PAGES;
        read->surface->cpu_bytes = 0;
    }
    return read->surface;
}

static void conversion_done(void *data, HelixSurface *surface)
{
    HELIX_LOOP_SCOPE;
    Read *read = data;
    GError *error = NULL;

    QTAILQ_REMOVE(&threaded, read, next);
    if (!read->done) {
        helix_surface_unref(surface);
        g_free(read);
    } else if (surface || !take_memory(read, &error)) {
        read->surface = surface;
        finish(read, error);
    } else { /* the main loop reads it instead */
        QTAILQ_INSERT_TAIL(&reads, read, next);
        helix_readback_continue();
    }
}

/* For a texture whose picture the encoder wants as NV12. */
static bool begin_conversion(Read *read, const HelixCaptureTarget *target)
{
    const HelixResource *resource = &read->resource;
    const HelixPicture *picture = &read->picture;
    const HelixConvertOrder order = {
        .texture = resource->texture_id,
        .bottom_up = resource->bottom_up,
        .x = picture->crop_x,
        .y = picture->crop_y,
        .width = picture->width,
        .height = picture->height,
        .coded_width = ((target->coded_width ? target->coded_width : picture->width) + 1) & ~1u,
        .coded_height = ((target->coded_height ? target->coded_height : picture->height) + 1) & ~1u,
        .pool = read->pool,
        .done = conversion_done,
        .data = read,
    };

    if (!target->wants_nv12 || !helix_readback_thread || !helix_readback_thread->convert || !read->texture ||
        !resource->texture_id || resource->image || !helix_readback_thread->convert(&order)) {
        return false;
    }
    QTAILQ_INSERT_TAIL(&threaded, read, next);
    return true;
}

/* Answer what the thread is reading; the thread returns the orders later. */
static void disown_threaded(void)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new(); /* an answer may start another read-back, which is not cancelled */
    Read *read;

    QTAILQ_FOREACH (read, &threaded, next) {
        if (read->done) {
            g_ptr_array_add(all, read);
        }
    }
    for (guint i = 0; i < all->len; i++) {
        HelixResolved done;

        read = all->pdata[i];
        done = read->done;
        read->done = NULL;
        done(read->data, NULL, reset_error(read));
    }
}

/* ---- any read-back ---- */

void helix_readback_cancel_all(void)
{
    unsigned left = 0;
    Read *read;

    disown_threaded();
    QTAILQ_FOREACH (read, &reads, next) {
        left++;
    }
    for (; left > 0; left--) { /* an answer may start another read-back, which is queued behind these */
        read = QTAILQ_FIRST(&reads);
        QTAILQ_REMOVE(&reads, read, next);
        finish(read, reset_error(read));
    }
}

bool helix_readback_check_size(const HelixResource *resource, const HelixPicture *picture, GError **error)
{
    if (picture->width <= HELIX_MAX_DIMENSION && picture->height <= HELIX_MAX_DIMENSION) {
        return true;
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY,
                "a picture of %u x %u is too large to be read from resource %u: "
                "each side is at most %u, ask for a part of it (crop)",
                picture->width, picture->height, resource->id, HELIX_MAX_DIMENSION);
    return false;
}

static void set_unreadable(const HelixResource *resource, GError **error)
{
    g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE,
                "resource %u has format %u of virtio-gpu, which has no "
                "8-bit RGB pixels: allocate XR24, AR24, XB24 or AB24",
                resource->id, resource->format);
}

/* Compute what of @resource is the picture. All sizes are checked here, before anything is read or allocated. */
static bool plan(Read *read, GError **error)
{
    const HelixResource *resource = &read->resource;
    const HelixPicture *picture = &read->picture;

    if (!helix_readback_check_size(resource, picture, error)) {
        return false;
    }
    read->layout = helix_pixel_layout(resource->format);
    if (!read->texture && (resource->blob_size || helix_pages_hold_nv12(picture))) {
        /* the host knows no format of a blob; elsewhere, except for NV12, the guest's fourcc is a hint */
        read->layout = (HelixPixelLayout){ picture->fourcc, { 0, 1, 2, 3 } };
    }
    if (!read->layout.fourcc) {
        set_unreadable(resource, error);
        return false;
    }
    if (!read->texture) {
        read->n_planes = helix_pages_plan(resource, picture, read->layout.fourcc, read->planes, error);
    } else {
        read->planes[0] = (HelixPlane){ .row_bytes = picture->width * 4, .rows = picture->height };
        read->n_planes = 1;
    }
    return read->n_planes > 0;
}

void helix_readback_begin(VirtIOGPU *g, const HelixResource *resource, bool texture, const HelixPicture *picture,
                          const HelixCaptureTarget *target, HelixSurfacePool *pool, HelixResolved done, gpointer data)
{
    Read *read = g_new0(Read, 1);
    GError *error = NULL;

    read->g = g;
    read->resource = *resource;
    read->texture = texture;
    read->picture = *picture;
    read->done = done;
    read->data = data;
    read->pool = pool;
    if (plan(read, &error)) {
        if (begin_conversion(read, target)) {
            return;
        }
        take_memory(read, &error);
    }
    if (read->surface) {
        if (begin_threaded(read)) {
            return;
        }
        if (QTAILQ_EMPTY(&reads) && helix_loop_spent_us() < HELIX_LOOP_BUDGET_US) {
            read_band(read, &read->resource, &error);
        }
    }
    if (error || whole(read)) {
        finish(read, error);
        return;
    }
    QTAILQ_INSERT_TAIL(&reads, read, next);
    helix_readback_continue();
}
