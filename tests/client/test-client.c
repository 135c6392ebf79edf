/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-client.c - frames by resource id: what the host is told, when their memory is let go, write fences. */
#include <fcntl.h>
#include <unistd.h>
#include "fixture.h"

TEST("/client/request", test_request)
{
    Script script = SCRIPT_DEFAULT;
    HelixClientEvent *event;
    ScriptFrame frame;
    Fixture f;

    fixture_set_up(&f, &script);
    fixture_submit(&f, 77, 1000);
    event = fixture_next(&f);
    g_assert_cmpint(event->type, ==, HELIX_CLIENT_EVENT_ACCESS_UNIT);
    g_assert_cmpuint(GPOINTER_TO_UINT(event->frame_data), ==, 77);
    g_assert_cmpuint(event->pts, ==, 1000);
    g_assert_cmpuint(event->width, ==, 60);
    g_assert_true(event->keyframe);
    g_assert_cmpuint(g_bytes_get_size(event->unit), >, 4);
    helix_client_event_free(event);
    frame = script_host_frame(f.host, 0);
    g_assert_cmphex(frame.flags, ==, HELIX_REQUEST_EXT | HELIX_REQUEST_RELEASE | HELIX_REQUEST_TIMING);
    g_assert_cmpuint(frame.payload_size, ==, HELIX_REQUEST_SIZE + HELIX_EXT_SIZE);
    g_assert_cmpuint(frame.resource_id, ==, 77);
    g_assert_cmpuint(frame.width, ==, 60);
    g_assert_cmpuint(frame.crop_x, ==, 3);
    g_assert_cmpuint(frame.crop_y, ==, 2);
    g_assert_cmpuint(frame.res_width, ==, 64);
    g_assert_cmpuint(frame.res_height, ==, 48);
    g_assert_cmpuint(fixture_stats(&f).cpu_bytes, ==, 0);
    g_assert_cmpuint(fixture_stats(&f).frames, ==, 1);
    g_assert_cmpuint(fixture_stats(&f).paths[HELIX_CLIENT_PATH_DMABUF], ==, 1);
    fixture_tear_down(&f);
}

/* A host that negotiated nothing gets the 44 frozen bytes. */
TEST("/client/frozen-request", test_frozen_request)
{
    Script script = SCRIPT_DEFAULT;
    HelixClientHost said;
    ScriptFrame frame;
    Fixture f;

    script.frozen_only = TRUE;
    fixture_set_up(&f, &script);
    g_assert_true(helix_client_get_host(f.client, &said));
    g_assert_cmphex(said.capabilities, ==, 0);
    helix_client_submit(f.client, fixture_frame(&f, 5, 0, 0), 1000, 0, FALSE, NULL);
    helix_client_event_free(fixture_next(&f));
    frame = script_host_frame(f.host, 0);
    g_assert_cmphex(frame.flags, ==, 0);
    g_assert_cmpuint(frame.payload_size, ==, HELIX_REQUEST_SIZE);
    /* The answer implies the release. */
    fixture_wait_released(&f, 1);
    /* A crop cannot be said in them: rather no picture than a wrong one. */
    fixture_submit(&f, 6, 2000);
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_SKIPPED));
    fixture_wait_released(&f, 2);
    g_assert_cmpuint(script_host_frames(f.host), ==, 1);
    g_assert_cmpuint(fixture_stats(&f).skipped, ==, 1);
    fixture_tear_down(&f);
}

TEST("/client/released-before-answer", test_released_before_answer)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.hold = TRUE;
    fixture_set_up(&f, &script);
    fixture_submit(&f, 7, 1000);
    fixture_wait_released(&f, 1);
    script_host_allow(f.host, 1);
    helix_client_event_free(fixture_next(&f));
    fixture_tear_down(&f);
}

TEST("/client/held-until-answer", test_held_until_answer)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.hold = TRUE;
    script.capabilities &= ~HELIX_CAP_RELEASE;
    fixture_set_up(&f, &script);
    fixture_submit(&f, 7, 1000);
    g_assert_true(script_host_wait_frames(f.host, 1));
    g_usleep(50 * 1000);
    g_assert_cmpint(g_atomic_int_get(&f.released), ==, 0);
    script_host_allow(f.host, 1);
    helix_client_event_free(fixture_next(&f));
    fixture_wait_released(&f, 1);
    fixture_tear_down(&f);
}

static gpointer take_ten(gpointer data)
{
    for (guint i = 0; i < 10; i++) {
        HelixClientEvent *event = fixture_next(data);

        g_assert_cmpint(event->type, ==, HELIX_CLIENT_EVENT_ACCESS_UNIT);
        helix_client_event_free(event);
    }
    return NULL;
}

/* PipeWire may give a pool of two buffers: with slow answers, both go back at once, and the stream goes on. */
TEST("/client/pool-of-two", test_pool_of_two)
{
    Script script = SCRIPT_DEFAULT;
    GThread *taker;
    Fixture f;

    script.delay_ms = 20;
    fixture_set_up(&f, &script);
    taker = g_thread_new("take", take_ten, &f);
    for (gint i = 0; i < 10; i++) {
        /* The program has a buffer to draw into as soon as one of its two is back. */
        for (guint j = 0; j < 6000 && g_atomic_int_get(&f.released) < i - 1; j++) {
            g_usleep(10 * 1000);
        }
        /* Events that the other thread has not taken yet keep their places, and one submitted meanwhile may be
         * skipped. */
        fixture_wait_negotiated(&f);
        fixture_submit(&f, 7 + (guint)i % 2, (guint64)(i + 1) * 1000);
    }
    fixture_wait_released(&f, 10);
    g_thread_join(taker);
    fixture_tear_down(&f);
}

