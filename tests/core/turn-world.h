/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * turn-world.h - a host, a connection, and iterations of the main loop by a clock that is the test's: it goes on by a
 * tenth of a millisecond each time that it is read, so a turn's budget is so many reads, on the slowest machine too.
 */
#ifndef HELIX_TEST_TURN_WORLD_H
#define HELIX_TEST_TURN_WORLD_H

#include "cases.h"
#include "fake-capture.h"
#include "fake-channel.h"
#include "loop/loop-budget.h"

#define MOST \
    (HELIX_LOOP_BUDGET_US / 100 + 5u) /* steps in a turn: one a look, and one more for each that may take one \
                                       */
#define PLENTY 300u                   /* of what is asked for: more than ten turns of it */
#define BAD (FAKE_CAPTURE_LAST + 1)   /* a resource whose look-up fails */

typedef struct World {
    HelixHost *host;
    FakeCapture capture;
    FakeChannel *channel; /* of a TURN_TEST(); takes all that is written */
    GArray *answers;      /* of type Answer */
} World;

typedef struct Answer {
    guint8 type;
    gint32 code;   /* ERROR */
    gint64 number; /* FRAME_RESPONSE: pts; PONG: what the PING said */
} Answer;

gint64 tick(void);
/* Time is up whenever somebody looks. */
gint64 leap(void);
void world_begin(World *world, HelixHostConfig *config);
void world_end(World *world);
/* The messages that are whole move from @bytes to the end of @answers. Returns how many they are. */
guint take_answers(GByteArray *bytes, GArray *answers);
Answer at(const GArray *answers, guint i);
GArray *answers_new(void);
void with_world(void (*test)(World *world, FakeChannel *channel, GArray *answers));
void ask_ping(FakeChannel *channel, guint64 number);
void ask_frame(FakeChannel *channel, guint16 session, guint32 resource, gint64 pts);
/* An iteration of the main loop; what the carrier has to offer comes first in it. */
void turn(FakeChannel *channel);
/* Turns, until @n answers are there. */
void turn_until(FakeChannel *channel, GArray *answers, guint n);
/* All of it, in a turn that has time for it. */
void take_in(FakeChannel *channel);
/* Turns, until @n answers are there; none has more than MOST of them, and it takes more than a few. */
void expect_spread(FakeChannel *channel, GArray *answers, guint n);

/* A case with a host of the defaults, one connection, and the answers that came so far. */
#define TURN_TEST(path, function) \
    static void function(World *world, FakeChannel *channel, GArray *answers); \
    TEST(path, function##_with_world) \
    { \
        with_world(function); \
    } \
    static void function(World *world, FakeChannel *channel, GArray *answers)

#endif
