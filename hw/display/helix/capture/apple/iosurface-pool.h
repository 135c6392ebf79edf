/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iosurface-pool.h - IOSurfaces for GPU copies, reused when neither an encoder nor VideoToolbox holds them.
 *
 * The pool and its entries belong to the main loop; a surface made of an entry may be unreferenced on any thread.
 */
#ifndef HELIX_APPLE_IOSURFACE_POOL_H
#define HELIX_APPLE_IOSURFACE_POOL_H

#include <IOSurface/IOSurface.h>
#include <objc/message.h>

#include "../../frame/surface.h"

typedef struct HelixPooledIOSurface {
    gatomicrefcount refs; /* the pool's, a job's, a HelixSurface's */
    gint busy;            /* atomic: used by a job or a HelixSurface */
    guint64 taken;        /* the pool's count of takes when it was taken last */
    guint32 width, height;
    IOSurfaceRef surface; /* BGRA */
    /* Objects of the copies, created when first needed. */
    gpointer pbuffer;           /* EGLSurface; NULL, which is EGL_NO_SURFACE: none */
    guint texture, framebuffer; /* GL's names */
    id metal;                   /* MTLTexture on the surface, NULL: none */
} HelixPooledIOSurface;

typedef struct HelixIOSurfacePool HelixIOSurfacePool;

/* A rectangle of the picture, in pixels; row 0 is the top one. */
typedef struct HelixRect {
    guint32 x, y, width, height;
} HelixRect;

typedef enum HelixGpuStatus {
    HELIX_GPU_PENDING,
    HELIX_GPU_DONE,
    HELIX_GPU_FAILED,
} HelixGpuStatus;

/* @forget frees the copies' objects of an entry that is freed, or reused without them; main loop. */
HelixIOSurfacePool *helix_iosurface_pool_new(void (*forget)(gpointer data, HelixPooledIOSurface *entry), gpointer data);
void helix_iosurface_pool_free(HelixIOSurfacePool *pool);
/* Remove every entry, those in use too. */
void helix_iosurface_pool_clear(HelixIOSurfacePool *pool);

/*
 * Take an entry of @width x @height that is unused, by IOSurfaceIsInUse() too, and mark it busy; the caller gets a
 * reference. NULL with HELIX_ERROR (HELIX_CODE_INTERNAL) if all entries that the pool may hold are in use, or no
 * IOSurface can be created.
 */
HelixPooledIOSurface *helix_iosurface_pool_take(HelixIOSurfacePool *pool, guint32 width, guint32 height,
                                                GError **error);
/*
 * Free entries that no job and no HelixSurface uses and that were not taken since the previous call. Other holders of
 * such an IOSurface keep it. FALSE: the pool is empty.
 */
gboolean helix_iosurface_pool_trim(HelixIOSurfacePool *pool);
/* Remove @entry from the pool: something may still be written into it. */
void helix_iosurface_pool_drop(HelixIOSurfacePool *pool, HelixPooledIOSurface *entry);
void helix_pooled_iosurface_unref(HelixPooledIOSurface *entry);

/* The finished picture in @entry as a surface; takes the reference over. */
HelixSurface *helix_pooled_iosurface_surface(HelixPooledIOSurface *entry, HelixHostPath path);
/* A surface on an IOSurface that is not the pool's; it is retained. */
HelixSurface *helix_iosurface_wrap(IOSurfaceRef surface);

#endif
