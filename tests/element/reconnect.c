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
    /* A fresh connection, negotiated again, and a stream that starts with an IDR. */
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

ELEMENT_TEST("/reconnect/closes", test_closes)
{
    script->close_at = 1;
    fixture_set_up_with(f, script, -1, TRUE, "reconnect", "true", "bitrate", "700", NULL);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    fixture_push(f);
    check_comes_back(f);
    g_assert_cmpuint(fixture_stat(f, "lost"), ==, 1);
    g_assert_cmpuint(fixture_stat(f, "dropped"), ==, 1);
}

ELEMENT_TEST("/reconnect/falls-silent", test_falls_silent)
{
    script->silent_from = 1;
    script->once = TRUE;
    fixture_set_up_with(f, script, SILENT_MS, TRUE, "reconnect", "true", NULL);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    fixture_push(f);
    check_comes_back(f);
}

/* A host that is not there yet when the pipeline starts: what is not live waits for it. */
ELEMENT_TEST("/reconnect/comes-late", test_comes_late)
{
    ScriptHost *host = script_host_new(script);
    g_autofree char *later = g_strconcat(script_host_path(host), "-later", NULL);
    GThread *waiting;

    fixture_set_up_with(f, script, -1, FALSE, "reconnect", "true", "socket-path", later, NULL);
    waiting = fixture_push_in_thread(f);
    gst_message_unref(fixture_message(f, GST_MESSAGE_WARNING));
    g_assert_cmpint(link(script_host_path(host), later), ==, 0);
    wait_back(f);
    g_assert_cmpint(fixture_joined(waiting), ==, GST_FLOW_OK);
    fixture_pull(f, 0, TRUE);
    unlink(later);
    fixture_tear_down(f);
    script_host_free(host);
}

/* Nothing waits for a host that does not come. */
ELEMENT_TEST("/reconnect/stop", test_stop)
{
    GThread *waiting;
    gint64 before;

    fixture_set_up_with(f, script, -1, FALSE, "reconnect", "true", "socket-path", "/nonexistent/socket", NULL);
    gst_message_unref(fixture_message(f, GST_MESSAGE_WARNING));
    waiting = fixture_push_in_thread(f);
    g_usleep(250 * 1000);
    before = g_get_monotonic_time();
    gst_harness_push_event(f->h, gst_event_new_flush_start());
    g_assert_cmpint(fixture_joined(waiting), ==, GST_FLOW_FLUSHING);
    gst_harness_push_event(f->h, gst_event_new_flush_stop(TRUE));
    fixture_no_hang("flushed", before);
    fixture_stop_in_time(f);
}

/* Stopped while the connection comes back: a thread that asks the host then still has a connection. */
ELEMENT_TEST("/reconnect/stop-connecting", test_stop_connecting)
{
    ScriptHost *host = script_host_new(script);
    g_autofree char *later = g_strconcat(script_host_path(host), "-later", NULL);

    fixture_set_up_with(f, script, -1, TRUE, "reconnect", "true", "socket-path", later, NULL);
    gst_message_unref(fixture_message(f, GST_MESSAGE_WARNING));
    fixture_push(f);
    slow_connect(later);
    g_assert_cmpint(link(script_host_path(host), later), ==, 0);
    slow_connect_wait();
    fixture_stop_in_time(f);
    slow_connect(NULL);
    unlink(later);
    fixture_tear_down(f);
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

TEST("/reconnect/still", test_still)
{
    check_still(HELIX_CAP_ALL, FALSE);
    check_still(HELIX_CAP_ALL & ~HELIX_CAP_REPEAT, FALSE);
    check_still(0, TRUE);
}

/* A host that came back and is busy at first is given it once more. */
ELEMENT_TEST("/reconnect/still-busy", test_still_busy)
{
    GstBuffer *buffer;

    script->error_from = script->error_to = 2;
    script->error_code = HELIX_CODE_BUSY;
    lose_second(f, script);
    wait_back(f);
    g_assert_true(script_host_wait_frames(f->host, 4));
    buffer = gst_harness_pull(f->h);
    g_assert_false(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT));
    gst_buffer_unref(buffer);
    g_assert_cmpuint(script_host_frame(f->host, 3).payload_size, ==, script_host_frame(f->host, 1).payload_size);
}

/* What one host failed at is nothing that the next has failed at. */
ELEMENT_TEST("/reconnect/still-vain", test_still_vain)
{
    GstBuffer *buffer;

    script->error_from = 0;
    script->error_to = 12; /* the picture and ten more at the first host, the next closes, one at the second */
    script->error_code = HELIX_CODE_BUSY;
    script->close_at = 11;
    script->once = TRUE;
    fixture_set_up_with(f, script, -1, TRUE, "reconnect", "true", NULL);
    fixture_push(f);
    g_assert_true(script_host_wait_frames(f->host, 11));
    g_usleep(300 * 1000);
    g_assert_cmpuint(script_host_frames(f->host), ==, 11);
    fixture_push(f);
    wait_back(f);
    buffer = gst_harness_pull(f->h);
    g_assert_nonnull(buffer);
    gst_buffer_unref(buffer);
    g_assert_cmpuint(script_host_frames(f->host), ==, 14);
}

