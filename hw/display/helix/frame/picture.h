/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * picture.h - how a request names a picture, and who finds it.
 *
 * The core does not know what a resource id means: QEMU's shell (or a test) gives it a HelixResolver.
 */
#ifndef HELIX_PICTURE_H
#define HELIX_PICTURE_H

#include <glib.h>
#include "surface.h"

/* A FRAME_REQUEST's picture with its EXT block (all zero where there was none). Hostile: nothing was checked yet
 * against the resource; width, height, crop and offsets are as the guest sent them. */
typedef struct HelixPicture {
    guint32 resource_id;
    guint32 width, height; /* after cropping; > 0 */
    guint32 fourcc;        /* one of HELIX_FORMAT_ */
    guint32 stride;        /* bytes; says nothing about a texture */
    guint8 source;         /* HELIX_SOURCE_ */
    guint8 planes;         /* 0: offset, stride_of and modifier say nothing */
    guint32 crop_x, crop_y;
    guint32 res_width, res_height; /* whole resource; 0: as the picture */
    guint32 offset[3], stride_of[3];
    guint64 modifier;
    /* From the stream, not from the guest: */
    guint32 coded_width,
        coded_height;    /* what the picture will be scaled to, so that a GPU copy can do it; 0: its own size */
    guint surface_kinds; /* bits 1 << HelixSurfaceKind that the encoder reads; 0: host memory only */
} HelixPicture;

/* Exactly one of @surface (the callee takes over the reference) and @error (the callee takes it over) is set. */
typedef void (*HelixResolved)(gpointer data, HelixSurface *surface, GError *error);

typedef struct HelixResolver {
    /*
     * Find the picture and bring it where an encoder thread can read it. Main loop. Calls @done exactly once, on the
     * main loop, from inside this call or later (a GPU copy under way). An answer that nobody waits for any more, as
     * the guest is gone or the GPU was reset, is thrown away, also after helix_host_free(). Errors:
     * HELIX_CODE_NOT_FOUND, NOT_READABLE, GEOMETRY, INTERNAL. Memory comes from @pool, which is there until
     * helix_host_free().
     */
    void (*resolve)(gpointer self, const HelixPicture *picture, HelixSurfacePool *pool, HelixResolved done,
                    gpointer data);
} HelixResolver;

#endif
