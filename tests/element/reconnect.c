/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reconnect.c - hosts that go away and come back, or come late, with reconnect=true. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../../desktop/client/bytes.h"
#include "fixture.h"
#include "sockets.h"

static void wait_back(Fixture *f)
{
    gst_message_unref(fixture_message(f, GST_MESSAGE_INFO));
}

/* The picture pushed last, of a host that is back: its stream starts with an IDR. Where the push came late, that is the
 * picture before it, given to the new host by the element itself. */
static void pull_after_return(Fixture *f)
{
    GstBuffer *buffer = gst_harness_pull(f->h);

    g_assert_nonnull(buffer);
    g_assert_false(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT));
    if (GST_BUFFER_PTS(buffer) != (f->n - 1) * GST_SECOND / 30) {
        gst_buffer_unref(buffer);
        buffer = gst_harness_pull(f->h);
        g_assert_nonnull(buffer);
    }
    gst_buffer_unref(buffer);
}

static void check_comes_back(Fixture *f)
{
    GstMessage *message = fixture_message(f, GST_MESSAGE_WARNING);
    GError *error = NULL;

    gst_message_parse_warning(message, &error, NULL);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, "reconnect=true"));
    g_error_free(error);
    gst_message_unref(message);
    wait_back(f);
    /* A fresh connection, a fresh agreement, and a stream that starts with an IDR. */
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    pull_after_return(f);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    fixture_pull(f, f->n - 1, FALSE);
    g_assert_cmpuint(script_host_connections(f->host), ==, 2);
    g_assert_cmpuint(fixture_stat(f, "reconnects"), ==, 1);
    g_assert_null(gst_bus_pop_filtered(f->bus, GST_MESSAGE_ERROR));
}

/* One picture comes out; with the next one the host goes away, to come back. */
static void lose_second(Fixture *f, Script *script)
{
    script->close_at = 1;
    fixture_set_up_with(f, script, -1, TRUE, "reconnect", "true", NULL);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    fixture_push(f);
}

static void test_closes(void)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.close_at = 1;
    fixture_set_up_with(&f, &script, -1, TRUE, "reconnect", "true", "bitrate", "700", NULL);
    fixture_push(&f);
    fixture_pull(&f, 0, TRUE);
    fixture_push(&f);
    check_comes_back(&f);
    g_assert_cmpuint(fixture_stat(&f, "lost"), ==, 1);
    g_assert_cmpuint(fixture_stat(&f, "dropped"), ==, 1);
    fixture_tear_down(&f);
}

static void test_falls_silent(void)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.silent_from = 1;
    script.once = TRUE;
    fixture_set_up_with(&f, &script, SILENT_MS, TRUE, "reconnect", "true", NULL);
    fixture_push(&f);
    fixture_pull(&f, 0, TRUE);
    fixture_push(&f);
    check_comes_back(&f);
    fixture_tear_down(&f);
}

/* A host that is not there yet when the pipeline starts: what is not live waits for it. */
static void test_comes_late(void)
{
    Script script = SCRIPT_DEFAULT;
    ScriptHost *host = script_host_new(&script);
    g_autofree char *later = g_strconcat(script_host_path(host), "-later", NULL);
    GThread *waiting;
    Fixture f;

    fixture_set_up_with(&f, &script, -1, FALSE, "reconnect", "true", "socket-path", later, NULL);
    waiting = fixture_push_in_thread(&f);
    gst_message_unref(fixture_message(&f, GST_MESSAGE_WARNING));
    g_assert_cmpint(link(script_host_path(host), later), ==, 0);
    wait_back(&f);
    g_assert_cmpint(fixture_joined(waiting), ==, GST_FLOW_OK);
    fixture_pull(&f, 0, TRUE);
    unlink(later);
    fixture_tear_down(&f);
    script_host_free(host);
}

