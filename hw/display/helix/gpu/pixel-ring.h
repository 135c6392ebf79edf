/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pixel-ring.h - pictures that the GPU converts to NV12 and writes into memory that an encoder in software reads in
 * place: pixel buffers, mapped for as long as they exist.
 *
 * Belongs to one thread and its context, which needs OpenGL 4.4 or ARB_buffer_storage; only release is for any thread.
 */
#ifndef HELIX_PIXEL_RING_H
#define HELIX_PIXEL_RING_H

#include "gpu-convert.h"

typedef struct HelixPixelRing HelixPixelRing;

/* One picture: luma at @data, chroma (Cb and Cr interleaved) behind its @height rows, all rows @stride bytes apart.
 * What lies beside the rows is zero. Fields do not change. */
typedef struct HelixPixelBuffer {
    const guint8 *data;
    gsize size;                    /* bytes */
    guint32 width, height, stride; /* pixels, even; bytes */
} HelixPixelBuffer;

/* Buffers that came back and stay mapped, for pictures to come: so many, and so many bytes in all. */
#define HELIX_PIXEL_RING_IDLE 3u
#define HELIX_PIXEL_RING_IDLE_BYTES ((gsize)32 << 20)

/*
 * With the current context. @returned(@data) is called on the releasing thread when a buffer came back; the ring's
 * thread then calls helix_pixel_ring_trim(). NULL with HELIX_CODE_INTERNAL: GL lacks something.
 */
HelixPixelRing *helix_pixel_ring_new(void (*returned)(gpointer data), gpointer data, GError **error);
/* All buffers were released. */
void helix_pixel_ring_free(HelixPixelRing *ring);

/* Bytes of a buffer for a picture of this size. */
gsize helix_pixel_ring_buffer_size(guint32 width, guint32 height);

/*
 * Convert @picture to @width x @height (even) and wait until the GPU has written it. The buffer is the caller's until
 * release. NULL with an error of helix_gpu_convert(), or HELIX_CODE_INTERNAL: no memory, or the GPU has not done it
 * within 5 s.
 */
HelixPixelBuffer *helix_pixel_ring_convert(HelixPixelRing *ring, const HelixGpuPicture *picture, guint32 width,
                                           guint32 height, GError **error);

/* @buffer is no longer read. Any thread. */
void helix_pixel_ring_release(HelixPixelRing *ring, HelixPixelBuffer *buffer);

/* Free what came back and is more than stays. */
void helix_pixel_ring_trim(HelixPixelRing *ring);

#endif