/* Nothing that was flushed comes again, and a host that refuses the picture it is given ends nothing. */
ELEMENT_TEST("/reconnect/still-not", test_still_not)
{
    lose_second(f, script);
    gst_harness_push_event(f->h, gst_event_new_flush_start());
    gst_harness_push_event(f->h, gst_event_new_flush_stop(TRUE));
    wait_back(f);
    g_usleep(200 * 1000);
    g_assert_cmpuint(script_host_frames(f->host), ==, 2);
    fixture_tear_down(f);

    script->error_from = script->error_to = 2;
    script->error_code = HELIX_CODE_NOT_READABLE;
    fixture_set_up_with(f, script, -1, TRUE, "reconnect", "true", NULL);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    fixture_push(f);
    gst_message_unref(fixture_message(f, GST_MESSAGE_WARNING)); /* of the connection */
    wait_back(f);
    g_assert_true(script_host_wait_frames(f->host, 3));
    fixture_push(f);
    fixture_pull(f, 2, TRUE);
    g_assert_null(gst_bus_pop_filtered(f->bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR));
}

/* Upstream that asks for its buffers gets the one that is kept for the next host, which is then given nothing. */
ELEMENT_TEST("/reconnect/drain-query", test_drain_query)
{
    g_autofree char *moved = NULL;
    GstQuery *query = gst_query_new_drain();

    script->close_at = 1;
    fixture_set_up_with(f, script, -1, TRUE, "reconnect", "true", NULL);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    moved = g_strconcat(script_host_path(f->host), "-moved", NULL);
    g_assert_cmpint(rename(script_host_path(f->host), moved), ==, 0);
    fixture_push(f);
    gst_message_unref(fixture_message(f, GST_MESSAGE_WARNING));
    gst_pad_peer_query(f->h->srcpad, query);
    gst_query_unref(query);
    g_assert_cmpint(rename(moved, script_host_path(f->host)), ==, 0);
    wait_back(f);
    g_usleep(300 * 1000);
    g_assert_cmpuint(script_host_frames(f->host), ==, 2);
    fixture_push(f);
    fixture_pull(f, 2, TRUE);
}

/* A keyframe asked for before the connection was lost: the next host begins with one. */
ELEMENT_TEST("/reconnect/keyframe-before", test_keyframe_before)
{
    GstBuffer *buffer;

    lose_second(f, script);
    fixture_ask_for_keyframe(f);
    wait_back(f);
    g_assert_true(script_host_wait_frames(f->host, 3));
    buffer = gst_harness_pull(f->h);
    g_assert_nonnull(buffer);
    g_assert_false(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT));
    gst_buffer_unref(buffer);
    g_assert_cmpuint(fixture_stat(f, "dropped"), ==, 1);
}

/* A change that is refused when the next one is under way already: the host that comes back is asked for that one. */
ELEMENT_TEST("/reconnect/refused-before", test_refused_before)
{
    gsize size;

    script->hold = TRUE;
    script->refuse_config_at = 1;
    script->refuse_config_code = HELIX_CODE_INVALID;
    script->close_at = 3;
    fixture_set_up_with(f, script, 0, TRUE, "reconnect", "true", "bitrate", "700", NULL);
    fixture_push(f);
    g_assert_true(script_host_wait_frames(f->host, 1));
    for (guint bitrate = 800; bitrate <= 900; bitrate += 100) {
        g_object_set(f->h->element, "bitrate", bitrate, NULL);
        fixture_push(f);
    }
    script_host_allow(f->host, 3);
    for (guint i = 0; i < 3; i++) {
        fixture_pull(f, i, i == 0);
    }
    gst_message_unref(fixture_message(f, GST_MESSAGE_WARNING)); /* of the change */
    fixture_push(f);
    gst_message_unref(fixture_message(f, GST_MESSAGE_WARNING)); /* of the connection */
    wait_back(f);
    script_host_allow(f->host, 2);
    fixture_push(f);
    pull_after_return(f);
    g_assert_cmpuint(script_host_configs(f->host), ==, 4);
    g_assert_cmpuint(get_u32(script_host_config(f->host, 3, &size) + HELIX_CONFIG_BITRATE), ==, 900000);
}

/* EOS does not wait for a host that is disconnected. */
ELEMENT_TEST("/reconnect/eos", test_eos)
{
    lose_second(f, script);
    g_assert_true(gst_harness_push_event(f->h, gst_event_new_eos()));
    g_assert_true(fixture_wait_event(f, GST_EVENT_EOS));
}

/* What no waiting mends is an error all the same. */
ELEMENT_TEST("/reconnect/wrong-host", test_wrong_host)
{
    script->bad_magic = TRUE;
    fixture_set_up_with(f, script, -1, TRUE, "reconnect", "true", NULL);
    fixture_push(f);
    fixture_error(f, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ, "does not speak the frame protocol");
}

/* A proxy without a host takes each connection and closes it: it is tried less and less often, and no host is said to
 * be there. */
ELEMENT_TEST("/reconnect/flaps", test_flaps)
{
    gint64 before = g_get_monotonic_time(), took;
    GstMessage *message;

    script->flaps = TRUE;
    fixture_set_up_with(f, script, -1, TRUE, "reconnect", "true", NULL);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    g_usleep(1600 * 1000);
    took = g_get_monotonic_time() - before;
    g_test_message("%u connections in %" G_GINT64_FORMAT " ms", script_host_connections(f->host), took / 1000);
    /* After 0, 0.1, 0.3, 0.7, 1.5 s, and then no two within a second. */
    g_assert_cmpint(script_host_connections(f->host), <=, 6 + took / G_USEC_PER_SEC);
    gst_message_unref(fixture_message(f, GST_MESSAGE_WARNING));
    message = gst_bus_pop_filtered(f->bus, GST_MESSAGE_WARNING | GST_MESSAGE_INFO | GST_MESSAGE_ERROR);
    g_assert_null(message);
}
