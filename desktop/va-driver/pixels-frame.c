/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pixels-frame.c - see pixels-frame.h. */
#include "pixels-frame.h"

void hva_pixels_describe(const HvaPixels *pixels, const HvaRect *rect, HelixClientImage *image)
{
    *image = (HelixClientImage){
        .format = pixels->format->drm,
        .width = pixels->width,
        .height = pixels->height,
        .crop_x = rect->x,
        .crop_y = rect->y,
        .crop_width = rect->width,
        .crop_height = rect->height,
        .modifier = pixels->modifier,
    };
    for (guint i = 0; i < pixels->format->n_planes; i++) {
        image->offset[i] = pixels->layout.offset[i];
        image->stride[i] = (gint32)pixels->layout.stride[i];
        image->data[i] = pixels->data ? pixels->data + pixels->layout.offset[i] : NULL;
    }
}

void hva_pixels_hold(HelixClientFrame *frame, HvaPixels *pixels)
{
    helix_client_frame_set_release(frame, (GDestroyNotify)hva_pixels_unref, hva_pixels_ref(pixels));
}

HelixClientFrame *hva_frame_new_dmabuf(HelixClient *client, HvaPixels *pixels, const HvaRect *rect, GError **error)
{
    const HvaRect all = { 0, 0, pixels->width, pixels->height };
    HelixClientFrame *frame;
    HelixClientImage image;

    hva_pixels_describe(pixels, rect ? rect : &all, &image);
    frame = helix_client_frame_new_dmabuf(client, pixels->dmabuf, &image, error);
    if (frame) {
        hva_pixels_hold(frame, pixels);
    }
    return frame;
}
