/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* formats.c - see formats.h. */
#include "../client/helix-client.h"
#include "formats.h"

#define ROUND_UP(value, to) (((value) + (to) - 1) / (to) * (to))

const HvaFormat hva_formats[HVA_N_FORMATS] = {
    { VA_FOURCC_NV12, HELIX_CLIENT_FORMAT_NV12, VA_RT_FORMAT_YUV420, 2, 0, 0, 1, 1, FALSE },
    { VA_FOURCC_I420, HELIX_CLIENT_FORMAT_YU12, VA_RT_FORMAT_YUV420, 3, 0, 0, 1, 2, FALSE },
    { VA_FOURCC_YV12, 0, VA_RT_FORMAT_YUV420, 3, 0, 0, 2, 1, FALSE },
    { VA_FOURCC_BGRA, HELIX_CLIENT_FORMAT_AR24, VA_RT_FORMAT_RGB32, 1, 2, 0, 0, 0, TRUE },
    { VA_FOURCC_BGRX, HELIX_CLIENT_FORMAT_XR24, VA_RT_FORMAT_RGB32, 1, 2, 0, 0, 0, FALSE },
    { VA_FOURCC_RGBA, HELIX_CLIENT_FORMAT_AB24, VA_RT_FORMAT_RGB32, 1, 0, 2, 0, 0, TRUE },
    { VA_FOURCC_RGBX, HELIX_CLIENT_FORMAT_XB24, VA_RT_FORMAT_RGB32, 1, 0, 2, 0, 0, FALSE },
};

const HvaFormat *hva_format_find(guint32 fourcc)
{
    for (guint i = 0; i < HVA_N_FORMATS; i++) {
        if (hva_formats[i].fourcc == fourcc) {
            return &hva_formats[i];
        }
    }
    return NULL;
}

const HvaFormat *hva_format_of_drm(guint32 drm)
{
    for (guint i = 0; drm && i < HVA_N_FORMATS; i++) {
        if (hva_formats[i].drm == drm) {
            return &hva_formats[i];
        }
    }
    return NULL;
}

const HvaFormat *hva_format_default(guint32 rt_format)
{
    if (rt_format & VA_RT_FORMAT_YUV420) {
        return hva_format_find(VA_FOURCC_NV12);
    }
    return rt_format & VA_RT_FORMAT_RGB32 ? hva_format_find(VA_FOURCC_BGRA) : NULL;
}

void hva_format_describe(const HvaFormat *format, VAImageFormat *image)
{
    *image = (VAImageFormat){ .fourcc = format->fourcc, .byte_order = VA_LSB_FIRST, .bits_per_pixel = 12 };
    if (hva_format_is_rgb(format)) {
        image->bits_per_pixel = 32;
        image->depth = format->alpha ? 32 : 24;
        image->red_mask = 0xffu << 8 * format->red;
        image->green_mask = 0xffu << 8;
        image->blue_mask = 0xffu << 8 * format->blue;
        image->alpha_mask = format->alpha ? 0xffu << 24 : 0;
    }
}

gsize hva_row_bytes(const HvaFormat *format, guint plane, guint width)
{
    if (hva_format_is_rgb(format)) {
        return (gsize)width * 4;
    }
    if (plane == 0) {
        return width;
    }
    return format->n_planes == 2 ? ROUND_UP((gsize)width, 2) : ((gsize)width + 1) / 2;
}

guint hva_rows(const HvaFormat *format, guint plane, guint height)
{
    return plane == 0 ? height : (height + 1) / 2;
}

/* As helix_client_buffer_get_image() has it: an image that was derived keeps its layout when its surface gets memory
 * of another kind. */
void hva_layout(const HvaFormat *format, guint width, guint height, HvaLayout *layout)
{
    *layout = (HvaLayout){ 0 };
    for (guint i = 0; i < format->n_planes; i++) {
        layout->stride[i] = ROUND_UP(hva_row_bytes(format, i, width), 4);
        layout->offset[i] = layout->size;
        layout->size += layout->stride[i] * hva_rows(format, i, i ? height : ROUND_UP(height, 2));
    }
}
