/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image-transfer.c - pixels between surfaces and images. */
#include "image.h"
#include "vtable.h"

/* FALSE: empty, or not within a picture of @width x @height. */
static gboolean make_rect(HvaRect *rect, int x, int y, guint wanted_width, guint wanted_height, guint width,
                          guint height)
{
    if (x < 0 || y < 0 || wanted_width == 0 || wanted_height == 0 || (guint)x > width || (guint)y > height ||
        wanted_width > width - (guint)x || wanted_height > height - (guint)y) {
        return FALSE;
    }
    *rect = (HvaRect){ (guint)x, (guint)y, wanted_width, wanted_height };
    return TRUE;
}

/* The pixels of @image, referenced; of one that is not derived, none: they are the buffer's. */
static VAStatus image_planes(HvaImage *image, gboolean write, HvaPlanes *planes, HvaPixels **pixels)
{
    VAStatus status = VA_STATUS_SUCCESS;
    guint8 *data = image->buffer->data;

    *pixels = NULL;
    if (image->buffer->surface) {
        *pixels = write ? hva_surface_write(image->buffer->surface, TRUE, &status)
                        : hva_surface_read(image->buffer->surface, &status);
        data = *pixels ? (*pixels)->data : NULL;
    }
    if (data) {
        hva_planes(planes, image->format, image->width, image->height, *pixels ? &(*pixels)->layout : &image->layout,
                   data);
    }
    return status;
}

static void surface_planes(HvaPixels *pixels, HvaPlanes *planes)
{
    hva_planes(planes, pixels->format, pixels->width, pixels->height, &pixels->layout, pixels->data);
}

VAStatus hva_get_image(VADriverContextP va, VASurfaceID surface_id, int x, int y, unsigned int width,
                       unsigned int height, VAImageID image_id)
{
    HvaObjects *objects = hva_driver(va)->objects;
    g_autoptr(HvaSurface) surface = hva_objects_ref(objects, HVA_SURFACE, surface_id);
    g_autoptr(HvaImage) image = hva_objects_ref(objects, HVA_IMAGE, image_id);
    g_autoptr(HvaPixels) pixels = NULL, derived = NULL;
    HvaPlanes from, to;
    HvaRect rect, all;
    VAStatus status;

    if (!surface || !image) {
        return surface ? VA_STATUS_ERROR_INVALID_IMAGE : VA_STATUS_ERROR_INVALID_SURFACE;
    }
    if (!make_rect(&rect, x, y, width, height, surface->width, surface->height) ||
        !make_rect(&all, 0, 0, width, height, image->width, image->height)) {
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    status = image_planes(image, TRUE, &to, &derived);
    if (status != VA_STATUS_SUCCESS) {
        return status;
    }
    pixels = hva_surface_read(surface, &status);
    if (pixels) {
        surface_planes(pixels, &from);
        hva_convert(&from, &rect, &to, &all);
    }
    return status;
}

VAStatus hva_put_image(VADriverContextP va, VASurfaceID surface_id, VAImageID image_id, int src_x, int src_y,
                       unsigned int src_width, unsigned int src_height, int dest_x, int dest_y, unsigned int dest_width,
                       unsigned int dest_height)
{
    HvaObjects *objects = hva_driver(va)->objects;
    g_autoptr(HvaSurface) surface = hva_objects_ref(objects, HVA_SURFACE, surface_id);
    g_autoptr(HvaImage) image = hva_objects_ref(objects, HVA_IMAGE, image_id);
    g_autoptr(HvaPixels) pixels = NULL, derived = NULL;
    HvaRect from_rect, to_rect;
    HvaPlanes from, to;
    gboolean whole;
    VAStatus status;

    if (!surface || !image) {
        return surface ? VA_STATUS_ERROR_INVALID_IMAGE : VA_STATUS_ERROR_INVALID_SURFACE;
    }
    if (!make_rect(&from_rect, src_x, src_y, src_width, src_height, image->width, image->height) ||
        !make_rect(&to_rect, dest_x, dest_y, dest_width, dest_height, surface->width, surface->height) ||
        (!hva_format_is_rgb(surface->format) && (to_rect.x | to_rect.y) % 2)) {
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    status = image_planes(image, FALSE, &from, &derived);
    if (status != VA_STATUS_SUCCESS) {
        return status;
    }
    whole = to_rect.width == surface->width && to_rect.height == surface->height;
    pixels = hva_surface_write(surface, !whole, &status);
    if (pixels) {
        surface_planes(pixels, &to);
        hva_convert(&from, &from_rect, &to, &to_rect);
    }
    return status;
}
