/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-random.c - every request is answered once: random scripts of messages, faults and encoders' behaviours against
 * the rules (random-client.h), a hundred thousand steps of them. Descriptors and threads are afterwards what they were.
 */
#include "cases.h"
#include "random-client.h"
#include "resources.h"

#define N_LINES 5u
#define STEPS 120000u
#define ENOUGH 20u /* of each kind of answer */
#define PATIENCE (100 * G_TIME_SPAN_SECOND)

static void vanish_sometimes(RandomWorld *world, RandomClient **client)
{
    if (*client && random_world_some(world, 300) == 0) {
        random_client_vanish(*client);
        *client = NULL;
    }
}

static gboolean seen_enough(const RandomWorld *world)
{
    return MIN(MIN(world->idrs, world->drops), MIN(world->busy, world->released)) >= ENOUGH &&
        MIN(MIN(world->errors[2], world->errors[5]), MIN(world->kept, world->snapshots - world->kept)) >= ENOUGH;
}

/* At least @steps, and on until there was enough of everything: on a busy machine encoders get fewer frames. */
static void run(guint32 seed, guint steps, HelixHostConfig *config)
{
    RandomClient *clients[N_LINES] = { NULL };
    gint64 deadline = g_get_monotonic_time() + PATIENCE;
    RandomWorld world;

    random_world_begin(&world, config, seed);
    for (guint i = 0; i < steps || !seen_enough(&world); i++) {
        RandomClient **client = &clients[random_world_some(&world, N_LINES)];

        if (!*client) {
            *client = random_client_new(&world);
        } else if (!random_client_step(*client)) {
            *client = NULL;
        }
        vanish_sometimes(&world, client);
        if (random_world_some(&world, 3) == 0) {
            random_world_disturb(&world);
        }
        if (i % 64 == 0) {
            random_world_check_limits(&world);
            g_assert_true(i < steps || g_get_monotonic_time() < deadline);
        }
        g_main_context_iteration(NULL, FALSE);
    }
    random_world_calm(&world);
    for (guint i = 0; i < N_LINES; i++) {
        if (clients[i]) {
            random_client_finish(clients[i]);
        }
    }
    random_world_end(&world);
    g_test_message("seed %u, %u steps: %" G_GUINT64_FORMAT " frames answered, %" G_GUINT64_FORMAT
                   " IDRs, %" G_GUINT64_FORMAT " dropped, %" G_GUINT64_FORMAT " busy, %" G_GUINT64_FORMAT
                   " released, %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " snapshots kept",
                   seed, steps, world.frames, world.idrs, world.drops, world.busy, world.released, world.kept,
                   world.snapshots);
}

TEST("/random/traffic", test_traffic)
{
    Resources before = resources_now();

    run((guint32)g_test_rand_int(), STEPS, &(HelixHostConfig){ 0 });
    resources_expect(&before);
}

/* So few of everything that requests meet the limits at every turn. */
TEST("/random/tight", test_tight)
{
    Resources before = resources_now();

    run((guint32)g_test_rand_int(), STEPS / 4,
        &(HelixHostConfig){
            .max_in_flight = 2,
            .max_streams = 4,
            .max_connections = 4,
            .max_encoders = 5,
            .max_memory = 1 << 20,
            .idle_timeout_ms = 1,
        });
    resources_expect(&before);
}
