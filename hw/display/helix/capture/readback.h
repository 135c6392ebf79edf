/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * readback.h - a picture read into host memory by the CPU: from a texture, the 2D device's image or guest pages.
 */
#ifndef HELIX_READBACK_H
#define HELIX_READBACK_H

#include "resource.h"

/*
 * Read @picture from @resource: from its texture (or the 2D device's image) if @texture, else from its guest pages.
 * Answers as HelixResolver says, with a surface of @pool or, where the GPU converts a texture, one that counts in it.
 * Geometry is checked before anything is allocated: HELIX_CODE_GEOMETRY. The caller has checked that the picture lies
 * within a texture.
 */
void helix_readback_begin(VirtIOGPU *g, const HelixResource *resource, bool texture, const HelixPicture *picture,
                          const HelixCaptureTarget *target, HelixSurfacePool *pool, HelixResolved done, gpointer data);

/* Whether a picture of this size may be read into host memory. False with HELIX_CODE_GEOMETRY. */
bool helix_readback_check_size(const HelixResource *resource, const HelixPicture *picture, GError **error);

/* Continue read-backs in progress, if the VM runs. */
void helix_readback_continue(void);

/* Answer HELIX_CODE_NOT_FOUND to every read-back in progress. */
void helix_readback_cancel_all(void);

/*
 * Resource @id (0: every resource) was replaced: read-backs of it in progress end with HELIX_CODE_NOT_FOUND. Any thread
 * with the BQL.
 */
void helix_readback_invalidate(uint32_t id);

/*
 * Read @rows of @width pixels at @x, @y of a GL device's texture, as HelixTextureReader.read, and verify that every
 * pixel was written. Bytes between the rows are not changed.
 */
bool helix_texture_read(VirtIOGPU *g, const HelixResource *resource, uint32_t x, uint32_t y, uint32_t width,
                        uint32_t rows, uint8_t *to, uint32_t stride, GError **error);

#endif
