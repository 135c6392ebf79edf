/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* surface-attributes.c - what surfaces of a configuration can be. */
#include <va/va.h>
#include <va/va_drmcommon.h>
#include "config.h"
#include "formats.h"
#include "vtable.h"

/* Not more than 8 of an encoder's: KPipeWire has room for no more. */
#define MAX_ATTRIBUTES 16u

typedef struct List {
    VASurfaceAttrib item[MAX_ATTRIBUTES];
    guint n;
} List;

static void add(List *list, VASurfaceAttribType type, guint32 flags, gint32 value)
{
    VASurfaceAttrib *item = &list->item[list->n++];

    item->type = type;
    item->flags = flags;
    item->value.type = VAGenericValueTypeInteger;
    item->value.value.i = value;
}

/* DMA-BUFs are imported as RGB alone: of NV12's two planes a request to the host names no second one. */
static gint32 memory_types(const HvaDriver *driver, const HvaConfig *config)
{
    gboolean imports = driver->gpu && (config->rt_format & VA_RT_FORMAT_RGB32);

    return VA_SURFACE_ATTRIB_MEM_TYPE_VA |
        (imports ? VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME | VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2 : 0);
}

static void fill(List *list, const HvaDriver *driver, const HvaConfig *config)
{
    const guint32 both = VA_SURFACE_ATTRIB_GETTABLE | VA_SURFACE_ATTRIB_SETTABLE;

    for (guint i = 0; i < HVA_N_FORMATS; i++) {
        const HvaFormat *format = &hva_formats[i];

        if (format->drm && (format->rt_format & config->rt_format)) {
            add(list, VASurfaceAttribPixelFormat, both, (gint32)format->fourcc);
        }
    }
    add(list, VASurfaceAttribMemoryType, both, memory_types(driver, config));
    add(list, VASurfaceAttribExternalBufferDescriptor, VA_SURFACE_ATTRIB_SETTABLE, 0);
    list->item[list->n - 1].value.type = VAGenericValueTypePointer;
    list->item[list->n - 1].value.value.p = NULL;
    add(list, VASurfaceAttribMinWidth, VA_SURFACE_ATTRIB_GETTABLE, HVA_MIN_SIDE);
    add(list, VASurfaceAttribMaxWidth, VA_SURFACE_ATTRIB_GETTABLE, HVA_MAX_SIDE);
    add(list, VASurfaceAttribMinHeight, VA_SURFACE_ATTRIB_GETTABLE, HVA_MIN_SIDE);
    add(list, VASurfaceAttribMaxHeight, VA_SURFACE_ATTRIB_GETTABLE, HVA_MAX_SIDE);
}

VAStatus hva_query_surface_attributes(VADriverContextP va, VAConfigID id, VASurfaceAttrib *attributes, unsigned int *n)
{
    g_autoptr(HvaConfig) config = hva_objects_ref(hva_driver(va)->objects, HVA_CONFIG, id);
    VAStatus status = VA_STATUS_SUCCESS;
    List list = { .n = 0 };

    if (!config) {
        return VA_STATUS_ERROR_INVALID_CONFIG;
    }
    fill(&list, hva_driver(va), config);
    if (attributes && *n < list.n) {
        status = VA_STATUS_ERROR_MAX_NUM_EXCEEDED;
    } else if (attributes) {
        for (guint i = 0; i < list.n; i++) {
            attributes[i] = list.item[i];
        }
    }
    *n = list.n;
    return status;
}
