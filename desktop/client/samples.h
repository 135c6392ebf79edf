/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* samples.h - formats that the protocol lacks: the copy of a picture becomes NV12 or XR24. Pure: any thread. */
#ifndef HELIX_CLIENT_SAMPLES_H
#define HELIX_CLIENT_SAMPLES_H

#include "helix-client.h"
#include "layout-types.h"

/* The protocol's format that @format becomes; 0: it is none of these. */
guint32 client_samples_wire_format(guint32 format);
/* Planes of an image of @format, which is one of these. */
guint client_samples_planes(guint32 format);
/* As client_copy_rect(), of an image in one of these formats. */
gsize client_samples_copy_rect(const HelixClientImage *image, const ClientRect *rect, guint8 *to,
                               const ClientLayout *layout);

#endif
