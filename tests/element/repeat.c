/* SPDX-License-Identifier: GPL-2.0-or-later */
/* repeat.c - a screen that stands still: keyframes of the host's last picture, and the first picture once more. */
#include "fixture.h"

static void set_up_still(Fixture *f, const Script *script)
{
    fixture_set_up_with(f, script, -1, TRUE, NULL);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
}

ELEMENT_TEST("/repeat/still", test_still)
{
    GstClockTime pts;
    GstBuffer *buffer;
    ScriptFrame frame;
    gint64 before;

    set_up_still(f, script);
    g_assert_cmpuint(fixture_key_unit_events(f), ==, 0);
    gst_harness_set_time(f->h, 200 * GST_MSECOND);
    before = g_get_monotonic_time();
    fixture_ask_for_keyframe(f);
    buffer = gst_harness_pull(f->h);
    fixture_no_hang("keyframe of a still screen", before);
    g_assert_nonnull(buffer);
    g_assert_false(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT));
    pts = GST_BUFFER_PTS(buffer);
    g_assert_cmpuint(pts, >, 0);
    gst_buffer_unref(buffer);
    g_assert_cmpuint(fixture_key_unit_events(f), ==, 1);
    frame = script_host_frame(f->host, 1);
    g_assert_cmphex(frame.flags & ~HELIX_REQUEST_TIMING, ==, HELIX_REQUEST_REPEAT);
    g_assert_cmpuint(frame.payload_size, ==, HELIX_REQUEST_SIZE);
    g_assert_cmpuint(frame.resource_id, ==, 0);
    g_assert_true(frame.force_keyframe);
    g_assert_cmpuint(fixture_stat(f, "repeats"), ==, 1);
    /* Drawn before the repeat and given after it: time does not go back, of however many. */
    f->n = 0;
    for (guint i = 0; i < 3; i++) {
        fixture_push(f);
        buffer = gst_harness_pull(f->h);
        g_assert_cmpuint(GST_BUFFER_PTS(buffer), >, pts);
        g_assert_true(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT));
        pts = GST_BUFFER_PTS(buffer);
        gst_buffer_unref(buffer);
    }
}

/* The time of a repeat is nothing to a segment that begins after it. */
ELEMENT_TEST("/repeat/segment", test_segment)
{
    GstSegment segment;

    set_up_still(f, script);
    gst_harness_set_time(f->h, 5 * GST_SECOND);
    fixture_ask_for_keyframe(f);
    gst_buffer_unref(gst_harness_pull(f->h));
    gst_segment_init(&segment, GST_FORMAT_TIME);
    g_assert_true(gst_harness_push_event(f->h, gst_event_new_segment(&segment)));
    for (f->n = 1; f->n < 4;) {
        fixture_push(f);
        fixture_pull(f, f->n - 1, FALSE);
    }
}

/* The element waits 100 ms for the next picture: did it come sooner? Else the machine is too busy now, and the test
 * begins anew. */
static gboolean came_soon(Fixture *f, gint64 since)
{
    if (g_get_monotonic_time() - since < 50 * G_TIME_SPAN_MILLISECOND) {
        return TRUE;
    }
    fixture_tear_down(f);
    g_test_message("too busy: once more");
    return FALSE;
}

/* Where a picture comes soon, it is the keyframe. */
ELEMENT_TEST("/repeat/moving", test_moving)
{
    gint64 before;

    do {
        set_up_still(f, script);
        before = g_get_monotonic_time();
        fixture_ask_for_keyframe(f);
        fixture_push(f);
    } while (!came_soon(f, before));
    fixture_pull(f, 1, TRUE);
    g_usleep(200 * 1000);
    fixture_push(f);
    fixture_pull(f, 2, FALSE);
    g_assert_cmpuint(fixture_stat(f, "repeats"), ==, 0);
    g_assert_cmpuint(fixture_stat(f, "frames"), ==, 3);
}