/* Nothing waits for a host that does not come. */
static void test_stop(void)
{
    Script script = SCRIPT_DEFAULT;
    GThread *waiting;
    gint64 before;
    Fixture f;

    fixture_set_up_with(&f, &script, -1, FALSE, "reconnect", "true", "socket-path", "/nonexistent/socket", NULL);
    gst_message_unref(fixture_message(&f, GST_MESSAGE_WARNING));
    waiting = fixture_push_in_thread(&f);
    g_usleep(250 * 1000);
    before = g_get_monotonic_time();
    gst_harness_push_event(f.h, gst_event_new_flush_start());
    g_assert_cmpint(fixture_joined(waiting), ==, GST_FLOW_FLUSHING);
    gst_harness_push_event(f.h, gst_event_new_flush_stop(TRUE));
    fixture_no_hang("flushed", before);
    fixture_stop_in_time(&f);
    fixture_tear_down(&f);
}

/* Stopped while the connection comes back: a thread that asks the host then still has a connection. */
static void test_stop_connecting(void)
{
    Script script = SCRIPT_DEFAULT;
    ScriptHost *host = script_host_new(&script);
    g_autofree char *later = g_strconcat(script_host_path(host), "-later", NULL);
    Fixture f;

    fixture_set_up_with(&f, &script, -1, TRUE, "reconnect", "true", "socket-path", later, NULL);
    gst_message_unref(fixture_message(&f, GST_MESSAGE_WARNING));
    fixture_push(&f);
    slow_connect(later);
    g_assert_cmpint(link(script_host_path(host), later), ==, 0);
    slow_connect_wait();
    fixture_stop_in_time(&f);
    slow_connect(NULL);
    unlink(later);
    fixture_tear_down(&f);
    script_host_free(host);
}

/* The picture that a host took along is the first of the next host, though upstream gives none: its screen stands
 * still. */
static void check_still(guint32 capabilities, gboolean frozen_only)
{
    Script script = SCRIPT_DEFAULT;
    ScriptFrame frame;
    GstBuffer *buffer;
    gint64 before;
    Fixture f;

    script.capabilities = capabilities;
    script.frozen_only = frozen_only;
    lose_second(&f, &script);
    wait_back(&f);
    before = g_get_monotonic_time();
    buffer = gst_harness_pull(f.h);
    fixture_no_hang("IDR of a still screen after a reconnect", before);
    g_assert_nonnull(buffer);
    g_assert_false(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT));
    g_assert_cmpuint(GST_BUFFER_PTS(buffer), >, GST_SECOND / 30);
    gst_buffer_unref(buffer);
    frame = script_host_frame(f.host, 2);
    g_assert_cmphex(frame.flags & HELIX_REQUEST_REPEAT, ==, 0);
    g_assert_cmpuint(frame.payload_size, ==, script_host_frame(f.host, 1).payload_size);
    g_assert_cmpuint(fixture_stat(&f, "lost"), ==, 1);
    /* Once, and from then on the host has one to repeat. */
    g_usleep(200 * 1000);
    g_assert_cmpuint(script_host_frames(f.host), ==, 3);
    if (capabilities & HELIX_CAP_REPEAT) {
        fixture_ask_for_keyframe(&f);
        g_assert_true(script_host_wait_frames(f.host, 4));
        g_assert_cmphex(script_host_frame(f.host, 3).flags & HELIX_REQUEST_REPEAT, !=, 0);
    }
    fixture_tear_down(&f);
}

static void test_still(void)
{
    check_still(HELIX_CAP_ALL, FALSE);
    check_still(HELIX_CAP_ALL & ~HELIX_CAP_REPEAT, FALSE);
    check_still(0, TRUE);
}

/* A host that came back and is busy at first is given it once more. */
static void test_still_busy(void)
{
    Script script = SCRIPT_DEFAULT;
    GstBuffer *buffer;
    Fixture f;

    script.error_from = script.error_to = 2;
    script.error_code = HELIX_CODE_BUSY;
    lose_second(&f, &script);
    wait_back(&f);
    g_assert_true(script_host_wait_frames(f.host, 4));
    buffer = gst_harness_pull(f.h);
    g_assert_false(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT));
    gst_buffer_unref(buffer);
    g_assert_cmpuint(script_host_frame(f.host, 3).payload_size, ==, script_host_frame(f.host, 1).payload_size);
    fixture_tear_down(&f);
}

