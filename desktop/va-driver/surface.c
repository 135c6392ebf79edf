/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* surface.c - see surface.h. */
#include "surface.h"

void hva_view_clear(HvaView *view)
{
    g_clear_pointer(&view->pixels, hva_pixels_unref);
}

static void finalize(gpointer object)
{
    HvaSurface *self = object;

    g_clear_pointer(&self->pixels, hva_pixels_unref);
    g_clear_pointer(&self->job, hva_job_unref);
    hva_view_clear(&self->view);
    g_mutex_clear(&self->lock);
}

HvaSurface *hva_surface_new(HvaDriver *driver, const HvaFormat *format, guint width, guint height, HvaPixels *imported)
{
    HvaSurface *self = hva_object_new(sizeof(*self), HVA_SURFACE, finalize);

    self->driver = driver;
    self->format = format;
    self->width = width;
    self->height = height;
    self->pixels = imported;
    g_mutex_init(&self->lock);
    return self;
}

/* ---- pixels ---- */

static void planes_of(HvaPixels *pixels, HvaPlanes *planes)
{
    hva_planes(planes, pixels->format, pixels->width, pixels->height, &pixels->layout, pixels->data);
}

static HvaPixels *make_pixels(HvaSurface *self, VAStatus *status)
{
    HvaPixels *pixels = hva_pixels_new(self->driver, self->format, self->width, self->height);

    *status = pixels ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_ALLOCATION_FAILED;
    return pixels;
}

static gboolean covers(const HvaSurface *self, const HvaRect *rect)
{
    return rect->x == 0 && rect->y == 0 && rect->width == self->width && rect->height == self->height;
}

/* With the lock. The view becomes pixels. */
static VAStatus make_view(HvaSurface *self)
{
    HvaView *view = &self->view;
    HvaPlanes from, to;
    VAStatus status;

    if (hva_pixels_is_imported(view->pixels)) {
        hva_info(self->driver, "The CPU cannot read the pixels of a DMA-BUF of the virtio-gpu: they are on the host.");
        return VA_STATUS_ERROR_OPERATION_FAILED;
    }
    self->pixels = make_pixels(self, &status);
    if (!self->pixels) {
        return status;
    }
    planes_of(view->pixels, &from);
    planes_of(self->pixels, &to);
    if (!covers(self, &view->to)) {
        hva_fill(&to, view->background);
    }
    hva_convert(&from, &view->from, &to, &view->to);
    self->pixels->is_bt709 = hva_format_is_rgb(from.format) || view->pixels->is_bt709;
    hva_view_clear(view);
    return VA_STATUS_SUCCESS;
}

/* With the lock. What the surface holds, as pixels that the CPU can read. */
static VAStatus make_readable(HvaSurface *self)
{
    VAStatus status = VA_STATUS_SUCCESS;

    if (self->view.pixels) {
        return make_view(self);
    }
    if (!self->pixels) {
        self->pixels = make_pixels(self, &status);
    } else if (hva_pixels_is_imported(self->pixels)) {
        status = VA_STATUS_ERROR_OPERATION_FAILED;
    }
    return status;
}

HvaPixels *hva_surface_read(HvaSurface *self, VAStatus *status)
{
    HvaPixels *pixels = NULL;

    g_mutex_lock(&self->lock);
    *status = make_readable(self);
    if (*status == VA_STATUS_SUCCESS) {
        pixels = hva_pixels_ref(self->pixels);
    }
    g_mutex_unlock(&self->lock);
    return pixels;
}

/* With the lock; pixels that nothing else refers to. Memory whose pixels are in use stays as it is. */
static VAStatus make_writable(HvaSurface *self, gboolean keep)
{
    gboolean usable = self->pixels && hva_pixels_is_sole(self->pixels) && !hva_pixels_is_outdated(self->pixels);
    HvaPixels *fresh;
    VAStatus status;

    if (usable) {
        return VA_STATUS_SUCCESS;
    }
    fresh = make_pixels(self, &status);
    if (!fresh) {
        return status;
    }
    if (keep) {
        const HvaRect all = { 0, 0, self->width, self->height };
        HvaPlanes from, to;

        planes_of(self->pixels, &from);
        planes_of(fresh, &to);
        hva_convert(&from, &all, &to, &all);
    }
    g_clear_pointer(&self->pixels, hva_pixels_unref);
    self->pixels = fresh;
    return VA_STATUS_SUCCESS;
}

HvaPixels *hva_surface_write(HvaSurface *self, gboolean keep, VAStatus *status)
{
    HvaPixels *pixels = NULL;

    g_mutex_lock(&self->lock);
    if (self->pixels && hva_pixels_is_imported(self->pixels)) {
        *status = VA_STATUS_ERROR_OPERATION_FAILED;
    } else if (keep) {
        *status = make_readable(self);
    } else {
        hva_view_clear(&self->view);
        *status = VA_STATUS_SUCCESS;
    }
    if (*status == VA_STATUS_SUCCESS) {
        *status = make_writable(self, keep);
    }
    if (*status == VA_STATUS_SUCCESS) {
        self->pixels->is_bt709 = FALSE;
        pixels = hva_pixels_ref(self->pixels);
    }
    g_mutex_unlock(&self->lock);
    return pixels;
}

