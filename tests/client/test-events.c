/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-events.c - events by the descriptor, by a GSource, and those that time brings; what frees frame_data. */
#include <poll.h>
#include "fixture.h"

static gboolean is_readable(HelixClient *client, int ms)
{
    struct pollfd fd = { .fd = helix_client_get_fd(client), .events = POLLIN };

    g_assert_cmpint(fd.fd, >=, 0);
    return poll(&fd, 1, ms) == 1;
}

/* Readable exactly while there is an event to take. */
TEST("/events/descriptor", test_descriptor)
{
    Script script = SCRIPT_DEFAULT;
    HelixClientEvent *event;
    Fixture f;

    script.hold = TRUE;
    fixture_set_up(&f, &script);
    g_assert_true(is_readable(f.client, 5000));
    event = helix_client_next_event(f.client);
    g_assert_cmpint(event->type, ==, HELIX_CLIENT_EVENT_CONFIGURED);
    g_assert_cmpuint(event->asked.tag, ==, 1);
    g_assert_cmpuint(event->host.active.width, ==, 64);
    g_assert_cmpuint(event->host.capabilities, ==, HELIX_CAP_ALL);
    helix_client_event_free(event);
    g_assert_null(helix_client_next_event(f.client));
    g_assert_false(is_readable(f.client, 0));
    fixture_submit(&f, 1, 1000);
    g_assert_true(script_host_wait_frames(f.host, 1));
    g_assert_false(is_readable(f.client, 0));
    script_host_allow(f.host, 1);
    g_assert_true(is_readable(f.client, 5000));
    helix_client_set_flushing(f.client, TRUE);
    g_assert_false(is_readable(f.client, 0));
    helix_client_set_flushing(f.client, FALSE);
    g_assert_true(is_readable(f.client, 0));
    helix_client_event_free(helix_client_next_event(f.client));
    g_assert_false(is_readable(f.client, 0));
    fixture_tear_down(&f);
}

/* Events that time alone brings make it readable, too. */
TEST("/events/keepalive", test_keepalive)
{
    Script script = SCRIPT_DEFAULT;
    HelixClientEvent *event;
    Fixture f;

    fixture_set_up(&f, &script);
    helix_client_set_keepalive(f.client, 30);
    fixture_submit(&f, 1, 1000);
    helix_client_event_free(fixture_next(&f));
    g_assert_false(is_readable(f.client, 100)); /* the source is not one that stands still */
    helix_client_set_still_source(f.client, TRUE);
    fixture_submit(&f, 2, 2000);
    helix_client_event_free(fixture_next(&f));
    g_assert_true(is_readable(f.client, 5000));
    event = helix_client_next_event(f.client);
    g_assert_cmpint(event->type, ==, HELIX_CLIENT_EVENT_KEEPALIVE);
    helix_client_event_free(event);
    helix_client_submit_repeat(f.client, 3000, 0, FALSE, NULL);
    event = fixture_expect(&f, HELIX_CLIENT_EVENT_ACCESS_UNIT);
    g_assert_true(event->was_repeat);
    helix_client_event_free(event);
    g_assert_cmpuint(fixture_stats(&f).repeats, ==, 1);
    fixture_tear_down(&f);
}

/* A keyframe is wanted, and no frame comes to make one of. */
TEST("/events/wanted", test_wanted)
{
    Script script = SCRIPT_DEFAULT;
    HelixClientEvent *event;
    Fixture f;

    fixture_set_up(&f, &script);
    fixture_submit(&f, 1, 1000);
    helix_client_event_free(fixture_next(&f));
    helix_client_want_frame(f.client, 20);
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_REPEAT));
    helix_client_submit_repeat(f.client, 2000, 0, TRUE, NULL);
    event = fixture_expect(&f, HELIX_CLIENT_EVENT_ACCESS_UNIT);
    g_assert_true(event->was_forced);
    g_assert_true(event->keyframe);
    helix_client_event_free(event);
    fixture_tear_down(&f);
}

TEST("/events/force-keyframe", test_force_keyframe)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.hold = TRUE;
    script.max_in_flight = 1;
    fixture_set_up(&f, &script);
    fixture_submit(&f, 1, 1000);
    fixture_submit(&f, 2, 2000);
    g_assert_true(helix_client_force_keyframe(f.client)); /* the one that is held */
    script_host_allow(f.host, 2);
    for (guint i = 0; i < 2; i++) {
        helix_client_event_free(fixture_next(&f));
    }
    g_assert_true(script_host_frame(f.host, 1).force_keyframe);
    g_assert_false(helix_client_force_keyframe(f.client)); /* the next */
    fixture_submit(&f, 3, 3000);
    fixture_submit(&f, 4, 4000);
    script_host_allow(f.host, 2);
    for (guint i = 0; i < 2; i++) {
        helix_client_event_free(fixture_next(&f));
    }
    g_assert_true(script_host_frame(f.host, 2).force_keyframe);
    g_assert_false(script_host_frame(f.host, 3).force_keyframe);
    fixture_tear_down(&f);
}

