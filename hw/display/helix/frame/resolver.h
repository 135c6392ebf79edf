/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolver.h - the interface that turns the picture named by a request into a surface.
 *
 * capture/resource-resolver.c implements it inside QEMU, tests with pictures of their own.
 */
#ifndef HELIX_RESOLVER_H
#define HELIX_RESOLVER_H

#include <glib.h>
#include "../protocol/picture.h"
#include "surface.h"

/* What the stream will do with the picture. */
typedef struct HelixCaptureTarget {
    guint32 coded_width, coded_height; /* pixels; the size it will be scaled to, so that a GPU copy can scale. 0: its
                                          own size */
    guint surface_kinds;               /* bits 1 << HelixSurfaceKind that the encoder reads; 0: memory of the pool only,
                                          which the guest cannot write */
    gboolean wants_nv12;               /* memory is best in NV12 of the coded size, if the GPU can do that */
} HelixCaptureTarget;

/* Exactly one of @surface (the callee takes over the reference) and @error (the callee takes it over) is set. */
typedef void (*HelixResolved)(gpointer data, HelixSurface *surface, GError *error);

typedef struct HelixResolver {
    /*
     * Find @picture and bring it where an encode thread can read it. Main loop. Calls @done exactly once, on the main
     * loop, from inside this call or after it (a GPU copy under way). The caller discards an answer that it no longer
     * needs, also after helix_host_free(). @picture and @target are valid during the call only. Memory comes from
     * @pool, which lives until helix_host_free(). Errors: HELIX_CODE_NOT_FOUND, NOT_READABLE, GEOMETRY, INTERNAL.
     */
    void (*resolve)(gpointer self, const HelixPicture *picture, const HelixCaptureTarget *target,
                    HelixSurfacePool *pool, HelixResolved done, gpointer data);
} HelixResolver;

#endif
