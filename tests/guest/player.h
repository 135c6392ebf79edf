/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * player.h - sends drawings as FRAME_REQUESTs over one connection, matches the answers, and keeps them as a film.
 *
 * Everything a well-behaved guest relies on is checked on the way: answers in request order within a session_id, pts
 * untouched, FRAME_RELEASED at most once, before the answer and only if asked for, timing that runs forwards.
 *
 * Functions return 0, or -1 after printing why.
 */
#ifndef HELIX_TEST_PLAYER_H
#define HELIX_TEST_PLAYER_H

#include <stdbool.h>

#include "buffer.h"
#include "film.h"
#include "wire.h"

#define PLAYER_MAX_PENDING 32

typedef struct PlayerRequest {
    WireRequest wire;           /* session, flags, id, size, ...; pts is the player's */
    unsigned number;            /* what an access unit must show */
    int expect_error;           /* HELIX_CODE_ that must come instead of an access unit; 0 none */
    int may_fail, may_fail_too; /* HELIX_CODE_ that may come instead; 0 none */
    Buffer *spoil;              /* on FRAME_RELEASED another drawing is painted here at once; NULL none */
    BufferArea area;            /* of spoil */
    bool released;
} PlayerRequest;

typedef struct Player {
    Wire wire;
    Film film;
    const char *name; /* of the case */
    PlayerRequest pending[PLAYER_MAX_PENDING];
    unsigned n_pending;
    int64_t next_pts;
    unsigned releases; /* FRAME_RELEASED seen */
    uint32_t max_in_flight, capabilities;
    uint32_t kept; /* number of the last SNAPSHOT_DONE */
} Player;

int player_open(Player *player, const char *address, const char *directory, const char *name);
/* Also fails if answers are still owed. */
int player_close(Player *player);

/* CONFIG_REQ for @session with a bitrate that leaves pictures of this size nearly untouched; waits for CONFIG_RESP. */
int player_configure(Player *player, uint16_t session, int width, int height);

int player_send(Player *player, const PlayerRequest *request);
/* Read messages until at most @left requests are unanswered. */
int player_collect(Player *player, unsigned left);
/* SNAPSHOT of what @request describes, under @number. Returns once the host has kept it. */
int player_keep(Player *player, const PlayerRequest *request, uint32_t number);
/* Read messages until FRAME_RELEASED for the only request in flight has come; its answer first is a failure. */
int player_collect_release(Player *player);

#endif
