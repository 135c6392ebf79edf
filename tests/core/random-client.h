/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * random-client.h - guests that send anything at any time in any pieces, against what every answer must be: one for
 * each request, in order, PONGs and FRAME_RELEASEDs where they belong, IDRs where a decoder needs one, "busy" only when
 * it is so, SNAPSHOT_DONEs in the order of SNAPSHOTs, and counters that add up. The carrier is played here, so that
 * what is taken either way is up to chance too.
 *
 * Look-ups come late, encodes are dropped, fail and hang, the VM stops, the GPU is reset, guests vanish: disturb().
 */
#ifndef HELIX_TEST_RANDOM_CLIENT_H
#define HELIX_TEST_RANDOM_CLIENT_H

#include "fake-capture.h"
#include "fake-channel.h"

#define RANDOM_CLIENT_SESSIONS 3u

/* A host, its guests, and what they counted. */
typedef struct RandomWorld {
    GRand *rand;
    HelixHost *host;
    FakeCapture capture;
    guint max_in_flight;
    guint32 widest; /* pictures are 16 to this many pixels wide and 16 high */
    gint64 pts;
    gboolean held;                        /* encodes hang */
    guint64 connections, consumed, taken; /* what the statistics must say of connections and bytes */
    guint64 requests;                     /* FRAME_REQUESTs that arrived whole */
    guint64 messages, frames, encoded, idrs, drops, released, busy;
    guint64 snapshots, kept; /* answered; of these, kept */
    guint64 errors[100];     /* of frames, by -code */
} RandomWorld;

typedef struct RandomClient RandomClient;

/* @config may set limits; all else is set here. */
void random_world_begin(RandomWorld *world, HelixHostConfig *config, guint32 seed);
/* Frees the host; what it counted must be what its guests did, and its memory must be back where it was. */
void random_world_end(RandomWorld *world);
/* A number below @below. */
guint random_world_some(RandomWorld *world, guint below);

/* NULL: the host refused. */
RandomClient *random_client_new(RandomWorld *world);
/* Send something, let some bytes through either way, and look at what came. FALSE: the connection was over; it was
 * freed. */
gboolean random_client_step(RandomClient *client);
/* The guest is gone. */
void random_client_vanish(RandomClient *client);
/* Ask no more and read all that comes, until the host closes. Frees it. */
void random_client_finish(RandomClient *client);
/* Something goes wrong, or is mended, or nothing. */
void random_world_disturb(RandomWorld *world);
/* All is mended: nothing is held, dropped or failing, and the VM runs. */
void random_world_calm(RandomWorld *world);
/* The statistics now: none of the limits is passed. */
void random_world_check_limits(RandomWorld *world);

#endif
