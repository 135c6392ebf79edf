/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lookup.h - QEMU's look-up as it is, asked by a test, and pictures whose every byte says where it lies. */
#ifndef HELIX_TEST_LOOKUP_H
#define HELIX_TEST_LOOKUP_H

#include "qemu-rig.h"
#include "frame/resolver.h"

/* The resource of most tests. */
#define LOOKUP_ID 7u

typedef struct LookupAnswer {
    bool done;
    HelixSurface *surface;
    GError *error;
} LookupAnswer;

/* A GPU with virglrenderer up, and the pool that pictures come from; then the look-up is asked. @g stays. */
void lookup_start(VirtIOGPU *g);
void lookup_end(void);
/* Run the main loop until @picture is answered. The caller owns what the answer holds. */
LookupAnswer lookup_resolve(const HelixPicture *picture, const HelixCaptureTarget *target);

/* All of resource LOOKUP_ID. */
HelixPicture lookup_whole(guint32 width, guint32 height);

/* Byte @i of the pixel at @x, @y, and @width x @height of them: four bytes a pixel, top row first. */
guint8 lookup_byte(guint32 x, guint32 y, guint i);
guint8 *lookup_draw(guint32 width, guint32 height);
/* Whether @surface holds these bytes from @x, @y on, put into the order of @byte (as HelixPixelLayout has it). */
bool lookup_is_drawn(const HelixSurface *surface, guint32 x, guint32 y, const guint8 byte[4], bool alpha);

#endif
