/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process.c - VideoProc: crop, scale and convert. Lazy: see surface.h. */
#include "context.h"
#include "keep.h"
#include "vtable.h"

void hva_process_clear(HvaProcess *process)
{
    hva_unref(process->source);
    *process = (HvaProcess){ 0 };
}

/* @rect NULL: all of the surface. FALSE: not within it. */
static gboolean make_rect(const VARectangle *rect, const HvaSurface *surface, HvaRect *out)
{
    if (!rect) {
        *out = (HvaRect){ 0, 0, surface->width, surface->height };
        return TRUE;
    }
    if (rect->x < 0 || rect->y < 0 || rect->width == 0 || rect->height == 0 ||
        (guint)rect->x + rect->width > surface->width || (guint)rect->y + rect->height > surface->height) {
        return FALSE;
    }
    *out = (HvaRect){ (guint)rect->x, (guint)rect->y, rect->width, rect->height };
    return TRUE;
}

/* What is not offered is refused, not left out. */
static VAStatus check(const VAProcPipelineParameterBuffer *pipeline)
{
    if (pipeline->num_filters > 0) {
        return VA_STATUS_ERROR_UNSUPPORTED_FILTER;
    }
    if (pipeline->rotation_state != VA_ROTATION_NONE || pipeline->mirror_state != VA_MIRROR_NONE ||
        pipeline->blend_state || pipeline->num_additional_outputs > 0) {
        return VA_STATUS_ERROR_UNIMPLEMENTED;
    }
    return VA_STATUS_SUCCESS;
}

VAStatus hva_process_take(HvaContext *context, const HvaBuffer *buffer)
{
    const VAProcPipelineParameterBuffer *pipeline = hva_buffer_parameters(buffer, sizeof(*pipeline));
    HvaProcess *process = &context->process;
    g_autoptr(HvaSurface) source = NULL;
    VAStatus status;

    if (buffer->type != VAProcPipelineParameterBufferType) {
        return VA_STATUS_ERROR_UNSUPPORTED_BUFFERTYPE;
    }
    if (!pipeline) {
        return VA_STATUS_ERROR_INVALID_BUFFER;
    }
    status = check(pipeline);
    source = hva_objects_ref(context->driver->objects, HVA_SURFACE, pipeline->surface);
    if (status != VA_STATUS_SUCCESS || !source) {
        return source ? status : VA_STATUS_ERROR_INVALID_SURFACE;
    }
    if (process->source) {
        return VA_STATUS_ERROR_UNIMPLEMENTED; /* several pictures on one: no blending */
    }
    if (!make_rect(pipeline->surface_region, source, &process->from) ||
        !make_rect(pipeline->output_region, context->target, &process->to)) {
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    if (!hva_format_is_rgb(context->target->format)) { /* 4:2:0 begins at even places */
        process->to.x &= ~1u;
        process->to.y &= ~1u;
    }
    process->background = pipeline->output_background_color;
    process->source = g_steal_pointer(&source);
    return VA_STATUS_SUCCESS;
}

VAStatus hva_process_run(HvaDriver *driver, HvaProcess *process, HvaSurface *target)
{
    HvaView view = { .from = process->from, .to = process->to, .background = process->background };
    VAStatus status = VA_STATUS_ERROR_INVALID_PARAMETER;
    g_autoptr(HvaPixels) source = NULL;

    if (process->source && process->source != target) {
        source = hva_surface_source(process->source, &status);
    }
    if (source) {
        view.pixels = hva_pixels_is_imported(source) ? hva_keep(driver, source) : hva_pixels_ref(source);
        status = view.pixels ? hva_surface_set_view(target, &view) : VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    hva_process_clear(process);
    return status;
}

/* ---- what is offered ---- */

VAStatus hva_query_filters(VADriverContextP va, VAContextID context, VAProcFilterType *filters, unsigned int *n)
{
    *n = 0;
    return VA_STATUS_SUCCESS;
}

VAStatus hva_query_filter_caps(VADriverContextP va, VAContextID context, VAProcFilterType type, void *caps,
                               unsigned int *n)
{
    *n = 0;
    return VA_STATUS_ERROR_UNSUPPORTED_FILTER;
}

/* Into a struct that clients leave uninitialised: all of it is set. */
VAStatus hva_query_pipeline_caps(VADriverContextP va, VAContextID id, VABufferID *filters, unsigned int n,
                                 VAProcPipelineCaps *caps)
{
    static VAProcColorStandardType standards[] = { VAProcColorStandardBT709 };
    static guint32 formats[HVA_N_FORMATS];
    static gsize filled;
    g_autoptr(HvaContext) context = hva_objects_ref(hva_driver(va)->objects, HVA_CONTEXT, id);
    guint n_formats = 0;

    if (!context) {
        return VA_STATUS_ERROR_INVALID_CONTEXT;
    }
    if (n > 0) {
        return VA_STATUS_ERROR_UNSUPPORTED_FILTER;
    }
    if (g_once_init_enter(&filled)) {
        for (guint i = 0; i < HVA_N_FORMATS; i++) {
            if (hva_formats[i].drm) {
                formats[n_formats++] = hva_formats[i].fourcc;
            }
        }
        g_once_init_leave(&filled, n_formats);
    }
    *caps = (VAProcPipelineCaps){
        .rotation_flags = 1u << VA_ROTATION_NONE,
        .input_color_standards = standards,
        .num_input_color_standards = G_N_ELEMENTS(standards),
        .output_color_standards = standards,
        .num_output_color_standards = G_N_ELEMENTS(standards),
        .num_input_pixel_formats = (guint32)filled,
        .input_pixel_format = formats,
        .num_output_pixel_formats = (guint32)filled,
        .output_pixel_format = formats,
        .max_input_width = HVA_MAX_SIDE,
        .max_input_height = HVA_MAX_SIDE,
        .min_input_width = HVA_MIN_SIDE,
        .min_input_height = HVA_MIN_SIDE,
        .max_output_width = HVA_MAX_SIDE,
        .max_output_height = HVA_MAX_SIDE,
        .min_output_width = HVA_MIN_SIDE,
        .min_output_height = HVA_MIN_SIDE,
    };
    return VA_STATUS_SUCCESS;
}
