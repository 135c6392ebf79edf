/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* buffers.c - see buffer.h. */
#include <string.h>
#include "buffer.h"
#include "vtable.h"

/* Of one buffer; parameters are small, and images are made elsewhere. */
#define MAX_BYTES (64u << 20)

static void finalize(gpointer object)
{
    HvaBuffer *self = object;

    g_clear_pointer(&self->job, hva_job_unref);
    g_clear_pointer(&self->unit, g_bytes_unref);
    g_clear_pointer(&self->mapped, hva_pixels_unref);
    hva_unref(self->surface);
    g_free(self->data);
    g_mutex_clear(&self->lock);
}

static HvaBuffer *buffer_new(VABufferType type, guint size, guint n)
{
    HvaBuffer *self = hva_object_new(sizeof(*self), HVA_BUFFER, finalize);

    self->type = type;
    self->size = size;
    self->n = n;
    g_mutex_init(&self->lock);
    return self;
}

HvaBuffer *hva_buffer_new(VABufferType type, guint size, guint n)
{
    HvaBuffer *self = buffer_new(type, size, n);

    if (type != VAEncCodedBufferType) {
        self->data = g_try_malloc0((gsize)size * n);
        if (!self->data) {
            hva_unref(self);
            return NULL;
        }
    }
    return self;
}

HvaBuffer *hva_buffer_new_derived(HvaSurface *surface, guint size)
{
    HvaBuffer *self = buffer_new(VAImageBufferType, size, 1);

    self->surface = hva_ref(surface);
    return self;
}

void hva_buffer_set_job(HvaBuffer *self, HvaJob *job)
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

const void *hva_buffer_parameters(const HvaBuffer *self, gsize size)
{
    return self->data && (gsize)self->size * self->n >= size ? self->data : NULL;
}

/* ---- entries ---- */

static gboolean is_known(VABufferType type)
{
    switch ((int)type) {
    case VAImageBufferType:
    case VAEncCodedBufferType:
    case VAEncSequenceParameterBufferType:
    case VAEncPictureParameterBufferType:
    case VAEncSliceParameterBufferType:
    case VAEncPackedHeaderParameterBufferType:
    case VAEncPackedHeaderDataBufferType:
    case VAEncMiscParameterBufferType:
    case VAProcPipelineParameterBufferType:
    case VAProcFilterParameterBufferType:
        return TRUE;
    default:
        return FALSE;
    }
}

VAStatus hva_create_buffer(VADriverContextP va, VAContextID context, VABufferType type, unsigned int size,
                           unsigned int n, void *data, VABufferID *id)
{
    g_autoptr(HvaBuffer) buffer = NULL;

    *id = VA_INVALID_ID;
    if (!is_known(type)) {
        return VA_STATUS_ERROR_UNSUPPORTED_BUFFERTYPE;
    }
    if (size == 0 || n == 0 || (guint64)size * n > MAX_BYTES) {
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    buffer = hva_buffer_new(type, size, n);
    if (!buffer) {
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    if (data && buffer->data) {
        memcpy(buffer->data, data, (gsize)size * n);
    }
    *id = hva_objects_add(hva_driver(va)->objects, buffer);
    return VA_STATUS_SUCCESS;
}

/* Memory is made for the number of elements that a buffer was made with. */
VAStatus hva_buffer_set_num_elements(VADriverContextP va, VABufferID id, unsigned int n)
{
    g_autoptr(HvaBuffer) buffer = hva_objects_ref(hva_driver(va)->objects, HVA_BUFFER, id);
    VAStatus status = VA_STATUS_SUCCESS;

    if (!buffer) {
        return VA_STATUS_ERROR_INVALID_BUFFER;
    }
    g_mutex_lock(&buffer->lock);
    if (n == 0 || n > buffer->n) {
        status = VA_STATUS_ERROR_INVALID_PARAMETER;
    } else {
        buffer->n = n;
    }
    g_mutex_unlock(&buffer->lock);
    return status;
}

VAStatus hva_destroy_buffer(VADriverContextP va, VABufferID id)
{
    g_autoptr(HvaBuffer) buffer = hva_objects_take(hva_driver(va)->objects, HVA_BUFFER, id);

    return buffer ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_INVALID_BUFFER;
}

VAStatus hva_buffer_info(VADriverContextP va, VABufferID id, VABufferType *type, unsigned int *size, unsigned int *n)
{
    g_autoptr(HvaBuffer) buffer = hva_objects_ref(hva_driver(va)->objects, HVA_BUFFER, id);

    if (!buffer) {
        return VA_STATUS_ERROR_INVALID_BUFFER;
    }
    g_mutex_lock(&buffer->lock);
    *type = buffer->type;
    *size = buffer->size;
    *n = buffer->n;
    g_mutex_unlock(&buffer->lock);
    return VA_STATUS_SUCCESS;
}
