/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* layout-types.h - a part of a picture, and where a picture lies in a buffer. */
#ifndef HELIX_CLIENT_LAYOUT_TYPES_H
#define HELIX_CLIENT_LAYOUT_TYPES_H

#include <glib.h>

typedef struct ClientRect {
    guint x, y, width, height;
} ClientRect;

/* Where the pixels begin and how far their rows are apart. */
typedef struct ClientLayout {
    guint n_planes; /* 2: NV12 */
    gsize offset[2], stride[2];
    gsize size;
} ClientLayout;

#endif