/* What one host failed at is nothing that the next has failed at. */
static void test_still_vain(void)
{
    Script script = SCRIPT_DEFAULT;
    GstBuffer *buffer;
    Fixture f;

    script.error_from = 0;
    script.error_to = 12; /* the picture and ten more at the first host, the next closes, one at the second */
    script.error_code = HELIX_CODE_BUSY;
    script.close_at = 11;
    script.once = TRUE;
    fixture_set_up_with(&f, &script, -1, TRUE, "reconnect", "true", NULL);
    fixture_push(&f);
    g_assert_true(script_host_wait_frames(f.host, 11));
    g_usleep(300 * 1000);
    g_assert_cmpuint(script_host_frames(f.host), ==, 11);
    fixture_push(&f);
    wait_back(&f);
    buffer = gst_harness_pull(f.h);
    g_assert_nonnull(buffer);
    gst_buffer_unref(buffer);
    g_assert_cmpuint(script_host_frames(f.host), ==, 14);
    fixture_tear_down(&f);
}

/* Nothing that was flushed comes again, and a host that refuses the picture it is given ends nothing. */
static void test_still_not(void)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    lose_second(&f, &script);
    gst_harness_push_event(f.h, gst_event_new_flush_start());
    gst_harness_push_event(f.h, gst_event_new_flush_stop(TRUE));
    wait_back(&f);
    g_usleep(200 * 1000);
    g_assert_cmpuint(script_host_frames(f.host), ==, 2);
    fixture_tear_down(&f);

    script.error_from = script.error_to = 2;
    script.error_code = HELIX_CODE_NOT_READABLE;
    fixture_set_up_with(&f, &script, -1, TRUE, "reconnect", "true", NULL);
    fixture_push(&f);
    fixture_pull(&f, 0, TRUE);
    fixture_push(&f);
    gst_message_unref(fixture_message(&f, GST_MESSAGE_WARNING)); /* of the connection */
    wait_back(&f);
    g_assert_true(script_host_wait_frames(f.host, 3));
    fixture_push(&f);
    fixture_pull(&f, 2, TRUE);
    g_assert_null(gst_bus_pop_filtered(f.bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR));
    fixture_tear_down(&f);
}

/* Upstream that asks for its buffers gets the one that is kept for the next host, which is then given nothing. */
static void test_drain_query(void)
{
    Script script = SCRIPT_DEFAULT;
    g_autofree char *moved = NULL;
    GstQuery *query = gst_query_new_drain();
    Fixture f;

    script.close_at = 1;
    fixture_set_up_with(&f, &script, -1, TRUE, "reconnect", "true", NULL);
    fixture_push(&f);
    fixture_pull(&f, 0, TRUE);
    moved = g_strconcat(script_host_path(f.host), "-moved", NULL);
    g_assert_cmpint(rename(script_host_path(f.host), moved), ==, 0);
    fixture_push(&f);
    gst_message_unref(fixture_message(&f, GST_MESSAGE_WARNING));
    gst_pad_peer_query(f.h->srcpad, query);
    gst_query_unref(query);
    g_assert_cmpint(rename(moved, script_host_path(f.host)), ==, 0);
    wait_back(&f);
    g_usleep(300 * 1000);
    g_assert_cmpuint(script_host_frames(f.host), ==, 2);
    fixture_push(&f);
    fixture_pull(&f, 2, TRUE);
    fixture_tear_down(&f);
}

/* A keyframe asked for before the connection was lost: the next host begins with one. */
static void test_keyframe_before(void)
{
    Script script = SCRIPT_DEFAULT;
    GstBuffer *buffer;
    Fixture f;

    lose_second(&f, &script);
    fixture_ask_for_keyframe(&f);
    wait_back(&f);
    g_assert_true(script_host_wait_frames(f.host, 3));
    buffer = gst_harness_pull(f.h);
    g_assert_nonnull(buffer);
    g_assert_false(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT));
    gst_buffer_unref(buffer);
    g_assert_cmpuint(fixture_stat(&f, "dropped"), ==, 1);
    fixture_tear_down(&f);
}

