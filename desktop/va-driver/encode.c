/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* encode.c - a picture that was begun becomes a job of the session. */
#include "context.h"

/* FALSE: the sequence says more than the surface has. */
static gboolean fits(const HvaSurface *surface, const HvaRect *visible)
{
    return visible->x <= surface->width && visible->width <= surface->width - visible->x &&
        visible->y <= surface->height && visible->height <= surface->height - visible->y;
}

VAStatus hva_encode_end(HvaContext *context)
{
    HvaObjects *objects = context->driver->objects;
    HvaEncodeState *state = &context->encode;
    g_autoptr(HvaBuffer) coded = hva_objects_ref(objects, HVA_BUFFER, state->coded);
    g_autoptr(HvaSurface) reconstructed = hva_objects_ref(objects, HVA_SURFACE, state->reconstructed);
    g_autoptr(HvaJob) job = NULL;
    HelixClientConfig config;
    HvaView view = { 0 };
    VAStatus status;

    if (!state->has_picture || state->n_slices == 0) {
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    if (!coded || coded->type != VAEncCodedBufferType) {
        return VA_STATUS_ERROR_INVALID_BUFFER;
    }
    if (!fits(context->target, &state->visible)) {
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    status = hva_surface_picture(context->target, &state->visible, &view);
    if (status != VA_STATUS_SUCCESS) {
        return status;
    }
    hva_encode_state_config(state, hva_format_is_rgb(view.pixels->format) || view.pixels->is_bt709, &config);
    job = hva_job_new(view.pixels, &view.from, &config, state->idr);
    if (!hva_session_push(context->session, job)) {
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    hva_buffer_set_job(coded, job);
    hva_surface_set_job(context->target, job);
    if (reconstructed) {
        hva_surface_set_job(reconstructed, job);
    }
    return VA_STATUS_SUCCESS;
}
