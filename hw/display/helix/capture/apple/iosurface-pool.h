/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iosurface-pool.h - IOSurfaces that GPU copies go into, reused once neither an encoder nor VideoToolbox holds them.
 *
 * An entry belongs to the main loop; the surface made of one may be let go on any thread.
 */
#ifndef HELIX_APPLE_IOSURFACE_POOL_H
#define HELIX_APPLE_IOSURFACE_POOL_H

#include <IOSurface/IOSurface.h>
#include <objc/message.h>

#include "../../frame/surface.h"

typedef struct HelixPooledIOSurface {
    gatomicrefcount refs; /* the pool's, a job's, a HelixSurface's */
    gint busy;            /* atomic: a job or a HelixSurface has it */
    guint64 taken;        /* when last, in counts of the pool's */
    guint32 width, height;
    IOSurfaceRef surface; /* BGRA */
    /* What copies keep with it, made when first needed. */
    gpointer pbuffer;           /* EGLSurface; NULL, which is EGL_NO_SURFACE: none */
    guint texture, framebuffer; /* GL's names */
    id metal;                   /* MTLTexture on the surface, NULL: none */
} HelixPooledIOSurface;

typedef struct HelixIOSurfacePool HelixIOSurfacePool;

/* What of a texture is copied into an entry, in the picture's rows, the top one 0. */
typedef struct HelixRect {
    guint32 x, y, width, height;
} HelixRect;

typedef enum HelixGpuStatus {
    HELIX_GPU_PENDING,
    HELIX_GPU_DONE,
    HELIX_GPU_FAILED,
} HelixGpuStatus;

/* @forget takes back what copies keep with an entry, which goes, or is used again without it; on the main loop. */
HelixIOSurfacePool *helix_iosurface_pool_new(void (*forget)(gpointer data, HelixPooledIOSurface *entry), gpointer data);
void helix_iosurface_pool_free(HelixIOSurfacePool *pool);
/* Every entry is forgotten, those in use too. */
void helix_iosurface_pool_clear(HelixIOSurfacePool *pool);

/*
 * An entry that nothing uses by IOSurfaceIsInUse() either, marked busy; the caller gets a reference. NULL with
 * HELIX_ERROR (HELIX_CODE_INTERNAL) if all that the pool may hold are in use, or no IOSurface can be had.
 */
HelixPooledIOSurface *helix_iosurface_pool_take(HelixIOSurfacePool *pool, guint32 width, guint32 height,
                                                GError **error);
/*
 * Release the IOSurfaces that no job and no HelixSurface uses and that were not taken since the previous call; other
 * holders of such an IOSurface keep their reference. FALSE: the pool is empty.
 */
gboolean helix_iosurface_pool_trim(HelixIOSurfacePool *pool);
/* Never hand @entry out again: something may still be written into it. The pool lets go of it. */
void helix_iosurface_pool_drop(HelixIOSurfacePool *pool, HelixPooledIOSurface *entry);
void helix_pooled_iosurface_unref(HelixPooledIOSurface *entry);

/* The finished picture in @entry as a surface; takes the reference over. */
HelixSurface *helix_pooled_iosurface_surface(HelixPooledIOSurface *entry, HelixHostPath path);
/* A surface on an IOSurface of somebody else's, retained. */
HelixSurface *helix_iosurface_wrap(IOSurfaceRef surface);

#endif
