/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frame.c - see frame.h. */
#include "frame.h"

static void describe(const HvaPixels *pixels, const HvaRect *rect, HelixClientImage *image)
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

static void keep(HelixClientFrame *frame, HvaPixels *pixels)
{
    helix_client_frame_set_release(frame, (GDestroyNotify)hva_pixels_unref, hva_pixels_ref(pixels));
}

HelixClientFrame *hva_frame_new(HelixClient *client, HvaPixels *pixels, const HvaRect *rect, GError **error)
{
    HelixClientFrame *frame = NULL;
    HelixClientImage image;

    describe(pixels, rect, &image);
    if (hva_pixels_is_imported(pixels)) {
        frame = helix_client_frame_new_dmabuf(client, pixels->dmabuf, &image, error);
        if (frame) {
            keep(frame, pixels);
        }
        return frame;
    }
    if (pixels->buffer) {
        frame = helix_client_frame_new_buffer(client, pixels->buffer, &image, NULL);
    }
    if (frame) {
        keep(frame, pixels);
        return frame;
    }
    frame = helix_client_frame_new_copy(client, &image, NULL);
    if (!frame) {
        frame = helix_client_frame_new_pixels(&image, error);
        if (frame) {
            keep(frame, pixels);
        }
    }
    return frame;
}

void hva_frame_learn(HvaDriver *driver, HelixClient *client)
{
    HelixClientBufferKind kind;
    gboolean known = driver->gpu && helix_client_buffer_kind(client, HELIX_CLIENT_FORMAT_NV12, &kind);

    g_atomic_int_set(&driver->buffer_kind, known ? (gint)kind + 1 : 0);
}
