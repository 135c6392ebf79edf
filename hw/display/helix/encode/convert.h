/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * convert.h - a surface in host memory as NV12 of the coded size, on the CPU: RGB in BT.709 limited range, NV12 in its
 * own colours.
 *
 * Belongs to one encoder and its thread. Needs libswscale (HELIX_HAVE_LIBAVCODEC).
 *
 * Chroma is the mean of the 2 x 2 pixels it stands for, so it lies in their middle (chroma_sample_loc_type 1): an
 * encoder says so in its VUI. NV12 keeps its sample values, whatever colours the VUI says they are. Alpha is ignored.
 */
#ifndef HELIX_CONVERT_H
#define HELIX_CONVERT_H

#include <glib.h>
#include "../frame/surface.h"

typedef struct HelixConverter HelixConverter;

typedef struct HelixNv12 {
    const guint8 *plane[2]; /* Y; Cb and Cr interleaved */
    guint32 stride[2];      /* bytes */
    gboolean in_place;      /* the planes are the surface's own: valid as long as it is referenced */
    guint64 cpu_bytes;      /* read and written to get here; 0 in place */
} HelixNv12;

/* For pictures of @width x @height, even and > 0. */
HelixConverter *helix_converter_new(guint32 width, guint32 height);
void helix_converter_free(HelixConverter *converter);

/*
 * Convert @surface (HELIX_SURFACE_MEMORY). A picture one column or row short of the coded size has its edge repeated,
 * any other is scaled. @nv12 is valid until the next call. FALSE with HELIX_ERROR: HELIX_CODE_GEOMETRY for a surface
 * whose planes do not lie within its memory, HELIX_CODE_ENCODE when memory is short or libswscale refuses.
 */
gboolean helix_converter_run(HelixConverter *converter, const HelixSurface *surface, HelixNv12 *nv12, GError **error);

#endif
