/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lookup-world.h - what fuzz-lookup.c looks pictures up in: QEMU's main loop and GPU, and virglrenderer, as far as the
 * look-up sees them. */
#ifndef HELIX_LOOKUP_WORLD_H
#define HELIX_LOOKUP_WORLD_H

#include "qemu/osdep.h"
#include "../../hw/display/helix/capture/guest-pages.h"
#include "../../hw/display/helix/capture/pixel-layout.h"
#include "../../hw/display/helix/capture/readback.h"
#include "../../hw/display/helix/capture/texture-hooks.h"
#include "fuzz.h"

#define N_RESOURCES 3u

/* Lies still: what tells one resource from the next under its id is then only what it is, not where. */
typedef struct Held {
    struct virtio_gpu_simple_resource res;
    bool there, texture;
    uint32_t texture_id, width, height, format;
    struct iovec *iov; /* the pages of a classic one, which the renderer keeps */
    unsigned iov_cnt;
    guint pages, pixels; /* versions of their contents */
    guint made;          /* how many resources were made until it was */
} Held;

typedef struct LookupWorld {
    VirtIOGPU gpu;
    Held held[N_RESOURCES];
    guint n_versions, n_made, scale;
    bool stopped, spent, hash_useless, vcpu;
    bool guest_inside; /* the GPU's guard is engaged by work that is not the look-up's */
    bool thread_paused;
    GPtrArray *taken_away; /* memory that was the guest's, poisoned */
    guint asking;          /* the resource that is being asked for */
    guint n_collected;     /* times that a resource's pages were collected */
    bool thread_gives;     /* a texture's thread says that it has read one */
} LookupWorld;

extern LookupWorld world;

/* A new world, with what the input's first byte says of it. */
void world_begin(Input *input);
/* Nothing of it is left. */
void world_end(void);
/* A vCPU is inside of the GPU, or not: then the look-up stays out. What it engaged itself it has left. */
void world_guest_inside(bool inside);
/* One iteration of the main loop. FALSE: nothing was to do. */
bool world_turn(void);
/* What the texture's thread had to read first comes back, read or not. FALSE: it had nothing. */
bool world_thread_turn(bool good);

/* What resources hold, by version: bytes of pages from @position on, a texture's row from @x on. */
const guint8 *page_bytes(guint version, guint64 position);
const guint8 *texture_row(guint version, guint32 x, guint32 y);

/* What the guest does to a resource; whatever it takes away is poisoned, and lies there until the world ends. */
void resource_create(guint index, Input *input);
void resource_destroy(Held *held);
void resource_destroy_all(void);
void resource_give_pages(Held *held, Input *input);
/* The same pages, but for the last ones, and one that is shorter. */
void resource_shrink_pages(Held *held, Input *input);
void resource_drop_pages(Held *held);

#endif
