/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sync.c - waiting for what is done with a surface. No lock is held meanwhile. */
#include "surface.h"
#include "vtable.h"

VAStatus hva_sync_surface2(VADriverContextP va, VASurfaceID id, uint64_t timeout_ns)
{
    g_autoptr(HvaSurface) surface = hva_objects_ref(hva_driver(va)->objects, HVA_SURFACE, id);
    g_autoptr(HvaJob) job = surface ? hva_surface_job(surface) : NULL;
    gint64 until = -1;

    if (!surface) {
        return VA_STATUS_ERROR_INVALID_SURFACE;
    }
    if (timeout_ns != VA_TIMEOUT_INFINITE) {
        until = g_get_monotonic_time() + (gint64)MIN(timeout_ns / 1000, G_MAXINT64 / 2);
    }
    return job ? hva_job_wait(job, until) : VA_STATUS_SUCCESS;
}

VAStatus hva_sync_surface(VADriverContextP va, VASurfaceID id)
{
    return hva_sync_surface2(va, id, VA_TIMEOUT_INFINITE);
}

/* GStreamer polls the reconstructed surface: it waits only while that is rendered. */
VAStatus hva_query_surface_status(VADriverContextP va, VASurfaceID id, VASurfaceStatus *status)
{
    g_autoptr(HvaSurface) surface = hva_objects_ref(hva_driver(va)->objects, HVA_SURFACE, id);
    g_autoptr(HvaJob) job = surface ? hva_surface_job(surface) : NULL;

    if (!surface) {
        return VA_STATUS_ERROR_INVALID_SURFACE;
    }
    *status = job && !hva_job_is_done(job) ? VASurfaceRendering : VASurfaceReady;
    return VA_STATUS_SUCCESS;
}

/* Errors are of decoders and macroblocks: there are none of this kind. */
VAStatus hva_query_surface_error(VADriverContextP va, VASurfaceID id, VAStatus error, void **info)
{
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}