/* ---- a main loop ---- */

typedef struct Loop {
    GMainLoop *loop;
    guint units;
} Loop;

static void on_event(HelixClient *client, HelixClientEvent *event, gpointer data)
{
    Loop *loop = data;

    loop->units += event->type == HELIX_CLIENT_EVENT_ACCESS_UNIT ? 1 : 0;
    helix_client_event_free(event);
    if (loop->units == 3) {
        g_main_loop_quit(loop->loop);
    }
}

static void count_free(gpointer data)
{
    ((Loop *)data)->units += 100;
}

TEST("/events/source", test_source)
{
    GMainContext *context = g_main_context_new();
    Loop loop = { .loop = g_main_loop_new(context, FALSE) };
    Script script = SCRIPT_DEFAULT;
    GSource *source;
    Fixture f;

    fixture_set_up(&f, &script);
    source = helix_client_source_new(f.client, on_event, &loop, count_free);
    g_source_attach(source, context);
    for (guint i = 1; i <= 3; i++) {
        fixture_submit(&f, i, i * 1000);
    }
    g_main_loop_run(loop.loop);
    g_source_destroy(source);
    g_source_unref(source);
    g_assert_cmpuint(loop.units, ==, 103);
    fixture_tear_down(&f);
    g_main_loop_unref(loop.loop);
    g_main_context_unref(context);
}

static void collect(HelixClient *client, HelixClientEvent *event, gpointer data)
{
    g_ptr_array_add(data, event);
}

/* Order is that of submitting, also of frames that are not sent. */
TEST("/events/order", test_order)
{
    static const HelixClientEventType expected[] = {
        HELIX_CLIENT_EVENT_ACCESS_UNIT, HELIX_CLIENT_EVENT_LATE,     HELIX_CLIENT_EVENT_SKIPPED,
        HELIX_CLIENT_EVENT_UNUSED,      HELIX_CLIENT_EVENT_GIVEN_UP,
    };
    g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func((GDestroyNotify)helix_client_event_free);
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.hold = TRUE;
    script.max_in_flight = 1;
    fixture_set_up(&f, &script);
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_CONFIGURED));
    fixture_submit(&f, 1, 1000);
    helix_client_submit_nothing(f.client, HELIX_CLIENT_EVENT_LATE, NULL);
    fixture_submit(&f, 2, 2000); /* held */
    helix_client_submit_nothing(f.client, HELIX_CLIENT_EVENT_UNUSED, NULL);
    helix_client_submit_nothing(f.client, HELIX_CLIENT_EVENT_GIVEN_UP, NULL);
    helix_client_skip_held(f.client);
    g_assert_cmpuint(helix_client_dispatch(f.client, collect, events), ==, 0);
    script_host_allow(f.host, 1);
    while (events->len < G_N_ELEMENTS(expected)) {
        g_assert_true(is_readable(f.client, 5000));
        helix_client_dispatch(f.client, collect, events);
    }
    for (guint i = 0; i < events->len; i++) {
        g_assert_cmpint(((HelixClientEvent *)events->pdata[i])->type, ==, expected[i]);
    }
    g_assert_cmpuint(fixture_stats(&f).dropped, ==, 3);
    g_assert_cmpuint(fixture_stats(&f).late, ==, 1);
    g_ptr_array_set_size(events, 0);
    fixture_tear_down(&f);
}

/* ---- frame_data ---- */

static void count_freed(gpointer data)
{
    g_atomic_int_inc((gint *)data);
}

/* Freed with the event unless stolen; with the client where no event comes. */
TEST("/events/frame-data", test_frame_data)
{
    Script script = SCRIPT_DEFAULT;
    HelixClientEvent *event;
    gint freed = 0;
    Fixture f;

    script.silent_from = 2;
    fixture_make(&f, &script);
    helix_client_set_frame_data_free(f.client, count_freed);
    fixture_connect(&f);
    fixture_wait_negotiated(&f);
    for (guint i = 1; i <= 3; i++) {
        helix_client_submit(f.client, fixture_frame(&f, i, 0, 0), i * 1000, 0, FALSE, &freed);
    }
    event = fixture_next(&f);
    g_assert_true(helix_client_event_steal_frame_data(event) == &freed);
    helix_client_event_free(event);
    g_assert_cmpint(freed, ==, 0);
    helix_client_event_free(fixture_next(&f));
    g_assert_cmpint(freed, ==, 1);
    fixture_tear_down(&f);
    g_assert_cmpint(freed, ==, 2);
}
