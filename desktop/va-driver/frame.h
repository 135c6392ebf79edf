/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frame.h - pixels as a frame of the library's, by the cheapest path that the host takes. */
#ifndef HELIX_VA_FRAME_H
#define HELIX_VA_FRAME_H

#include "convert.h"
#include "pixels.h"

/* @rect of @pixels, which are referenced until the host has read them. NULL with @error. */
HelixClientFrame *hva_frame_new(HelixClient *client, HvaPixels *pixels, const HvaRect *rect, GError **error);
/* Remember what kind of buffer the client's host reads: surfaces that are written next are of that kind. */
void hva_frame_learn(HvaDriver *driver, HelixClient *client);

#endif
