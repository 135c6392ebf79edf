/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image.h - images: pictures in memory of the client's format. */
#ifndef HELIX_VA_IMAGE_H
#define HELIX_VA_IMAGE_H

#include "buffer.h"

typedef struct HvaImage {
    HvaObject object;
    const HvaFormat *format;
    guint width, height;
    HvaLayout layout;
    VABufferID buffer_id;
    HvaBuffer *buffer;
} HvaImage;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HvaImage, hva_unref)

#endif