/* A picture that waits for a busy host is newer than what could be repeated: it is the keyframe, and not lost. */
ELEMENT_TEST("/repeat/waiting", test_waiting)
{
    script->hold = TRUE;
    script->max_in_flight = 1;
    fixture_set_up_with(f, script, 0, TRUE, NULL);
    fixture_push(f);
    g_assert_true(script_host_wait_frames(f->host, 1));
    fixture_push(f);
    fixture_ask_for_keyframe(f);
    g_usleep(500 * 1000); /* 100 ms, on a machine with nothing else to do */
    script_host_allow(f->host, 2);
    fixture_pull(f, 0, TRUE);
    fixture_pull(f, 1, TRUE);
    g_assert_cmpuint(fixture_key_unit_events(f), ==, 1);
    g_assert_cmpuint(fixture_stat(f, "repeats"), ==, 0);
    g_assert_cmpuint(fixture_stat(f, "dropped"), ==, 0);
    script_host_allow(f->host, 1);
    fixture_push(f);
    fixture_pull(f, 2, FALSE);
}

/* Hosts that cannot repeat, or have nothing to: the next picture is the keyframe. */
ELEMENT_TEST("/repeat/cannot", test_cannot)
{
    script->capabilities &= ~HELIX_CAP_REPEAT;
    set_up_still(f, script);
    fixture_ask_for_keyframe(f);
    g_usleep(200 * 1000);
    g_assert_cmpuint(script_host_frames(f->host), ==, 1);
    fixture_push(f);
    fixture_pull(f, 1, TRUE);
    fixture_tear_down(f);

    *script = (Script)SCRIPT_DEFAULT;
    script->error_from = script->error_to = 1;
    script->error_code = HELIX_CODE_NOT_FOUND;
    set_up_still(f, script);
    fixture_ask_for_keyframe(f);
    g_assert_true(script_host_wait_frames(f->host, 2));
    g_assert_cmphex(script_host_frame(f->host, 1).flags & HELIX_REQUEST_REPEAT, !=, 0);
    gst_message_unref(fixture_message(f, GST_MESSAGE_QOS));
    g_usleep(200 * 1000);
    g_assert_cmpuint(script_host_frames(f->host), ==, 2); /* not asked again and again */
    fixture_push(f);
    fixture_pull(f, 1, TRUE);
    g_assert_null(gst_bus_pop_filtered(f->bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR));
}

/* A keyframe whose picture the host refused, and no other picture comes. */
ELEMENT_TEST("/repeat/after-error", test_after_error)
{
    GstBuffer *buffer;

    script->error_from = script->error_to = 1;
    script->error_code = HELIX_CODE_ENCODE;
    set_up_still(f, script);
    fixture_ask_for_keyframe(f);
    fixture_push(f);
    buffer = gst_harness_pull(f->h);
    g_assert_nonnull(buffer);
    g_assert_false(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT));
    gst_buffer_unref(buffer);
    g_assert_cmpuint(fixture_stat(f, "repeats"), ==, 1);
}

static void pull_idr_after(Fixture *f, const char *what, gint64 since)
{
    GstBuffer *buffer = gst_harness_pull(f->h);

    fixture_no_hang(what, since);
    g_assert_nonnull(buffer);
    g_assert_false(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT));
    gst_buffer_unref(buffer);
}

/* ... or dropped: its IDR is pending, and the host has nothing to make it of. */
ELEMENT_TEST("/repeat/after-drop", test_after_drop)
{
    gint64 before;

    script->drop_at = 1;
    set_up_still(f, script);
    before = g_get_monotonic_time();
    fixture_ask_for_keyframe(f);
    fixture_push(f);
    pull_idr_after(f, "keyframe after its picture was dropped", before);
    g_assert_cmphex(script_host_frame(f->host, 2).flags & HELIX_REQUEST_REPEAT, !=, 0);
    g_assert_true(script_host_frame(f->host, 2).force_keyframe);
    f->n = 300;
    fixture_push(f);
    fixture_pull(f, 300, FALSE);
    g_assert_cmpuint(fixture_stat(f, "keyframes"), ==, 2);
}

/* ... unless a picture is under way already, which the host makes the keyframe: one is enough. */
static void check_moving(gint drop_at, gint error_at)
{
    Script script = SCRIPT_DEFAULT;
    gint64 before;
    Fixture f;

    script.hold = TRUE;
    script.drop_at = drop_at;
    script.error_from = script.error_to = error_at;
    script.error_code = HELIX_CODE_BUSY;
    do {
        fixture_set_up_with(&f, &script, 0, TRUE, NULL);
        script_host_allow(f.host, 1);
        fixture_push(&f);
        fixture_pull(&f, 0, TRUE);
        before = g_get_monotonic_time();
        fixture_ask_for_keyframe(&f);
        fixture_push(&f);
        fixture_push(&f);
    } while (!came_soon(&f, before));
    script_host_allow(f.host, 2);
    fixture_pull(&f, 2, TRUE);
    g_usleep(200 * 1000);
    script_host_allow(f.host, 1);
    fixture_push(&f);
    fixture_pull(&f, 3, FALSE);
    g_assert_cmpuint(fixture_stat(&f, "repeats"), ==, 0);
    fixture_tear_down(&f);
}

