/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pre-convert.h - a picture is converted for its encoder by an idle processor while the one before it is encoded.
 *
 * What an encoder in software does with a picture before it codes it is added to every picture, and its threads do not
 * use the processors all of the time.
 */
#ifndef HELIX_PRE_CONVERT_H
#define HELIX_PRE_CONVERT_H

#include "../frame/surface.h"

typedef struct HelixPreConvert HelixPreConvert;

/*
 * Begin to convert @surface, as the coded size @width x @height says, into a surface of @pool, by up to @helpers
 * threads. Returns at once. NULL: it must be scaled or is too small, there is no memory or no vector code for it. Any
 * thread.
 */
HelixPreConvert *helix_pre_convert_begin(HelixSurface *surface, guint32 width, guint32 height, HelixSurfacePool *pool,
                                         guint helpers);

/*
 * Finish the work, with the caller's help, and return the picture in NV12, the caller's; its cpu_bytes are those of the
 * conversion. @ahead is gone. Any thread but the main loop's.
 */
HelixSurface *helix_pre_convert_end(HelixPreConvert *ahead);

#endif
