/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metal-copy.h - a Metal texture copied into an IOSurface by the GPU, without scaling or flipping.
 *
 * Main loop only. Nothing waits: the end of a copy is polled. Does not use EGL, which Macs have only with ANGLE.
 */
#ifndef HELIX_APPLE_METAL_COPY_H
#define HELIX_APPLE_METAL_COPY_H

#include "iosurface-pool.h"

/* In an autorelease pool of the caller's, which QEMU's main loop does not have (loop/autorelease.h). */

/* Properties of a texture (id<MTLTexture>). */
IOSurfaceRef helix_metal_iosurface(id texture); /* NULL: not on an IOSurface; borrowed */
gboolean helix_metal_is_bgra(id texture);       /* MTLPixelFormatBGRA8Unorm, which the encoder reads */
guint32 helix_metal_width(id texture);
guint32 helix_metal_height(id texture);

typedef struct HelixMetalCopy HelixMetalCopy;

HelixMetalCopy *helix_metal_copy_new(void);
void helix_metal_copy_free(HelixMetalCopy *copy);

/*
 * Begin to copy @source, which has @entry's size, from @texture into @entry, after @event has reached 1. Returns an
 * id<MTLCommandBuffer> for status and end, which keeps the textures alive, or NULL with HELIX_ERROR
 * (HELIX_CODE_NOT_READABLE).
 */
id helix_metal_copy_begin(HelixMetalCopy *copy, id texture, HelixRect source, id event, HelixPooledIOSurface *entry,
                          GError **error);
HelixGpuStatus helix_metal_copy_status(id command_buffer);
void helix_metal_copy_end(id command_buffer);

/* Free the Metal objects of @entry. */
void helix_metal_copy_forget(HelixPooledIOSurface *entry);

void helix_metal_release(id object);

#endif