TEST("/repeat/after-drop-moving", test_after_drop_moving)
{
    check_moving(1, -1);
}

TEST("/repeat/after-error-moving", test_after_error_moving)
{
    check_moving(-1, 1);
}

/* What hinders a repeat and passes: the host is asked again. */
static void check_again(gint drop_at, gint32 code, guint failures)
{
    Script script = SCRIPT_DEFAULT;
    gint64 before;
    Fixture f;

    script.drop_at = drop_at;
    script.error_from = code ? 1 : -1;
    script.error_to = code ? (gint)failures : -1;
    script.error_code = code;
    set_up_still(&f, &script);
    before = g_get_monotonic_time();
    fixture_ask_for_keyframe(&f);
    pull_idr_after(&f, "keyframe of a still screen after failed tries", before);
    g_assert_cmpuint(fixture_stat(&f, "repeats"), ==, failures + 1);
    g_assert_null(gst_bus_pop_filtered(f.bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR));
    fixture_tear_down(&f);
}

TEST("/repeat/again", test_again)
{
    check_again(-1, HELIX_CODE_BUSY, 2);
    check_again(-1, HELIX_CODE_ENCODE, 1);
    check_again(1, 0, 1);
}

/* But a limited number of times, and not after an error that stays. */
static void check_given_up(gint32 code, guint tries)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.error_from = 1;
    script.error_to = (gint)tries;
    script.error_code = code;
    set_up_still(&f, &script);
    fixture_ask_for_keyframe(&f);
    g_assert_true(script_host_wait_frames(f.host, 1 + tries));
    g_usleep(300 * 1000);
    g_assert_cmpuint(script_host_frames(f.host), ==, 1 + tries);
    g_assert_null(gst_bus_pop_filtered(f.bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR));
    f.n = 300;
    fixture_push(&f);
    fixture_pull(&f, 300, TRUE);
    fixture_tear_down(&f);
}

TEST("/repeat/given-up", test_given_up)
{
    check_given_up(HELIX_CODE_BUSY, 10);
    check_given_up(HELIX_CODE_NOT_PERMITTED, 1);
}

/* The first picture of all that fails in a way that passes: the host has none to repeat, and is given it once more. */
static void check_first(gint drop_at, gint32 code, guint failures, gboolean live)
{
    Script script = SCRIPT_DEFAULT;
    gint64 before = g_get_monotonic_time();
    Fixture f;

    script.drop_at = drop_at;
    script.error_from = code ? 0 : -1;
    script.error_to = code ? (gint)failures - 1 : -1;
    script.error_code = code;
    fixture_set_up_with(&f, &script, -1, live, NULL);
    fixture_push(&f);
    pull_idr_after(&f, "first picture after failed tries", before);
    g_assert_cmpuint(script_host_frames(f.host), ==, failures + 1);
    g_assert_cmphex(script_host_frame(f.host, failures).flags & HELIX_REQUEST_REPEAT, ==, 0);
    g_assert_cmpuint(script_host_frame(f.host, failures).payload_size, ==, script_host_frame(f.host, 0).payload_size);
    f.n = 300;
    fixture_push(&f);
    fixture_pull(&f, 300, FALSE);
    fixture_tear_down(&f);
}

TEST("/repeat/first", test_first)
{
    check_first(-1, HELIX_CODE_BUSY, 1, TRUE);
    check_first(-1, HELIX_CODE_BUSY, 3, TRUE);
    check_first(-1, HELIX_CODE_BUSY, 1, FALSE);
    check_first(-1, HELIX_CODE_ENCODE, 1, TRUE);
    check_first(0, 0, 1, TRUE);
}

