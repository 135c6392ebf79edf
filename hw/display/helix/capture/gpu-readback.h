/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gpu-readback.h - textures that the GPU converts to NV12 into memory that an encoder in software reads in place. On
 * the read-back thread, with its context current.
 */
#ifndef HELIX_GPU_READBACK_H
#define HELIX_GPU_READBACK_H

#include <epoxy/egl.h>

#include "../gpu/pixel-ring.h"
#include "texture-hooks.h"

/*
 * Measure both ways to NV12: by the GPU, and pixels read and then converted by the CPU. A ring if the GPU's takes less
 * time; it is never freed. NULL: the CPU's does, or the GPU can't. @returned as helix_pixel_ring_new() has it.
 */
HelixPixelRing *helix_gpu_readback_choose(void (*returned)(gpointer data));

/*
 * The picture of @what in NV12, from the texture's @image. The pool of @what was charged with the buffer's size, which
 * the surface gives back. NULL: GL can't.
 */
HelixSurface *helix_gpu_readback(HelixPixelRing *ring, EGLImageKHR image, const HelixConvertOrder *what);

#endif
