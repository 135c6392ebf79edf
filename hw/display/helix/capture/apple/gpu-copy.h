/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gpu-copy.h - a resource's texture as a surface that VideoToolbox reads, without the CPU touching a pixel.
 *
 * In this order: a Metal texture on an IOSurface is used in place, behind a fence; a Metal texture of the right row
 * order and size is copied by Metal; any other texture is blitted by GL (crop, scale, flip vertically), as a desktop's
 * ScreenCast buffers under UTM are. The end of the GPU work is polled every millisecond on the main loop, which never
 * waits for a GPU.
 */
#ifndef HELIX_APPLE_GPU_COPY_H
#define HELIX_APPLE_GPU_COPY_H

#include "../../frame/resolver.h"

/* A resource as the renderer describes it. */
typedef struct HelixTexture {
    guint32 id; /* the resource's id, for messages */
    guint32 width, height;
    guint32 tex_id;     /* GL name; 0: none */
    gpointer metal;     /* id<MTLTexture>, borrowed for the call; NULL: none */
    gboolean bottom_up; /* row 0 is the picture's lowest (virgl's Y_0_TOP) */
} HelixTexture;

typedef struct HelixGpuCopier HelixGpuCopier;

/* Main loop only. @context: NULL is the default one. */
HelixGpuCopier *helix_gpu_copier_new(GMainContext *context);
/* Answers copies in progress as reset() does. Any context, or none, may be current; it is current again afterwards. */
void helix_gpu_copier_free(HelixGpuCopier *copier);

/*
 * Copy @picture, which lies within @texture, into an IOSurface of the coded size. The renderer's GL context is current,
 * and again when this returns. TRUE: @done is called, from inside this call or later, as HelixResolver says. FALSE with
 * HELIX_ERROR: no GPU path supports this texture, and @done was not called.
 */
gboolean helix_gpu_copier_copy(HelixGpuCopier *copier, const HelixTexture *texture, const HelixPicture *picture,
                               const HelixCaptureTarget *target, HelixResolved done, gpointer data, GError **error);

/* The GPU was reset: copies in progress are answered HELIX_CODE_NOT_FOUND, and objects of its context are freed. */
void helix_gpu_copier_reset(HelixGpuCopier *copier);

#endif