/* A change that is refused when the next one is under way already: the host that comes back is asked for that one. */
static void test_refused_before(void)
{
    Script script = SCRIPT_DEFAULT;
    gsize size;
    Fixture f;

    script.hold = TRUE;
    script.refuse_config_at = 1;
    script.refuse_config_code = HELIX_CODE_INVALID;
    script.close_at = 3;
    fixture_set_up_with(&f, &script, 0, TRUE, "reconnect", "true", "bitrate", "700", NULL);
    fixture_push(&f);
    g_assert_true(script_host_wait_frames(f.host, 1));
    for (guint bitrate = 800; bitrate <= 900; bitrate += 100) {
        g_object_set(f.h->element, "bitrate", bitrate, NULL);
        fixture_push(&f);
    }
    script_host_allow(f.host, 3);
    for (guint i = 0; i < 3; i++) {
        fixture_pull(&f, i, i == 0);
    }
    gst_message_unref(fixture_message(&f, GST_MESSAGE_WARNING)); /* of the change */
    fixture_push(&f);
    gst_message_unref(fixture_message(&f, GST_MESSAGE_WARNING)); /* of the connection */
    wait_back(&f);
    script_host_allow(f.host, 2);
    fixture_push(&f);
    pull_after_return(&f);
    g_assert_cmpuint(script_host_configs(f.host), ==, 4);
    g_assert_cmpuint(get_u32(script_host_config(f.host, 3, &size) + HELIX_CONFIG_BITRATE), ==, 900000);
    fixture_tear_down(&f);
}

/* EOS does not wait for a host that is away. */
static void test_eos(void)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    lose_second(&f, &script);
    g_assert_true(gst_harness_push_event(f.h, gst_event_new_eos()));
    g_assert_true(fixture_wait_event(&f, GST_EVENT_EOS));
    fixture_tear_down(&f);
}

/* What no waiting mends is an error all the same. */
static void test_wrong_host(void)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.bad_magic = TRUE;
    fixture_set_up_with(&f, &script, -1, TRUE, "reconnect", "true", NULL);
    fixture_push(&f);
    fixture_error(&f, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ, "does not speak the frame protocol");
    fixture_tear_down(&f);
}

/* A proxy without a host takes each connection and closes it: it is tried less and less often, and no host is said to
 * be there. */
static void test_flaps(void)
{
    gint64 before = g_get_monotonic_time(), took;
    Script script = SCRIPT_DEFAULT;
    GstMessage *message;
    Fixture f;

    script.flaps = TRUE;
    fixture_set_up_with(&f, &script, -1, TRUE, "reconnect", "true", NULL);
    g_assert_cmpint(fixture_push(&f), ==, GST_FLOW_OK);
    g_usleep(1600 * 1000);
    took = g_get_monotonic_time() - before;
    g_test_message("%u connections in %" G_GINT64_FORMAT " ms", script_host_connections(f.host), took / 1000);
    /* After 0, 0.1, 0.3, 0.7, 1.5 s, and then no two within a second. */
    g_assert_cmpint(script_host_connections(f.host), <=, 6 + took / G_USEC_PER_SEC);
    gst_message_unref(fixture_message(&f, GST_MESSAGE_WARNING));
    message = gst_bus_pop_filtered(f.bus, GST_MESSAGE_WARNING | GST_MESSAGE_INFO | GST_MESSAGE_ERROR);
    g_assert_null(message);
    fixture_tear_down(&f);
}

void add_reconnect_tests(void)
{
    g_test_add_func("/reconnect/flaps", test_flaps);
    g_test_add_func("/reconnect/closes", test_closes);
    g_test_add_func("/reconnect/falls-silent", test_falls_silent);
    g_test_add_func("/reconnect/comes-late", test_comes_late);
    g_test_add_func("/reconnect/stop", test_stop);
    g_test_add_func("/reconnect/stop-connecting", test_stop_connecting);
    g_test_add_func("/reconnect/still", test_still);
    g_test_add_func("/reconnect/still-busy", test_still_busy);
    g_test_add_func("/reconnect/still-vain", test_still_vain);
    g_test_add_func("/reconnect/still-not", test_still_not);
    g_test_add_func("/reconnect/drain-query", test_drain_query);
    g_test_add_func("/reconnect/keyframe-before", test_keyframe_before);
    g_test_add_func("/reconnect/refused-before", test_refused_before);
    g_test_add_func("/reconnect/eos", test_eos);
    g_test_add_func("/reconnect/wrong-host", test_wrong_host);
}
