/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* picture.c - vaBeginPicture(), vaRenderPicture(), vaEndPicture(). */
#include "context.h"
#include "vtable.h"

VAStatus hva_begin_picture(VADriverContextP va, VAContextID id, VASurfaceID target)
{
    HvaObjects *objects = hva_driver(va)->objects;
    g_autoptr(HvaContext) context = hva_objects_ref(objects, HVA_CONTEXT, id);
    g_autoptr(HvaSurface) surface = hva_objects_ref(objects, HVA_SURFACE, target);
    HvaSurface *old;

    if (!context || !surface) {
        return context ? VA_STATUS_ERROR_INVALID_SURFACE : VA_STATUS_ERROR_INVALID_CONTEXT;
    }
    g_mutex_lock(&context->lock);
    old = context->target; /* of a picture that was never ended */
    context->target = g_steal_pointer(&surface);
    if (hva_config_encodes(context->config)) {
        hva_encode_state_begin(&context->encode);
    } else {
        hva_process_clear(&context->process);
    }
    g_mutex_unlock(&context->lock);
    hva_unref(old);
    return VA_STATUS_SUCCESS;
}

static VAStatus take(HvaContext *context, const HvaBuffer *buffer)
{
    if (hva_config_encodes(context->config)) {
        return hva_encode_state_take(&context->encode, buffer);
    }
    return hva_process_take(context, buffer);
}

VAStatus hva_render_picture(VADriverContextP va, VAContextID id, VABufferID *buffers, int n)
{
    HvaObjects *objects = hva_driver(va)->objects;
    g_autoptr(HvaContext) context = hva_objects_ref(objects, HVA_CONTEXT, id);
    VAStatus status = VA_STATUS_SUCCESS;

    if (!context) {
        return VA_STATUS_ERROR_INVALID_CONTEXT;
    }
    g_mutex_lock(&context->lock);
    if (!context->target) {
        status = VA_STATUS_ERROR_OPERATION_FAILED;
    }
    for (int i = 0; i < n && status == VA_STATUS_SUCCESS; i++) {
        g_autoptr(HvaBuffer) buffer = hva_objects_ref(objects, HVA_BUFFER, buffers[i]);

        status = buffer ? take(context, buffer) : VA_STATUS_ERROR_INVALID_BUFFER;
    }
    g_mutex_unlock(&context->lock);
    return status;
}

VAStatus hva_end_picture(VADriverContextP va, VAContextID id)
{
    g_autoptr(HvaContext) context = hva_objects_ref(hva_driver(va)->objects, HVA_CONTEXT, id);
    g_autoptr(HvaSurface) target = NULL;
    HvaProcess process = { 0 };
    gboolean encodes;
    VAStatus status = VA_STATUS_ERROR_OPERATION_FAILED;

    if (!context) {
        return VA_STATUS_ERROR_INVALID_CONTEXT;
    }
    encodes = hva_config_encodes(context->config);
    g_mutex_lock(&context->lock);
    if (context->target && encodes) {
        status = hva_encode_end(context);
    } else if (context->target) {
        process = context->process;
        context->process = (HvaProcess){ 0 };
    }
    target = g_steal_pointer(&context->target);
    g_mutex_unlock(&context->lock);
    return target && !encodes ? hva_process_run(context->driver, &process, target) : status;
}
