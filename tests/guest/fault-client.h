/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault-client.h - what fault-client's parts share: a guest's side of one fault, and its helpers.
 *
 * Functions return 0, or -1 after printing why.
 */
#ifndef HELIX_TEST_FAULT_CLIENT_H
#define HELIX_TEST_FAULT_CLIENT_H

#include <signal.h>

#include "player.h"

#define SMALL_WIDTH 320
#define SMALL_HEIGHT 180

typedef struct Job {
    Gpu gpu;
    bool has_gpu;
    Player player;
    const char *address;
    unsigned count;    /* the argument NUMBER */
    unsigned same_ids; /* resource ids that were used again */
} Job;

/* SIGTERM came. */
extern volatile sig_atomic_t ending;

int64_t now_ms(void);
void sleep_ms(int64_t ms);

/* A classic resource, which every device has, painted by the CPU. */
int make(Job *job, int width, int height, unsigned number, Buffer *buffer);
PlayerRequest request_for(const Buffer *buffer, unsigned number);

/* fault-cases.c: see fault-client.c's head. */
int run_stream(Job *job);
int run_silent(Job *job);
int run_vanish(Job *job);
int run_codes(Job *job);
int run_released(Job *job);
int run_poison(Job *job);
int run_streams(Job *job);
int run_huge(Job *job);
int run_hold(Job *job);
int run_soak(Job *job);

#endif
