/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frame.c - see frame.h. */
#include "frame.h"
#include "keep.h"
#include "pixels-frame.h"

/* What the host kept of it, else what is there now. */
static HelixClientFrame *new_imported(HelixClient *client, HvaPixels *pixels, const HvaRect *rect, GError **error)
{
    g_autoptr(HelixClientSnapshot) snapshot = hva_kept(pixels, client);

    if (snapshot) {
        return helix_client_frame_new_snapshot(snapshot, rect->x, rect->y, rect->width, rect->height);
    }
    return hva_frame_new_dmabuf(client, pixels, rect, error);
}

HelixClientFrame *hva_frame_new(HelixClient *client, HvaPixels *pixels, const HvaRect *rect, GError **error)
{
    HelixClientFrame *frame = NULL;
    HelixClientImage image;

    if (hva_pixels_is_imported(pixels)) {
        return new_imported(client, pixels, rect, error);
    }
    hva_pixels_describe(pixels, rect, &image);
    if (pixels->buffer) {
        frame = helix_client_frame_new_buffer(client, pixels->buffer, &image, NULL);
    }
    if (frame) {
        hva_pixels_hold(frame, pixels);
        return frame;
    }
    frame = helix_client_frame_new_copy(client, &image, NULL);
    if (!frame) {
        frame = helix_client_frame_new_pixels(&image, error);
        if (frame) {
            hva_pixels_hold(frame, pixels);
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
