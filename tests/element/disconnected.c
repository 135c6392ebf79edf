/* SPDX-License-Identifier: GPL-2.0-or-later */
/* disconnected.c - while no host is connected, with reconnect=true: which picture waits for it, and what does not. */
#include <stdio.h>
#include <unistd.h>
#include "../../desktop/client/bytes.h"
#include "fixture.h"

/* A live source goes on without its host; the newest picture waits for one. Afterwards put_back(). */
static char *go_on_without_host(Fixture *f)
{
    Script script = SCRIPT_DEFAULT;
    char *moved;

    script.close_at = 1;
    fixture_set_up_with(f, &script, -1, TRUE, "reconnect", "true", NULL);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    moved = g_strconcat(script_host_path(f->host), "-moved", NULL);
    g_assert_cmpint(rename(script_host_path(f->host), moved), ==, 0);
    fixture_push(f);
    gst_message_unref(fixture_message(f, GST_MESSAGE_WARNING));
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    return moved;
}

static void put_back(Fixture *f, const char *moved)
{
    g_assert_cmpint(rename(moved, script_host_path(f->host)), ==, 0);
}

/* The newest picture is what a host that comes back gets first. */
TEST("/disconnected/newest-waits", test_newest_waits)
{
    g_autofree char *moved = NULL;
    Fixture f;

    moved = go_on_without_host(&f);
    g_assert_cmpint(fixture_push(&f), ==, GST_FLOW_OK);
    g_assert_cmpint(fixture_push(&f), ==, GST_FLOW_OK);
    put_back(&f, moved);
    gst_message_unref(fixture_message(&f, GST_MESSAGE_INFO));
    fixture_pull(&f, 5, TRUE);
    g_assert_cmpuint(fixture_stat(&f, "skipped"), ==, 3);
    g_assert_cmpuint(fixture_stat(&f, "lost"), ==, 1);
    fixture_tear_down(&f);
}

/* EOS does not wait with the picture that waits for the host. */
TEST("/disconnected/eos", test_eos_held)
{
    g_autofree char *moved = NULL;
    gint64 before;
    Fixture f;

    moved = go_on_without_host(&f);
    before = g_get_monotonic_time();
    g_assert_true(gst_harness_push_event(f.h, gst_event_new_eos()));
    g_assert_true(fixture_wait_event(&f, GST_EVENT_EOS));
    fixture_no_hang("EOS while the host is disconnected", before);
    g_assert_cmpuint(fixture_stat(&f, "lost"), ==, 2);
    g_assert_cmpuint(fixture_stat(&f, "skipped"), ==, 1);
    put_back(&f, moved);
    fixture_tear_down(&f);
}

/* EOS first, then the host goes: what waits for room is lost with what was under way. */
ELEMENT_TEST("/disconnected/eos-before", test_eos_before)
{
    g_autofree char *moved = NULL;

    script->silent_from = 0;
    script->max_in_flight = 1;
    fixture_set_up_with(f, script, SILENT_MS, TRUE, "reconnect", "true", NULL);
    fixture_push(f);
    g_assert_true(script_host_wait_frames(f->host, 1));
    fixture_push(f);
    moved = g_strconcat(script_host_path(f->host), "-moved", NULL);
    g_assert_cmpint(rename(script_host_path(f->host), moved), ==, 0);
    g_assert_true(gst_harness_push_event(f->h, gst_event_new_eos()));
    g_assert_true(fixture_wait_event(f, GST_EVENT_EOS));
    g_assert_cmpuint(fixture_stat(f, "lost"), ==, 2);
    put_back(f, moved);
}

/* New caps do not wait for a host that is disconnected: it is asked for them when it is back. */
TEST("/disconnected/caps", test_caps_held)
{
    g_autofree char *moved = NULL;
    gint64 before;
    gsize size;
    Fixture f;

    moved = go_on_without_host(&f);
    before = g_get_monotonic_time();
    gst_harness_set_src_caps_str(f.h, CAPS("BGRx", 32, 32));
    g_assert_cmpint(gst_harness_push(f.h, fixture_picture(&f, 32 * 32 * 4)), ==, GST_FLOW_OK);
    fixture_no_hang("new caps while the host is disconnected", before);
    g_assert_cmpuint(fixture_stat(&f, "lost"), ==, 2);
    put_back(&f, moved);
    gst_message_unref(fixture_message(&f, GST_MESSAGE_INFO));
    fixture_pull(&f, 4, TRUE);
    g_assert_cmpuint(get_u32(script_host_config(f.host, script_host_configs(f.host) - 1, &size) + HELIX_CONFIG_WIDTH),
                     ==, 32);
    fixture_tear_down(&f);
}

/* A host that was never there counts as disconnected: it gets the newest picture first. Afterwards unlink(). */
static ScriptHost *begin_without_host(Fixture *f, char **later)
{
    Script script = SCRIPT_DEFAULT;
    ScriptHost *host = script_host_new(&script);
    gint64 before = g_get_monotonic_time();

    *later = g_strconcat(script_host_path(host), "-later", NULL);
    fixture_set_up_with(f, &script, -1, TRUE, "reconnect", "true", "socket-path", *later, NULL);
    gst_message_unref(fixture_message(f, GST_MESSAGE_WARNING));
    for (guint i = 0; i < 3; i++) {
        g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    }
    fixture_no_hang("three pictures for a host that was never there", before);
    return host;
}

