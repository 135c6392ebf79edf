/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* export.c - surfaces as DMA-BUFs. */
#include <va/va.h>
#include <va/va_drmcommon.h>
#include "surface.h"
#include "vtable.h"

/* NV12 in two layers would be two images of one resource, and a request to the host names one. */
VAStatus hva_export_surface_handle(VADriverContextP va, VASurfaceID id, uint32_t type, uint32_t flags, void *descriptor)
{
    g_autoptr(HvaSurface) surface = hva_objects_ref(hva_driver(va)->objects, HVA_SURFACE, id);

    if (!surface) {
        return VA_STATUS_ERROR_INVALID_SURFACE;
    }
    return VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE;
}
