/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core-video.h - the doubles' IOSurface and pixel buffer, as the other doubles see them. */
#ifndef DOUBLE_CORE_VIDEO_INNER_H
#define DOUBLE_CORE_VIDEO_INNER_H

#include "doubles.h"

typedef struct DoubleSurface {
    DoubleObject object;
    guint width, height;
    OSType format;
    gsize stride, size;
    guint8 *data;
    gint uses, textures, locked; /* atomic */
} DoubleSurface;

typedef struct DoubleBuffer {
    DoubleObject object;
    guint width, height;
    OSType format;
    guint8 *plane[2];
    gsize stride[2];
    DoubleSurface *surface;
    gint locked;
    CFStringRef primaries, transfer, matrix; /* attached; NULL: not */
    CVPixelBufferReleaseBytesCallback release_bytes;
    CVPixelBufferReleasePlanarBytesCallback release_planes;
    gpointer release_data;
} DoubleBuffer;

extern const DoubleClass double_surface, double_buffer;

typedef struct DoubleCvOrders {
    gboolean no_iosurface;   /* IOSurfaceCreate gives NULL */
    guint8 fill;             /* what a new IOSurface holds; 0: a bright grey, easily told from a picture */
    gboolean always_in_use;  /* IOSurfaceIsInUse says so of all */
    gboolean texture_is_use; /* IOSurfaceIsInUse says so of one that a texture is on */
} DoubleCvOrders;

extern DoubleCvOrders double_cv;

#endif
