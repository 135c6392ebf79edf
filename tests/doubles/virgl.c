/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virgl.c - virglrenderer's look-up with a structure of version 0 or 1.
 *
 * Version 0 is the installed header's, version 1 that of virgl-1/. Version 1 replaces its last pointer by the native
 * handle and adds the handle's type (utmapp/virglrenderer, merge request 1583); the library of that version writes it
 * whatever the caller was built for.
 */
#include <string.h>

#include <virglrenderer.h>

#include "gpu.h"

DoubleVirglOrders double_virgl;

int virgl_renderer_resource_get_info_ext(int handle, struct virgl_renderer_resource_info_ext *info)
{
    if (double_virgl.missing) {
        return 22; /* EINVAL, positive */
    }
    if (double_virgl.missing_after && --double_virgl.missing_after == 0) {
        double_virgl.missing = TRUE;
    }
    info->version = double_virgl.version;
    info->base.handle = (uint32_t)handle;
    info->base.tex_id = double_virgl.tex_id;
    info->base.virgl_format = double_virgl.format;
    info->base.width = double_virgl.width;
    info->base.height = double_virgl.height;
    info->base.flags = double_virgl.flags;
    if (double_virgl.version >= 1) {
        info->d3d_tex2d = double_virgl.native;
        memcpy((char *)&info->d3d_tex2d + sizeof(info->d3d_tex2d), &double_virgl.native_type,
               sizeof(double_virgl.native_type));
    }
    return 0;
}
