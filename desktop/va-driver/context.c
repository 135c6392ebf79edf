/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* context.c - making and destroying contexts; see context.h. */
#include "context.h"
#include "keep.h"
#include "vtable.h"

static void finalize(gpointer object)
{
    HvaContext *self = object;

    if (self->session) {
        hva_keeper_close(self->driver, self->session);
    }
    hva_process_clear(&self->process);
    hva_unref(self->target);
    hva_unref(self->config);
    g_mutex_clear(&self->lock);
}

static VAStatus check_size(const HvaConfig *config, int width, int height)
{
    const int least = hva_config_encodes(config) ? (int)HVA_MIN_SIDE : 0; /* VideoProc has no size of its own */

    return width < least || height < least || width > (int)HVA_MAX_SIDE || height > (int)HVA_MAX_SIDE
        ? VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED
        : VA_STATUS_SUCCESS;
}

static VAStatus check_targets(HvaDriver *driver, const VASurfaceID *targets, int n)
{
    for (int i = 0; targets && i < n; i++) {
        g_autoptr(HvaSurface) surface = hva_objects_ref(driver->objects, HVA_SURFACE, targets[i]);

        if (!surface) {
            return VA_STATUS_ERROR_INVALID_SURFACE;
        }
    }
    return VA_STATUS_SUCCESS;
}

VAStatus hva_create_context(VADriverContextP va, VAConfigID config_id, int width, int height, int flag,
                            VASurfaceID *targets, int n, VAContextID *id)
{
    HvaDriver *driver = hva_driver(va);
    g_autoptr(HvaConfig) config = hva_objects_ref(driver->objects, HVA_CONFIG, config_id);
    g_autoptr(HvaContext) context = NULL;
    VAStatus status;

    *id = VA_INVALID_ID;
    if (!config) {
        return VA_STATUS_ERROR_INVALID_CONFIG;
    }
    status = check_size(config, width, height);
    if (status == VA_STATUS_SUCCESS) {
        status = check_targets(driver, targets, n);
    }
    if (status != VA_STATUS_SUCCESS) {
        return status;
    }
    context = hva_object_new(sizeof(*context), HVA_CONTEXT, finalize);
    context->driver = driver;
    context->config = hva_ref(config);
    g_mutex_init(&context->lock);
    if (hva_config_encodes(config)) {
        hva_encode_state_init(&context->encode, config, (guint)width, (guint)height);
        context->session = hva_keeper_open(driver);
    }
    *id = hva_objects_add(driver->objects, context);
    return VA_STATUS_SUCCESS;
}

VAStatus hva_destroy_context(VADriverContextP va, VAContextID id)
{
    g_autoptr(HvaContext) context = hva_objects_take(hva_driver(va)->objects, HVA_CONTEXT, id);

    return context ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_INVALID_CONTEXT;
}
