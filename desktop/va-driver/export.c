/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* export.c - surfaces as DMA-BUFs, for a GPU's programs to draw into. */
#include <fcntl.h>
#include <unistd.h>
#include <va/va.h>
#include <va/va_drmcommon.h>
#include "surface.h"
#include "vtable.h"

static void describe(const HvaPixels *pixels, int fd, VADRMPRIMESurfaceDescriptor *descriptor)
{
    *descriptor = (VADRMPRIMESurfaceDescriptor){
        .fourcc = pixels->format->fourcc,
        .width = pixels->width,
        .height = pixels->height,
        .num_objects = 1,
        .objects = { { .fd = fd, .size = (guint32)pixels->layout.size, .drm_format_modifier = pixels->modifier } },
        .num_layers = 1,
        .layers = { { .drm_format = pixels->format->drm,
                      .num_planes = 1,
                      .offset = { (guint32)pixels->layout.offset[0] },
                      .pitch = { (guint32)pixels->layout.stride[0] } } },
    };
}

/* RGB alone: NV12 in two layers would be two images of one resource, and a request to the host names one. */
VAStatus hva_export_surface_handle(VADriverContextP va, VASurfaceID id, uint32_t type, uint32_t flags, void *descriptor)
{
    g_autoptr(HvaSurface) surface = hva_objects_ref(hva_driver(va)->objects, HVA_SURFACE, id);
    g_autoptr(HvaPixels) pixels = NULL;
    VAStatus status;
    int fd;

    if (!surface) {
        return VA_STATUS_ERROR_INVALID_SURFACE;
    }
    if (type != VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2 || !hva_format_is_rgb(surface->format)) {
        return VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE;
    }
    pixels = hva_surface_export(surface, &status);
    if (!pixels) {
        return status;
    }
    fd = fcntl(pixels->dmabuf, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) {
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    describe(pixels, fd, descriptor);
    return VA_STATUS_SUCCESS;
}
