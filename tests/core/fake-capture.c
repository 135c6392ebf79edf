/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake-capture.c - a resolver whose resources are pictures drawn in process. */
#include <fcntl.h>
#include <unistd.h>

#include "protocol/error.h"
#include "fake-capture.h"

typedef struct LookUp {
    FakeCapture *capture;
    HelixPicture picture;
    guint surface_kinds;
    HelixSurfacePool *pool;
    HelixResolved done;
    gpointer data;
} LookUp;

guint32 fake_capture_pixel(guint32 resource, guint32 x, guint32 y)
{
    guint32 red = resource * 37 % 192, green = resource * 91 % 192, blue = resource * 53 % 192;

    if ((x + y) % 64 < 8) {
        red += 63;
        green += 63;
        blue += 63;
    }
    return red << 16 | green << 8 | blue;
}

static void draw_rgb(HelixSurface *surface, const HelixPicture *picture, guint32 drawing)
{
    gboolean red_first = picture->fourcc == HELIX_FORMAT_AB24 || picture->fourcc == HELIX_FORMAT_XB24;

    for (guint32 y = 0; y < surface->height; y++) {
        guint8 *row = surface->data + (gsize)y * surface->stride[0];

        for (guint32 x = 0; x < surface->width; x++) {
            guint32 rgb = fake_capture_pixel(drawing, picture->crop_x + x, picture->crop_y + y);

            row[4 * x + (red_first ? 0 : 2)] = (guint8)(rgb >> 16);
            row[4 * x + 1] = (guint8)(rgb >> 8);
            row[4 * x + (red_first ? 2 : 0)] = (guint8)rgb;
            row[4 * x + 3] = 255;
        }
    }
}

/* ---- a guest's pages ---- */

/* FALSE: the file ends before. */
static gboolean read_plane(int fd, const FakeCapture *capture, const HelixPicture *picture, guint plane,
                           HelixSurface *surface)
{
    guint pixel = surface->n_planes == 1 ? 4 : 1;
    gsize stride = picture->planes ? picture->stride_of[plane] : picture->stride;
    gsize at = (gsize)(picture->resource_id - capture->pages_first) * FAKE_CAPTURE_PAGES +
        (picture->planes ? picture->offset[plane] : plane * stride * picture->height);
    gsize row = (gsize)(surface->n_planes == 1 ? surface->width : (surface->width + 1) & ~1u) * pixel;

    at += (picture->crop_y >> plane) * stride + (gsize)picture->crop_x * pixel;
    for (guint32 y = 0; y < (surface->height + plane) >> plane; y++) {
        guint8 *to = surface->data + surface->offset[plane] + (gsize)y * surface->stride[plane];

        if (pread(fd, to, row, (off_t)(at + y * stride)) != (gssize)row) {
            return FALSE;
        }
    }
    return TRUE;
}

static HelixSurface *read_pages(const FakeCapture *capture, const LookUp *look_up, GError **error)
{
    const HelixPicture *picture = &look_up->picture;
    HelixSurface *surface = helix_surface_pool_take(look_up->pool, picture->fourcc, picture->width, picture->height,
                                                    error);
    int fd = surface ? open(capture->pages, O_RDONLY | O_CLOEXEC) : -1;
    gboolean whole = fd >= 0 && picture->resource_id >= capture->pages_first;

    for (guint plane = 0; whole && plane < surface->n_planes; plane++) {
        whole = read_plane(fd, capture, picture, plane, surface);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (surface && !whole) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE, "resource %u has no such pages", picture->resource_id);
        g_clear_pointer(&surface, helix_surface_unref);
    } else if (surface) {
        surface->path = HELIX_HOST_PATH_PAGES;
        surface->cpu_bytes = surface->size;
    }
    return surface;
}

/* ---- look-ups ---- */

static HelixSurface *draw(FakeCapture *capture, const LookUp *look_up, GError **error)
{
    const HelixPicture *picture = &look_up->picture;
    guint64 right = (guint64)picture->crop_x + picture->width, bottom = (guint64)picture->crop_y + picture->height;
    HelixSurface *surface;

    if (capture->closed || picture->resource_id > FAKE_CAPTURE_LAST) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_FOUND, "no resource %u: there are 1 to %u", picture->resource_id,
                    FAKE_CAPTURE_LAST);
        return NULL;
    }
    if (capture->fail_ids && g_hash_table_contains(capture->fail_ids, GUINT_TO_POINTER(picture->resource_id))) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE, "resource %u was told to fail", picture->resource_id);
        return NULL;
    }
    if (picture->res_width && (right > picture->res_width || bottom > picture->res_height)) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "the crop does not fit %u x %u", picture->res_width,
                    picture->res_height);
        return NULL;
    }
    if (capture->pages && picture->source == HELIX_SOURCE_PAGES) {
        return read_pages(capture, look_up, error);
    }
    if (picture->fourcc == HELIX_FORMAT_NV12) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "the capture draws RGB only");
        return NULL;
    }
    surface = helix_surface_pool_take(look_up->pool, picture->fourcc, picture->width, picture->height, error);
    if (surface) {
        draw_rgb(surface, picture, picture->resource_id + (guint)g_atomic_int_get(&capture->overwritten));
        surface->path = HELIX_HOST_PATH_READBACK;
        surface->cpu_bytes = surface->size;
        surface->borrows_guest = capture->borrow && look_up->surface_kinds;
    }
    return surface;
}

static gboolean answer(gpointer data)
{
    LookUp *look_up = data;
    GError *error = NULL;
    HelixSurface *surface = draw(look_up->capture, look_up, &error);

    look_up->done(look_up->data, surface, error);
    g_free(look_up);
    return G_SOURCE_REMOVE;
}

static void resolve(gpointer self, const HelixPicture *picture, const HelixCaptureTarget *target,
                    HelixSurfacePool *pool, HelixResolved done, gpointer data)
{
    FakeCapture *capture = self;
    LookUp *look_up = g_new(LookUp, 1);

    *look_up = (LookUp){ .capture = capture, .picture = *picture, .pool = pool, .done = done, .data = data };
    look_up->surface_kinds = target->surface_kinds;
    g_atomic_int_set(&capture->coded_width, target->coded_width);
    g_atomic_int_set(&capture->coded_height, target->coded_height);
    g_atomic_int_set(&capture->surface_kinds, target->surface_kinds);
    g_atomic_int_set(&capture->wants_nv12, target->wants_nv12);
    g_atomic_int_inc(&capture->resolved);
    if (capture->hold) {
        g_queue_push_tail(&capture->waiting, look_up);
    } else if (capture->delay_ms) {
        GSource *timer = g_timeout_source_new(capture->delay_ms);

        g_source_set_callback(timer, answer, look_up, NULL);
        g_source_attach(timer, capture->context);
        g_source_unref(timer);
    } else {
        answer(look_up);
    }
}

const HelixResolver fake_capture_resolver = { .resolve = resolve };

void fake_capture_release(FakeCapture *capture)
{
    LookUp *look_up = g_queue_pop_head(&capture->waiting);

    if (look_up) {
        answer(look_up);
    }
}
