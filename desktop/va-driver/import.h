/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* import.h - what a client asks of new surfaces, and DMA-BUFs that it brings for them. */
#ifndef HELIX_VA_IMPORT_H
#define HELIX_VA_IMPORT_H

#include "pixels.h"

/* The attributes of vaCreateSurfaces(); the pointers are the client's. */
typedef struct HvaWanted {
    guint32 rt_format;
    const HvaFormat *format;
    guint32 memory_type; /* VA_SURFACE_ATTRIB_MEM_TYPE_ */
    const void *descriptor;
} HvaWanted;

VAStatus hva_wanted_parse(HvaWanted *wanted, guint32 rt_format, const VASurfaceAttrib *attributes, guint n);
static inline gboolean hva_wanted_imports(const HvaWanted *wanted)
{
    return wanted->memory_type != VA_SURFACE_ATTRIB_MEM_TYPE_VA;
}
/* The DMA-BUF of surface @index. NULL with @status. */
HvaPixels *hva_import(HvaDriver *driver, const HvaWanted *wanted, guint width, guint height, guint index,
                      VAStatus *status);

#endif