/* The end of the connection implies the release too. */
TEST("/client/released-at-end", test_released_at_end)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.silent_from = 0;
    script.capabilities &= ~HELIX_CAP_RELEASE;
    fixture_set_up(&f, &script);
    fixture_submit(&f, 7, 1000);
    g_assert_true(script_host_wait_frames(f.host, 1));
    helix_client_close(f.client);
    g_assert_cmpint(g_atomic_int_get(&f.released), ==, 1);
    fixture_tear_down(&f);
}

/* ---- fences ---- */

/* The host hears of a frame when it is drawn, and of those behind it after that. */
TEST("/client/fence", test_fence)
{
    Script script = SCRIPT_DEFAULT;
    HelixClientFrame *frame;
    int fence[2];
    Fixture f;

    g_assert_cmpint(pipe2(fence, O_CLOEXEC), ==, 0);
    fixture_set_up(&f, &script);
    frame = fixture_frame(&f, 1, 0, 0);
    helix_client_frame_set_fence(frame, fence[0]);
    helix_client_submit(f.client, frame, 1000, 0, FALSE, GUINT_TO_POINTER(1));
    fixture_submit(&f, 2, 2000);
    g_usleep(100 * 1000);
    g_assert_cmpuint(script_host_frames(f.host), ==, 0);
    g_assert_cmpint(write(fence[1], "x", 1), ==, 1);
    for (guint id = 1; id <= 2; id++) {
        HelixClientEvent *event = fixture_next(&f);

        g_assert_cmpuint(GPOINTER_TO_UINT(event->frame_data), ==, id);
        helix_client_event_free(event);
    }
    fixture_tear_down(&f);
    close(fence[0]);
    close(fence[1]);
}

static void count_message(GLogLevelFlags level, const char *message, gpointer data)
{
    if (level <= G_LOG_LEVEL_MESSAGE) {
        g_test_message("%s", message);
        g_atomic_int_inc((gint *)data);
    }
}

/* A GPU that hangs holds up nothing without end, and closing not at all. */
TEST("/client/fence-never-signalled", test_fence_never_signalled)
{
    Script script = SCRIPT_DEFAULT;
    gint messages = 0;
    int fence[2];
    Fixture f;

    g_assert_cmpint(pipe2(fence, O_CLOEXEC), ==, 0);
    fixture_make(&f, &script);
    helix_client_set_log_func(f.client, count_message, &messages);
    fixture_connect(&f);
    fixture_wait_negotiated(&f);
    for (guint id = 1; id <= 2; id++) {
        HelixClientFrame *frame = fixture_frame(&f, id, 0, 0);

        helix_client_frame_set_fence(frame, fence[0]);
        helix_client_submit(f.client, frame, id * 1000, 0, FALSE, NULL);
        if (id == 1) {
            g_assert_true(script_host_wait_frames(f.host, 1));
            helix_client_event_free(fixture_next(&f));
            g_assert_cmpint(g_atomic_int_get(&messages), ==, 1);
        }
    }
    fixture_tear_down(&f);
    g_assert_cmpint(f.released, ==, 2);
    close(fence[0]);
    close(fence[1]);
}

/* ---- waiting and ending ---- */

/* A wait with a limit ends at it, and what was waited for comes all the same. */
TEST("/client/drain-late", test_drain_late)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.hold = TRUE;
    fixture_set_up(&f, &script);
    fixture_submit(&f, 7, 1000);
    g_assert_cmpint(helix_client_drain(f.client, 50), ==, HELIX_CLIENT_WAIT_TIMEOUT);
    script_host_allow(f.host, 1);
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    g_assert_cmpint(helix_client_drain(f.client, 50), ==, HELIX_CLIENT_WAIT_READY);
    helix_client_drain_async(f.client);
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_DRAINED));
    fixture_tear_down(&f);
}

/* Once the client is shut down, the end of a flush lets nothing wait again. */
TEST("/client/shutdown", test_shutdown)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.silent_from = 0;
    script.max_in_flight = 1;
    fixture_set_up(&f, &script);
    fixture_submit(&f, 7, 1000);
    helix_client_shutdown(f.client);
    helix_client_set_flushing(f.client, TRUE);
    helix_client_set_flushing(f.client, FALSE);
    g_assert_cmpint(helix_client_wait_room(f.client, FALSE), ==, HELIX_CLIENT_WAIT_FLUSHING);
    g_assert_cmpint(helix_client_drain(f.client, 0), ==, HELIX_CLIENT_WAIT_FLUSHING);
    g_assert_null(helix_client_wait_event(f.client));
    g_assert_null(helix_client_next_event(f.client));
    fixture_tear_down(&f);
}

/* What was submitted before a flush brings no event; what comes after does. */
TEST("/client/discard", test_discard)
{
    Script script = SCRIPT_DEFAULT;
    HelixClientEvent *event;
    Fixture f;

    script.hold = TRUE;
    fixture_set_up(&f, &script);
    fixture_submit(&f, 1, 1000);
    fixture_submit(&f, 2, 2000);
    helix_client_set_flushing(f.client, TRUE);
    helix_client_discard(f.client);
    helix_client_set_flushing(f.client, FALSE);
    fixture_submit(&f, 3, 3000);
    script_host_allow(f.host, 3);
    event = fixture_next(&f);
    g_assert_cmpuint(GPOINTER_TO_UINT(event->frame_data), ==, 3);
    helix_client_event_free(event);
    fixture_tear_down(&f);
}
