/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gpu-copy.h - from a resource's texture to a surface that VideoToolbox reads, without the CPU touching a pixel.
 *
 * In this order: a Metal texture on an IOSurface is used in place, behind a fence; a Metal texture whose rows and size
 * are right already is copied by Metal; every other texture is blitted by GL (crop, scale, turn over), which is the way
 * of a desktop's ScreenCast buffers under UTM. The end of all of them is asked for once a millisecond on the main loop,
 * which never waits for a GPU.
 */
#ifndef HELIX_APPLE_GPU_COPY_H
#define HELIX_APPLE_GPU_COPY_H

#include "../../frame/resolver.h"

/* What the renderer says of a resource. */
typedef struct HelixTexture {
    guint32 id; /* the resource's, for messages */
    guint32 width, height;
    guint32 tex_id;     /* GL name; 0: none */
    gpointer metal;     /* id<MTLTexture>, borrowed for the call; NULL: none */
    gboolean bottom_up; /* row 0 is the picture's lowest (virgl's Y_0_TOP) */
} HelixTexture;

typedef struct HelixGpuCopier HelixGpuCopier;

/* Main loop only, all of it. @context: NULL is the default one. */
HelixGpuCopier *helix_gpu_copier_new(GMainContext *context);
/* Answers what is pending as reset() does. Whatever context is current, or none: its own is entered, and left again. */
void helix_gpu_copier_free(HelixGpuCopier *copier);

/*
 * Bring @picture, which lies within @texture, into an IOSurface of the size it is coded in (@target). With the
 * renderer's GL context current, which is current again when this returns. TRUE: @done is called, from inside this call
 * or later, as HelixResolver says. FALSE with HELIX_ERROR: no GPU path takes this texture, nothing was called.
 */
gboolean helix_gpu_copier_copy(HelixGpuCopier *copier, const HelixTexture *texture, const HelixPicture *picture,
                               const HelixCaptureTarget *target, HelixResolved done, gpointer data, GError **error);

/* The GPU was reset: copies under way are answered HELIX_CODE_NOT_FOUND, and what was made in its context is let go. */
void helix_gpu_copier_reset(HelixGpuCopier *copier);

#endif
