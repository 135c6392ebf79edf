/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pixels-frame.h - pixels as the library describes them. */
#ifndef HELIX_VA_PIXELS_FRAME_H
#define HELIX_VA_PIXELS_FRAME_H

#include "convert.h"
#include "pixels.h"

/* @rect of @pixels. */
void hva_pixels_describe(const HvaPixels *pixels, const HvaRect *rect, HelixClientImage *image);
/* @frame references @pixels until the host has read it. */
void hva_pixels_hold(HelixClientFrame *frame, HvaPixels *pixels);
/* The DMA-BUF of @pixels as it is when the host reads it; @rect NULL: all of it. NULL with @error. */
HelixClientFrame *hva_frame_new_dmabuf(HelixClient *client, HvaPixels *pixels, const HvaRect *rect, GError **error);

#endif