TEST("/disconnected/never-there", test_never_there)
{
    g_autofree char *later = NULL;
    ScriptHost *host;
    Fixture f;

    host = begin_without_host(&f, &later);
    g_assert_cmpint(link(script_host_path(host), later), ==, 0);
    fixture_pull(&f, 2, TRUE);
    fixture_push(&f);
    fixture_pull(&f, 3, FALSE);
    g_assert_cmpuint(fixture_stat(&f, "reconnects"), ==, 0); /* the first connection */
    g_assert_cmpuint(fixture_stat(&f, "skipped"), ==, 2);
    g_assert_cmpuint(fixture_stat(&f, "dropped"), ==, 2);
    unlink(later);
    fixture_tear_down(&f);
    script_host_free(host);
}

TEST("/disconnected/never-there-eos", test_never_there_eos)
{
    g_autofree char *later = NULL;
    ScriptHost *host;
    gint64 before;
    Fixture f;

    host = begin_without_host(&f, &later);
    before = g_get_monotonic_time();
    g_assert_true(gst_harness_push_event(f.h, gst_event_new_eos()));
    g_assert_true(fixture_wait_event(&f, GST_EVENT_EOS));
    fixture_no_hang("EOS without a host", before);
    g_assert_cmpuint(fixture_stat(&f, "lost"), ==, 1);
    g_assert_cmpuint(fixture_stat(&f, "dropped"), ==, 3);
    fixture_stop_in_time(&f);
    fixture_tear_down(&f);
    script_host_free(host);
}

/* Nor does a live source wait long for one that is there and does not agree: EOS could not be sent behind its picture.
 */
ELEMENT_TEST("/disconnected/never-negotiates", test_never_negotiates)
{
    gint64 before;

    script->mute = TRUE;
    fixture_set_up_with(f, script, 0, TRUE, "reconnect", "true", NULL);
    before = g_get_monotonic_time();
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    g_assert_true(gst_harness_push_event(f->h, gst_event_new_eos()));
    fixture_no_hang("two pictures and EOS for a host that is silent from the start", before);
    fixture_stop_in_time(f);
}

/* New caps and EOS do not wait for a host that is silent in the middle, nor for the room that a picture is held for. */
ELEMENT_TEST("/disconnected/silent-caps", test_silent_caps)
{
    gint64 before;

    script->hold = TRUE;
    script->max_in_flight = 1;
    fixture_set_up_with(f, script, 0, TRUE, NULL);
    fixture_push(f);
    g_assert_true(script_host_wait_frames(f->host, 1));
    fixture_push(f);
    before = g_get_monotonic_time();
    gst_harness_set_src_caps_str(f->h, CAPS("BGRx", 32, 32));
    g_assert_cmpint(gst_harness_push(f->h, fixture_picture(f, 32 * 32 * 4)), ==, GST_FLOW_OK);
    g_assert_true(gst_harness_push_event(f->h, gst_event_new_eos()));
    fixture_no_hang("new caps and EOS for a host that is silent", before);
    /* The held picture was skipped, and is dropped in its place. */
    script_host_allow(f->host, 2);
    fixture_pull(f, 0, TRUE);
    fixture_pull(f, 2, FALSE);
    g_assert_true(fixture_wait_event(f, GST_EVENT_EOS));
    gst_message_unref(fixture_message(f, GST_MESSAGE_QOS));
    g_assert_cmpuint(fixture_stat(f, "skipped"), ==, 1);
    fixture_stop_in_time(f);
}

/* After an error the task that takes answers waits on: EOS is still to be sent by it. */
ELEMENT_TEST("/disconnected/eos-after-error", test_eos_after_error)
{
    g_autoptr(GstPad) pad = NULL;

    script->close_at = 1;
    fixture_set_up_with(f, script, -1, TRUE, NULL);
    pad = gst_element_get_static_pad(f->h->element, "src");
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    fixture_push(f);
    gst_message_unref(fixture_message(f, GST_MESSAGE_ERROR));
    fixture_ask_for_keyframe(f);
    g_usleep(200 * 1000);
    g_assert_cmpint(gst_pad_get_task_state(pad), ==, GST_TASK_STARTED);
    g_assert_cmpuint(fixture_stat(f, "repeats"), ==, 0); /* of whom? */
    g_assert_true(gst_harness_push_event(f->h, gst_event_new_eos()));
    g_assert_true(fixture_wait_event(f, GST_EVENT_EOS));
    fixture_stop_in_time(f);
}

/* The first picture waits that long, and then goes as what a host of this version reads. */
ELEMENT_TEST("/disconnected/negotiates-late", test_negotiates_late)
{
    script->config_delay_ms = 1300;
    fixture_set_up_with(f, script, -1, TRUE, NULL);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    g_assert_cmpuint(script_host_frames(f->host), ==, 0);
    fixture_pull(f, 0, TRUE);
    g_assert_cmpuint(fixture_stat(f, "dropped"), ==, 0);
}
