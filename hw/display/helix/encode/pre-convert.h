/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pre-convert.h - conversion of a picture to NV12 by the encode thread and helper threads: begun for the next picture
 * while the encoder has the one before it, else right before the encode.
 *
 * The threads of a software encoder do not use the processors all of the time; docs/performance.md has what this gains.
 */
#ifndef HELIX_PRE_CONVERT_H
#define HELIX_PRE_CONVERT_H

#include "../frame/surface.h"

typedef struct HelixPreConvert HelixPreConvert;

/*
 * Begin to convert @surface to NV12 of the coded size @width x @height, in a surface of @pool, by up to @helpers helper
 * threads. Returns at once. NULL: the picture must be scaled or is smaller than HELIX_CONVERT_SLICES_MIN_PIXELS, there
 * is no memory, or no vector code for it. Any thread.
 */
HelixPreConvert *helix_pre_convert_begin(HelixSurface *surface, guint32 width, guint32 height, HelixSurfacePool *pool,
                                         guint helpers);

/*
 * Finish the conversion, with the caller's help. Returns the picture in NV12, a reference for the caller; its cpu_bytes
 * are those of the conversion. Frees @conversion. Any thread but the main loop's.
 */
HelixSurface *helix_pre_convert_end(HelixPreConvert *conversion);

#endif
