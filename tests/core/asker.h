/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * asker.h - guests that send anything at any time in any pieces, against what every answer must be: one for each
 * request, in order, PONGs and FRAME_RELEASEDs where they belong, IDRs where a decoder needs one, "busy" only when it
 * is so, and counters that add up. The carrier is played here, so that what is taken either way is up to chance too.
 *
 * Look-ups come late, encodes are dropped, fail and hang, the VM stops, the GPU is reset, guests vanish: disturb().
 */
#ifndef HELIX_TEST_ASKER_H
#define HELIX_TEST_ASKER_H

#include "gallery.h"
#include "line.h"

#define ASKER_SESSIONS 3u

/* A host, its guests, and what they counted. */
typedef struct AskerWorld {
    GRand *rand;
    HelixHost *host;
    Gallery gallery;
    guint max_in_flight;
    guint32 widest; /* pictures are 16 to this many pixels wide and 16 high */
    gint64 pts;
    gboolean held;                        /* encodes hang */
    guint64 connections, consumed, taken; /* what the statistics must say of connections and bytes */
    guint64 requests;                     /* FRAME_REQUESTs that arrived whole */
    guint64 messages, frames, encoded, idrs, drops, released, busy;
    guint64 errors[100]; /* of frames, by -code */
} AskerWorld;

typedef struct Asker Asker;

/* @config may set limits; all else is set here. */
void asker_world_begin(AskerWorld *world, HelixHostConfig *config, guint32 seed);
/* Frees the host; what it counted must be what its guests did, and its memory must be back where it was. */
void asker_world_end(AskerWorld *world);
/* A number below @below. */
guint asker_some(AskerWorld *world, guint below);

/* NULL: the host refused. */
Asker *asker_new(AskerWorld *world);
/* Send something, let some bytes through either way, and look at what came. FALSE: the connection was over; it was
 * freed. */
gboolean asker_step(Asker *asker);
/* The guest is gone. */
void asker_vanish(Asker *asker);
/* Ask no more and read all that comes, until the host closes. Frees it. */
void asker_finish(Asker *asker);
/* Something goes wrong, or is mended, or nothing. */
void asker_disturb(AskerWorld *world);
/* All is mended: nothing is held, dropped or failing, and the VM runs. */
void asker_calm(AskerWorld *world);
/* The statistics now: none of the limits is passed. */
void asker_check_limits(AskerWorld *world);

#endif
