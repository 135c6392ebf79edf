/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metal-copy.h - a Metal texture copied into an IOSurface by the GPU, as it is: no scaling, no turning over.
 *
 * Main loop only. Nothing waits: the end of a copy is asked for. Knows nothing of EGL, which Macs have only with ANGLE.
 */
#ifndef HELIX_APPLE_METAL_COPY_H
#define HELIX_APPLE_METAL_COPY_H

#include "iosurface-pool.h"

/*
 * Around everything that sends messages: QEMU's main loop has no pool that is emptied, and what Metal puts into none
 * stays for good.
 */
void *helix_metal_pool_push(void);
void helix_metal_pool_pop(void *pool);

/* What is asked of a texture (id<MTLTexture>). */
IOSurfaceRef helix_metal_iosurface(id texture); /* NULL: not on one; borrowed */
gboolean helix_metal_is_bgra(id texture);       /* MTLPixelFormatBGRA8Unorm: bytes that an encoder takes */
guint32 helix_metal_width(id texture);
guint32 helix_metal_height(id texture);

typedef struct HelixMetalCopy HelixMetalCopy;

HelixMetalCopy *helix_metal_copy_new(void);
void helix_metal_copy_free(HelixMetalCopy *copy);

/*
 * Begin to copy @source, of @entry's size, out of @texture into @entry, after @event has reached 1. Returns what to ask
 * (an id<MTLCommandBuffer>, which keeps the textures), or NULL with HELIX_ERROR (HELIX_CODE_NOT_READABLE).
 */
id helix_metal_copy_begin(HelixMetalCopy *copy, id texture, HelixRect source, id event, HelixPooledIOSurface *entry,
                          GError **error);
HelixGpuStatus helix_metal_copy_status(id command_buffer);
void helix_metal_copy_end(id command_buffer);

/* Free what @entry has of Metal. */
void helix_metal_copy_forget(HelixPooledIOSurface *entry);

void helix_metal_release(id object);

#endif
