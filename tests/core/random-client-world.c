/* SPDX-License-Identifier: GPL-2.0-or-later */
/* random-client-world.c - what the guests of random-client.c share: a host, what goes wrong, and sums. */
#include <string.h>

#include "random-client.h"
#include "client.h"
#include "stream/host-private.h"
#include "scripted.h"
#include "stat.h"

guint random_world_some(RandomWorld *world, guint below)
{
    return (guint)g_rand_int_range(world->rand, 0, (gint32)below);
}

void random_world_begin(RandomWorld *world, HelixHostConfig *config, guint32 seed)
{
    g_autoptr(GError) error = NULL;

    memset(world, 0, sizeof *world);
    world->rand = g_rand_new_with_seed(seed);
    world->widest = 32;
    world->max_in_flight = config->max_in_flight ? config->max_in_flight : HELIX_DEFAULT_MAX_IN_FLIGHT;
    config->resolver = &fake_capture_resolver;
    config->resolver_data = &world->capture;
    config->encoder_class = scripted_wrap(&helix_encoder_null);
    world->host = helix_host_new(config, &error);
    g_assert_no_error(error);
}

void random_world_disturb(RandomWorld *world)
{
    switch (random_world_some(world, 60)) {
    case 0:
        helix_host_gpu_reset_end(world->host);
        break;
    case 1:
    case 2:
        helix_host_set_running(world->host, random_world_some(world, 2));
        break;
    case 3:
        world->capture.hold = !world->capture.hold;
        break;
    case 4:
        world->capture.borrow = !world->capture.borrow;
        break;
    case 5:
        scripted_fail(1);
        break;
    case 6:
        scripted_drop(random_world_some(world, 4));
        break;
    case 7:
        scripted_fail_open(1);
        break;
    case 8:
        world->held = random_world_some(world, 2);
        scripted_hold(world->held);
        break;
    case 9:
        scripted_delay_ms(random_world_some(world, 50) == 0 ? 1 : 0);
        break;
    case 10:
        scripted_oversize(random_world_some(world, 60) == 0 ? 1 : 0);
        break;
    default:
        fake_capture_release(&world->capture);
    }
}

void random_world_calm(RandomWorld *world)
{
    world->capture.hold = FALSE;
    scripted_hold(FALSE);
    scripted_delay_ms(0);
    scripted_drop(0);
    scripted_fail(0);
    scripted_fail_open(0);
    scripted_oversize(0);
    helix_host_set_running(world->host, TRUE);
    while (world->capture.waiting.length) {
        fake_capture_release(&world->capture);
    }
}

void random_world_check_limits(RandomWorld *world)
{
    g_autofree char *json = helix_host_stats_json(world->host);
    guint64 in_flight;

    g_assert_cmpuint(stat_number(json, "streams.now"), <=, world->host->streams.max_streams);
    g_assert_cmpuint(helix_encode_pool_size(world->host->streams.encode_pool), <=, world->host->streams.max_encoders);
    for (guint i = 0;; i++) {
        g_autofree char *path = g_strdup_printf("streams.live.%u.in_flight", i);

        if (!stat_find(json, path, &in_flight)) {
            break;
        }
        g_assert_cmpuint(in_flight, <=, world->max_in_flight);
    }
}

static guint64 sum_of_host_paths(const char *json)
{
    guint64 sum = 0;

    for (guint i = 0; i < HELIX_N_HOST_PATHS; i++) {
        g_autofree char *path = g_strconcat("host_paths.", helix_host_path_name(i), NULL);

        sum += stat_number(json, path);
    }
    return sum;
}

/* A frame is counted when its answer has left, and that is when its guest has it. */
static void check_sums(RandomWorld *world)
{
    g_autofree char *json = helix_host_stats_json(world->host);

    g_assert_cmpuint(stat_number(json, "connections.now"), ==, 0);
    g_assert_cmpuint(stat_number(json, "connections.total"), ==, world->connections);
    g_assert_cmpuint(stat_number(json, "streams.now"), ==, 0);
    g_assert_cmpuint(stat_number(json, "frames.requests"), ==, world->requests);
    g_assert_cmpuint(stat_number(json, "frames.encoded"), ==, world->encoded);
    g_assert_cmpuint(stat_number(json, "frames.keyframes"), ==, world->idrs);
    g_assert_cmpuint(stat_number(json, "frames.dropped"), ==, world->drops);
    g_assert_cmpuint(stat_number(json, "bytes.from_guest"), ==, world->consumed);
    g_assert_cmpuint(stat_number(json, "bytes.to_guest"), ==, world->taken);
    g_assert_cmpuint(sum_of_host_paths(json), ==, world->encoded + world->drops);
    g_assert_cmpuint(stat_number(json, "stage_us.encoded.count"), ==, world->encoded);
    for (guint code = 1; code < G_N_ELEMENTS(world->errors); code++) {
        g_autofree char *path = g_strdup_printf("errors.-%u", code);
        guint64 counted = 0;

        stat_find(json, path, &counted);
        g_assert_cmpuint(counted, ==, world->errors[code]);
    }
}

void random_world_end(RandomWorld *world)
{
    while (helix_encode_pool_size(world->host->streams.encode_pool)) { /* retired threads end by themselves */
        g_main_context_iteration(NULL, TRUE);
    }
    check_sums(world);
    g_assert_cmpuint(helix_surface_pool_bytes(world->host->streams.surface_pool), ==, 0);
    helix_host_free(world->host);
    g_assert_cmpuint(scripted_n_opened(), ==, scripted_n_closed());
    g_rand_free(world->rand);
}