/* With the lock. */
static VAStatus make_exportable(HvaSurface *self)
{
    if (self->pixels && hva_pixels_is_imported(self->pixels)) {
        return VA_STATUS_SUCCESS;
    }
    if (self->pixels || self->view.pixels) {
        return VA_STATUS_ERROR_OPERATION_FAILED;
    }
    self->pixels = hva_pixels_new_exported(self->driver, self->format, self->width, self->height);
    return self->pixels ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE;
}

HvaPixels *hva_surface_export(HvaSurface *self, VAStatus *status)
{
    HvaPixels *pixels = NULL;

    g_mutex_lock(&self->lock);
    *status = make_exportable(self);
    if (*status == VA_STATUS_SUCCESS) {
        pixels = hva_pixels_ref(self->pixels);
    }
    g_mutex_unlock(&self->lock);
    return pixels;
}

/* ---- views ---- */

HvaPixels *hva_surface_source(HvaSurface *self, VAStatus *status)
{
    HvaPixels *pixels = NULL;

    g_mutex_lock(&self->lock);
    *status = VA_STATUS_SUCCESS;
    if (!self->pixels || !hva_pixels_is_imported(self->pixels)) {
        *status = make_readable(self);
    }
    if (*status == VA_STATUS_SUCCESS) {
        pixels = hva_pixels_ref(self->pixels);
    }
    g_mutex_unlock(&self->lock);
    return pixels;
}

VAStatus hva_surface_set_view(HvaSurface *self, HvaView *view)
{
    VAStatus status = VA_STATUS_SUCCESS;
    HvaView old = *view;
    HvaPixels *pixels = NULL;

    g_mutex_lock(&self->lock);
    if (self->pixels && hva_pixels_is_imported(self->pixels)) {
        status = VA_STATUS_ERROR_OPERATION_FAILED;
    } else {
        pixels = g_steal_pointer(&self->pixels);
        old = self->view;
        self->view = *view;
    }
    g_mutex_unlock(&self->lock);
    if (pixels) {
        hva_pixels_unref(pixels);
    }
    hva_view_clear(&old);
    return status;
}

/* [@at, @at + @size) of what [@to, @to + @to_size) is, in the source's [@from, @from + @from_size). FALSE: it lies
 * outside, or is no whole pixels. */
static gboolean part(guint at, guint size, guint to, guint to_size, guint from, guint from_size, guint *x, guint *width)
{
    guint64 begin, length = (guint64)size * from_size;

    if (at < to || size > to_size || at - to > to_size - size) {
        return FALSE;
    }
    begin = (guint64)(at - to) * from_size;
    *x = from + (guint)(begin / to_size);
    *width = (guint)(length / to_size);
    return begin % to_size == 0 && length % to_size == 0;
}

/* Whether @visible is an exact part of the view's picture; which is @rect. */
static gboolean view_part(const HvaView *view, const HvaRect *visible, HvaRect *rect)
{
    const HvaRect *from = &view->from, *to = &view->to;

    return part(visible->x, visible->width, to->x, to->width, from->x, from->width, &rect->x, &rect->width) &&
        part(visible->y, visible->height, to->y, to->height, from->y, from->height, &rect->y, &rect->height) &&
        (hva_format_is_rgb(view->pixels->format) || (rect->x | rect->y) % 2 == 0);
}

VAStatus hva_surface_picture(HvaSurface *self, const HvaRect *visible, HvaView *view)
{
    VAStatus status = VA_STATUS_SUCCESS;
    HvaRect rect;

    g_mutex_lock(&self->lock);
    if (self->view.pixels && view_part(&self->view, visible, &rect)) {
        *view = (HvaView){ .pixels = hva_pixels_ref(self->view.pixels), .from = rect, .to = *visible };
        g_mutex_unlock(&self->lock);
        return VA_STATUS_SUCCESS;
    }
    if (!self->pixels || !hva_pixels_is_imported(self->pixels)) {
        status = make_readable(self);
    }
    if (status == VA_STATUS_SUCCESS) {
        *view = (HvaView){ .pixels = hva_pixels_ref(self->pixels), .from = *visible, .to = *visible };
    }
    g_mutex_unlock(&self->lock);
    return status;
}

/* ---- encodes ---- */

void hva_surface_set_job(HvaSurface *self, HvaJob *job)
{
    HvaJob *old;

    hva_job_ref(job);
    g_mutex_lock(&self->lock);
    old = self->job;
    self->job = job;
    g_mutex_unlock(&self->lock);
    if (old) {
        hva_job_unref(old);
    }
}

HvaJob *hva_surface_job(HvaSurface *self)
{
    HvaJob *job;

    g_mutex_lock(&self->lock);
    job = self->job ? hva_job_ref(self->job) : NULL;
    g_mutex_unlock(&self->lock);
    return job;
}
