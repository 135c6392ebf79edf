/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* images.c - making and destroying images. */
#include "image.h"
#include "vtable.h"

static void finalize(gpointer object)
{
    hva_unref(((HvaImage *)object)->buffer);
}

VAStatus hva_query_image_formats(VADriverContextP va, VAImageFormat *list, int *n)
{
    for (guint i = 0; i < HVA_N_FORMATS; i++) {
        hva_format_describe(&hva_formats[i], &list[i]);
    }
    *n = HVA_N_FORMATS;
    return VA_STATUS_SUCCESS;
}

/* Takes @buffer over. */
static void add(HvaDriver *driver, const HvaFormat *format, guint width, guint height, const HvaLayout *layout,
                HvaBuffer *buffer, VAImage *out)
{
    g_autoptr(HvaImage) self = hva_object_new(sizeof(*self), HVA_IMAGE, finalize);

    self->format = format;
    self->width = width;
    self->height = height;
    self->layout = *layout;
    self->buffer = buffer;
    self->buffer_id = hva_objects_add(driver->objects, buffer);
    *out = (VAImage){ .image_id = hva_objects_add(driver->objects, self),
                      .buf = self->buffer_id,
                      .width = (guint16)width,
                      .height = (guint16)height,
                      .data_size = (guint32)layout->size,
                      .num_planes = format->n_planes };
    hva_format_describe(format, &out->format);
    for (guint i = 0; i < format->n_planes; i++) {
        out->offsets[i] = (guint32)layout->offset[i];
        out->pitches[i] = (guint32)layout->stride[i];
    }
}

static VAStatus no_image(VAImage *image, VAStatus status)
{
    *image = (VAImage){ .image_id = VA_INVALID_ID, .buf = VA_INVALID_ID };
    return status;
}

VAStatus hva_create_image(VADriverContextP va, VAImageFormat *wanted, int width, int height, VAImage *image)
{
    const HvaFormat *format = hva_format_find(wanted->fourcc);
    HvaBuffer *buffer;
    HvaLayout layout;

    if (!format) {
        return no_image(image, VA_STATUS_ERROR_INVALID_IMAGE_FORMAT);
    }
    if (width < 1 || height < 1 || (guint)width > HVA_MAX_SIDE || (guint)height > HVA_MAX_SIDE) {
        return no_image(image, VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED);
    }
    hva_layout(format, (guint)width, (guint)height, &layout);
    buffer = hva_buffer_new(VAImageBufferType, (guint)layout.size, 1);
    if (!buffer) {
        return no_image(image, VA_STATUS_ERROR_ALLOCATION_FAILED);
    }
    add(hva_driver(va), format, (guint)width, (guint)height, &layout, buffer, image);
    return VA_STATUS_SUCCESS;
}

/* Fails where the CPU cannot read: clients take vaGetImage() or another way then. */
VAStatus hva_derive_image(VADriverContextP va, VASurfaceID id, VAImage *image)
{
    HvaDriver *driver = hva_driver(va);
    g_autoptr(HvaSurface) surface = hva_objects_ref(driver->objects, HVA_SURFACE, id);
    g_autoptr(HvaPixels) pixels = NULL;
    VAStatus status = VA_STATUS_ERROR_INVALID_SURFACE;

    if (surface) {
        pixels = hva_surface_read(surface, &status);
    }
    if (!pixels) {
        return no_image(image, status);
    }
    add(driver, surface->format, surface->width, surface->height, &pixels->layout,
        hva_buffer_new_derived(surface, (guint)pixels->layout.size), image);
    return VA_STATUS_SUCCESS;
}

VAStatus hva_destroy_image(VADriverContextP va, VAImageID id)
{
    HvaDriver *driver = hva_driver(va);
    g_autoptr(HvaImage) image = hva_objects_take(driver->objects, HVA_IMAGE, id);
    g_autoptr(HvaBuffer) buffer = image ? hva_objects_take(driver->objects, HVA_BUFFER, image->buffer_id) : NULL;

    return image ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_INVALID_IMAGE;
}
