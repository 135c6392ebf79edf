/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* surfaces.c - making and destroying surfaces. */
#include "import.h"
#include "surface.h"
#include "vtable.h"

static VAStatus create_one(HvaDriver *driver, const HvaWanted *wanted, guint width, guint height, guint index,
                           VASurfaceID *id)
{
    const HvaFormat *format = wanted->format;
    g_autoptr(HvaSurface) surface = NULL;
    HvaPixels *imported = NULL;
    VAStatus status;

    if (hva_wanted_imports(wanted)) {
        imported = hva_import(driver, wanted, width, height, index, &status);
        if (!imported) {
            return status;
        }
        format = imported->format;
    }
    surface = hva_surface_new(driver, format, width, height, imported);
    *id = hva_objects_add(driver->objects, surface);
    return VA_STATUS_SUCCESS;
}

VAStatus hva_create_surfaces2(VADriverContextP va, unsigned int rt_format, unsigned int width, unsigned int height,
                              VASurfaceID *ids, unsigned int n, VASurfaceAttrib *attributes, unsigned int n_attributes)
{
    HvaWanted wanted;
    VAStatus status = hva_wanted_parse(&wanted, rt_format, attributes, attributes ? n_attributes : 0);

    for (guint i = 0; i < n; i++) {
        ids[i] = VA_INVALID_ID;
    }
    if (status == VA_STATUS_SUCCESS &&
        (width < HVA_MIN_SIDE || height < HVA_MIN_SIDE || width > HVA_MAX_SIDE || height > HVA_MAX_SIDE)) {
        status = VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED;
    }
    for (guint i = 0; i < n && status == VA_STATUS_SUCCESS; i++) {
        status = create_one(hva_driver(va), &wanted, width, height, i, &ids[i]);
        if (status != VA_STATUS_SUCCESS) {
            hva_destroy_surfaces(va, ids, (int)i);
        }
    }
    return status;
}

VAStatus hva_create_surfaces(VADriverContextP va, int width, int height, int format, int n, VASurfaceID *ids)
{
    if (width < 0 || height < 0 || n < 0) {
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    return hva_create_surfaces2(va, (guint)format, (guint)width, (guint)height, ids, (guint)n, NULL, 0);
}

VAStatus hva_destroy_surfaces(VADriverContextP va, VASurfaceID *ids, int n)
{
    VAStatus status = VA_STATUS_SUCCESS;

    for (int i = 0; i < n; i++) {
        g_autoptr(HvaSurface) surface = hva_objects_take(hva_driver(va)->objects, HVA_SURFACE, ids[i]);

        if (!surface) {
            status = VA_STATUS_ERROR_INVALID_SURFACE;
        }
    }
    return status;
}
