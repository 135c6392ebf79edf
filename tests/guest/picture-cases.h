/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * picture-cases.h - what the cases of picture-client are made of: rings of buffers, streams of drawings.
 *
 * Functions return 0, or -1 after printing why.
 */
#ifndef HELIX_TEST_PICTURE_CASES_H
#define HELIX_TEST_PICTURE_CASES_H

#include "player.h"

#define RING 3 /* buffers in turn, as a compositor does */
#define IN_FLIGHT 2

/* What a case needs of the GPU. */
typedef enum Need {
    NEED_NOTHING = 0,
    NEED_3D = 1 << 0,
    NEED_2D = 1 << 1,
    NEED_BLOB = 1 << 2,
    NEED_CARD = 1 << 3,
} Need;

typedef struct Context {
    Gpu gpu;
    const char *address, *directory;
} Context;

/* One stream of @frames pictures of the same geometry. */
typedef struct Picture {
    const char *name;
    unsigned need; /* NEED_ bits */
    BufferSpec spec;
    BufferArea area; /* width 0: all of it */
    uint8_t source;
    uint8_t flags;
    unsigned frames;
    bool spoil; /* paint over each buffer as soon as it is released */
} Picture;

BufferArea picture_whole(const Buffer *buffer);
/* The request that names @area of @buffer, on session 1; its frame must show drawing @number. */
PlayerRequest picture_request(const Buffer *buffer, const BufferArea *area, uint8_t source, uint8_t flags,
                              unsigned number);
/* Drawn and in the host's texture when it returns. */
int picture_draw(Buffer *buffer, unsigned number, const BufferArea *area);

int ring_new(Gpu *gpu, const BufferSpec *spec, Buffer ring[RING]);
void ring_free(Buffer ring[RING]);

/* Send drawings @first, @first + 1, ... of @picture from @ring on session 1 and collect every answer. */
int play_picture(Player *player, const Picture *picture, Buffer ring[RING], unsigned first);

/* A case that is more than one stream of pictures; play() gets an open connection on which nothing was sent. */
typedef struct SpecialCase {
    const char *name;
    unsigned need; /* NEED_ bits */
    int (*play)(Context *context, Player *player);
} SpecialCase;

extern const SpecialCase special_cases[];
extern const size_t n_special_cases;

#endif
