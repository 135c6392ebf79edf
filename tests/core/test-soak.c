/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-soak.c - a hundred thousand frames, with connections that come and go, sizes that change and everything failing
 * now and then: resident memory is at the end within 2 MiB of what it was, descriptors and threads are exactly so.
 *
 * "What it was" is after the first frames, when the C library has its arenas; under a sanitizer memory is shown, not
 * judged.
 */
#include <malloc.h>

#include "cases.h"
#include "random-client.h"
#include "resources.h"
#include "scripted.h"

#define N_LINES 6u
#define FRAMES 100000u
#define WARM 10000u
#define ALLOWED (2 << 20)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define JUDGE_MEMORY FALSE
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define JUDGE_MEMORY FALSE
#endif
#endif
#ifndef JUDGE_MEMORY
#define JUDGE_MEMORY TRUE
#endif

/* Until @frames were answered in all. */
static void run(RandomWorld *world, RandomClient **clients, guint64 frames)
{
    while (world->frames < frames) {
        RandomClient **client = &clients[random_world_some(world, N_LINES)];

        if (!*client) {
            *client = random_client_new(world);
        } else if (!random_client_step(*client)) {
            *client = NULL;
        } else if (random_world_some(world, 1000) == 0) {
            random_client_vanish(*client);
            *client = NULL;
        }
        if (random_world_some(world, 10) == 0) {
            random_world_disturb(world);
        }
        g_main_context_iteration(NULL, FALSE);
    }
    random_world_calm(world);
    for (guint i = 0; i < N_LINES; i++) {
        if (clients[i]) {
            random_client_finish(clients[i]);
            clients[i] = NULL;
        }
    }
}

TEST("/soak/frames", test_soak)
{
    Resources at_first = resources_now(), warm, after;
    RandomClient *clients[N_LINES] = { NULL };
    RandomWorld world;

    /* Of what is freed the C library keeps nothing for itself that would hide what is not. */
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
    mallopt(M_TRIM_THRESHOLD, 128 << 10);
    random_world_begin(&world, &(HelixHostConfig){ 0 }, (guint32)g_test_rand_int());
    scripted_remember(FALSE);
    world.widest = 512;
    scripted_oversize(1); /* the largest there is, once */
    run(&world, clients, WARM);
    warm = resources_now();
    run(&world, clients, WARM + FRAMES);
    random_world_end(&world);
    after = resources_now();
    g_test_message("%" G_GUINT64_FORMAT " frames, %" G_GUINT64_FORMAT " connections: resident %" G_GSIZE_FORMAT
                   " KiB at first, %" G_GSIZE_FORMAT " after %u frames, %" G_GSIZE_FORMAT " at the end",
                   world.frames, world.connections, at_first.resident >> 10, warm.resident >> 10, WARM,
                   after.resident >> 10);
    resources_expect(&at_first);
    g_assert_true(!JUDGE_MEMORY || after.resident <= warm.resident + ALLOWED);
}
