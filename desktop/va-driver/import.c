/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* import.c - see import.h. */
#include <string.h>
#include <va/va.h>
#include <va/va_drmcommon.h>
#include "import.h"

/* A DMA-BUF as either of VA's two descriptors has it. */
typedef struct Source {
    int fd;
    guint32 fourcc, offset, pitch;
    guint64 modifier;
} Source;

VAStatus hva_wanted_parse(HvaWanted *wanted, guint32 rt_format, const VASurfaceAttrib *attributes, guint n)
{
    guint32 fourcc = 0;

    *wanted = (HvaWanted){ .rt_format = rt_format, .memory_type = VA_SURFACE_ATTRIB_MEM_TYPE_VA };
    for (guint i = 0; i < n; i++) {
        const VASurfaceAttrib *attribute = &attributes[i];

        if (!(attribute->flags & VA_SURFACE_ATTRIB_SETTABLE)) {
            continue;
        }
        if (attribute->type == VASurfaceAttribPixelFormat) {
            fourcc = (guint32)attribute->value.value.i;
        } else if (attribute->type == VASurfaceAttribMemoryType) {
            wanted->memory_type = (guint32)attribute->value.value.i;
        } else if (attribute->type == VASurfaceAttribExternalBufferDescriptor) {
            wanted->descriptor = attribute->value.value.p;
        }
    }
    /* A pixel format decides: of the two other drivers take that as well. */
    wanted->format = fourcc ? hva_format_find(fourcc) : hva_format_default(rt_format);
    if (!wanted->format || !wanted->format->drm || !hva_format_default(rt_format)) {
        return VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT;
    }
    if (wanted->memory_type != VA_SURFACE_ATTRIB_MEM_TYPE_VA &&
        wanted->memory_type != VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME &&
        wanted->memory_type != VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2) {
        return VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE;
    }
    return hva_wanted_imports(wanted) && !wanted->descriptor ? VA_STATUS_ERROR_INVALID_PARAMETER : VA_STATUS_SUCCESS;
}

static VAStatus read_prime(const VASurfaceAttribExternalBuffers *descriptor, guint index, Source *source)
{
    if (!descriptor->buffers || index >= descriptor->num_buffers || descriptor->num_planes != 1) {
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    *source = (Source){ (int)descriptor->buffers[index], descriptor->pixel_format, descriptor->offsets[0],
                        descriptor->pitches[0], HELIX_CLIENT_MODIFIER_INVALID };
    return VA_STATUS_SUCCESS;
}

static VAStatus read_prime_2(const VADRMPRIMESurfaceDescriptor *descriptor, guint index, Source *source)
{
    const HvaFormat *format;

    if (index != 0 || descriptor->num_objects != 1 || descriptor->num_layers != 1 ||
        descriptor->layers[0].num_planes != 1 || descriptor->layers[0].object_index[0] != 0) {
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    format = hva_format_of_drm(descriptor->layers[0].drm_format);
    *source = (Source){ descriptor->objects[0].fd, format ? format->fourcc : descriptor->fourcc,
                        descriptor->layers[0].offset[0], descriptor->layers[0].pitch[0],
                        descriptor->objects[0].drm_format_modifier };
    return VA_STATUS_SUCCESS;
}

/* Another driver's memory has no resource that the host knows. */
static gboolean is_of_virtio_gpu(const HvaDriver *driver, int fd)
{
    g_autofree char *exporter = driver->gpu ? helix_client_dmabuf_exporter(fd) : NULL;

    if (exporter && strcmp(exporter, "virtio_gpu") != 0) {
        hva_info((HvaDriver *)driver, "The DMA-BUF belongs to driver \"%s\", not to the virtio-gpu.", exporter);
        return FALSE;
    }
    return driver->gpu != NULL;
}

HvaPixels *hva_import(HvaDriver *driver, const HvaWanted *wanted, guint width, guint height, guint index,
                      VAStatus *status)
{
    const HvaFormat *format;
    HvaPixels *pixels;
    HvaLayout layout;
    Source source;

    *status = wanted->memory_type == VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME
        ? read_prime(wanted->descriptor, index, &source)
        : read_prime_2(wanted->descriptor, index, &source);
    if (*status != VA_STATUS_SUCCESS) {
        return NULL;
    }
    format = hva_format_find(source.fourcc);
    if (!format || !hva_format_is_rgb(format) || !is_of_virtio_gpu(driver, source.fd)) {
        *status = VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE;
        return NULL;
    }
    if (source.pitch < width * 4u || source.pitch > G_MAXINT32) {
        *status = VA_STATUS_ERROR_INVALID_PARAMETER;
        return NULL;
    }
    layout = (HvaLayout){ .offset = { source.offset },
                          .stride = { source.pitch },
                          .size = source.offset + (gsize)source.pitch * height };
    pixels = hva_pixels_new_dmabuf(driver, format, width, height, &layout, source.fd, source.modifier);
    *status = pixels ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_ALLOCATION_FAILED;
    return pixels;
}