/* A limited number of times too, and not where another picture follows. */
ELEMENT_TEST("/repeat/first-given-up", test_first_given_up)
{
    gint64 before;

    script->error_from = 0;
    script->error_to = 10;
    script->error_code = HELIX_CODE_BUSY;
    fixture_set_up_with(f, script, -1, TRUE, NULL);
    fixture_push(f);
    g_assert_true(script_host_wait_frames(f->host, 11));
    g_usleep(300 * 1000);
    g_assert_cmpuint(script_host_frames(f->host), ==, 11);
    f->n = 300;
    fixture_push(f);
    fixture_pull(f, 300, TRUE);
    fixture_tear_down(f);

    script->error_to = 0;
    do {
        fixture_set_up_with(f, script, -1, TRUE, NULL);
        before = g_get_monotonic_time();
        fixture_push(f);
        g_assert_true(script_host_wait_frames(f->host, 1));
        fixture_push(f);
    } while (!came_soon(f, before));
    fixture_pull(f, 1, TRUE);
    g_usleep(200 * 1000);
    g_assert_cmpuint(script_host_frames(f->host), ==, 2);
}

/* The first fails while a keyframe is asked for: the host has nothing to repeat, and is given the picture once more. */
ELEMENT_TEST("/repeat/first-and-keyframe", test_first_and_keyframe)
{
    gint64 before;

    script->hold = TRUE;
    script->error_from = 0;
    script->error_to = 1;
    script->error_code = HELIX_CODE_BUSY;
    script->repeat_error_code = HELIX_CODE_NOT_FOUND;
    fixture_set_up_with(f, script, -1, TRUE, NULL);
    fixture_push(f);
    g_assert_true(script_host_wait_frames(f->host, 1));
    fixture_ask_for_keyframe(f);
    for (guint i = 0; i < 60000 && fixture_stat(f, "repeats") == 0; i++) {
        g_usleep(1000);
    }
    before = g_get_monotonic_time();
    script_host_allow(f->host, 3);
    pull_idr_after(f, "first picture after a repeat in vain", before);
    g_assert_cmphex(script_host_frame(f->host, 1).flags & HELIX_REQUEST_REPEAT, !=, 0);
    g_assert_cmphex(script_host_frame(f->host, 2).flags & HELIX_REQUEST_REPEAT, ==, 0);
}

/* The last picture before silence fails for now: the host is asked for it again; another that comes takes its place. */
ELEMENT_TEST("/repeat/last", test_last)
{
    GstBuffer *buffer;
    gint64 before;

    script->error_from = 1;
    script->error_to = 2;
    script->error_code = HELIX_CODE_ENCODE;
    set_up_still(f, script);
    fixture_push(f);
    buffer = gst_harness_pull(f->h);
    g_assert_nonnull(buffer);
    gst_buffer_unref(buffer);
    g_assert_cmpuint(script_host_frames(f->host), ==, 4);
    g_assert_cmphex(script_host_frame(f->host, 3).flags & HELIX_REQUEST_REPEAT, !=, 0);
    g_assert_cmpuint(fixture_stat(f, "frames"), ==, 2);
    g_assert_cmpuint(fixture_stat(f, "dropped"), ==, 1);
    g_assert_cmpuint(fixture_stat(f, "errors"), ==, 1);
    fixture_tear_down(f);

    script->error_to = 1;
    do {
        set_up_still(f, script);
        before = g_get_monotonic_time();
        fixture_push(f);
        gst_message_unref(fixture_message(f, GST_MESSAGE_QOS));
        fixture_push(f);
    } while (!came_soon(f, before));
    fixture_pull(f, 2, FALSE);
    g_usleep(200 * 1000);
    g_assert_cmpuint(fixture_stat(f, "repeats"), ==, 0);
}

/* Nothing came yet that could be repeated, or the stream is over. */
ELEMENT_TEST("/repeat/never", test_never)
{
    fixture_set_up_with(f, script, -1, TRUE, NULL);
    fixture_ask_for_keyframe(f);
    g_usleep(150 * 1000);
    g_assert_cmpuint(script_host_frames(f->host), ==, 0);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    gst_harness_push_event(f->h, gst_event_new_eos());
    g_assert_true(fixture_wait_event(f, GST_EVENT_EOS));
    fixture_ask_for_keyframe(f);
    g_usleep(150 * 1000);
    g_assert_cmpuint(script_host_frames(f->host), ==, 1);
    fixture_stop_in_time(f);
    fixture_ask_for_keyframe(f);
}
