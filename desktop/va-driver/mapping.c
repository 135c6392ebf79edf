/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mapping.c - mapping buffers: the access unit of a coded buffer, for which it waits, and the pixels of an image. */
#include "buffer.h"
#include "vtable.h"

/* One segment. The unit stays until the next one is mapped, or the buffer goes: clients unmap late. */
static VAStatus map_unit(HvaBuffer *self, void **data)
{
    g_autoptr(HvaJob) job = NULL;
    VAStatus status = VA_STATUS_SUCCESS;
    GBytes *unit = NULL, *old;
    gsize size = 0;

    g_mutex_lock(&self->lock);
    job = self->job ? hva_job_ref(self->job) : NULL;
    g_mutex_unlock(&self->lock);
    if (job) {
        status = hva_job_wait(job, -1);
        unit = hva_job_unit(job);
    }
    if (status != VA_STATUS_SUCCESS) {
        g_clear_pointer(&unit, g_bytes_unref);
        return status;
    }
    g_mutex_lock(&self->lock);
    old = self->unit;
    self->unit = unit;
    self->segment = (VACodedBufferSegment){ 0 };
    if (unit) {
        self->segment.buf = (void *)g_bytes_get_data(unit, &size);
        self->segment.size = (guint32)size;
    }
    *data = &self->segment;
    g_mutex_unlock(&self->lock);
    if (old) {
        g_bytes_unref(old);
    }
    return VA_STATUS_SUCCESS;
}

/* The client may write: the surface gets memory that nothing else reads. */
static VAStatus map_derived(HvaBuffer *self, void **data)
{
    HvaPixels *pixels = NULL, *old = NULL;
    VAStatus status = VA_STATUS_SUCCESS;

    g_mutex_lock(&self->lock);
    if (self->mapped) {
        *data = self->mapped->data;
        g_mutex_unlock(&self->lock);
        return VA_STATUS_SUCCESS;
    }
    g_mutex_unlock(&self->lock);
    pixels = hva_surface_write(self->surface, TRUE, &status);
    if (!pixels) {
        return status;
    }
    g_mutex_lock(&self->lock);
    old = self->mapped;
    self->mapped = pixels;
    *data = pixels->data;
    g_mutex_unlock(&self->lock);
    if (old) {
        hva_pixels_unref(old);
    }
    return VA_STATUS_SUCCESS;
}

VAStatus hva_map_buffer(VADriverContextP va, VABufferID id, void **data)
{
    g_autoptr(HvaBuffer) buffer = hva_objects_ref(hva_driver(va)->objects, HVA_BUFFER, id);

    *data = NULL;
    if (!buffer) {
        return VA_STATUS_ERROR_INVALID_BUFFER;
    }
    if (buffer->type == VAEncCodedBufferType) {
        return map_unit(buffer, data);
    }
    if (buffer->surface) {
        return map_derived(buffer, data);
    }
    *data = buffer->data;
    return VA_STATUS_SUCCESS;
}

VAStatus hva_unmap_buffer(VADriverContextP va, VABufferID id)
{
    g_autoptr(HvaBuffer) buffer = hva_objects_ref(hva_driver(va)->objects, HVA_BUFFER, id);
    HvaPixels *mapped;

    if (!buffer) {
        return VA_STATUS_ERROR_INVALID_BUFFER;
    }
    g_mutex_lock(&buffer->lock);
    mapped = g_steal_pointer(&buffer->mapped);
    g_mutex_unlock(&buffer->lock);
    if (mapped) {
        hva_pixels_unref(mapped);
    }
    return VA_STATUS_SUCCESS;
}
