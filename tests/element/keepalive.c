/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keepalive.c - a source that gives no picture for the keepalive time: the host repeats its last one. */
#include "fixture.h"

static void set_up_still(Fixture *f, const Script *script, const char *keepalive)
{
    fixture_set_up_with(f, script, -1, TRUE, "keepalive-time", keepalive, "reconnect", "true", NULL);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    fixture_pull(f, 0, TRUE);
}

/* The next access unit, which repeats a picture without being a keyframe; returns its time. */
static GstClockTime pull_repeat(Fixture *f, gboolean keyframe)
{
    GstBuffer *unit = gst_harness_pull(f->h);
    GstClockTime pts;

    g_assert_nonnull(unit);
    pts = GST_BUFFER_PTS(unit);
    g_assert_cmpuint(GST_BUFFER_DTS(unit), ==, pts);
    g_assert_cmpint(GST_BUFFER_FLAG_IS_SET(unit, GST_BUFFER_FLAG_DELTA_UNIT), ==, !keyframe);
    gst_buffer_unref(unit);
    return pts;
}

/* No repeat is asked for from now on. */
static void check_none(Fixture *f)
{
    guint64 before = fixture_stat(f, "repeats");

    g_usleep(100 * 1000);
    g_assert_cmpuint(fixture_stat(f, "repeats"), ==, before);
}

/* Again and again, at the time it is then; a picture that comes goes on from there. */
ELEMENT_TEST("/keepalive/still", test_still)
{
    GstClockTime last = 0;

    set_up_still(f, script, "20");
    for (guint i = 1; i < 5; i++) {
        GstClockTime pts;

        gst_harness_set_time(f->h, i * GST_SECOND);
        /* One may have been due before that. */
        while ((pts = pull_repeat(f, FALSE)) < i * GST_SECOND) {
            g_assert_cmpuint(pts, >, last);
            last = pts;
        }
        g_assert_cmpuint(pts, ==, i * GST_SECOND);
        last = pts;
    }
    for (guint i = 1; i < script_host_frames(f->host); i++) {
        ScriptFrame frame = script_host_frame(f->host, i);

        g_assert_cmphex(frame.flags & ~HELIX_REQUEST_TIMING, ==, HELIX_REQUEST_REPEAT);
        g_assert_false(frame.force_keyframe);
    }
    g_object_set(f->h->element, "keepalive-time", 0, NULL);
    f->n = 300;
    fixture_push(f);
    while (last < 10 * GST_SECOND) { /* a repeat that was under way comes first */
        GstClockTime pts = pull_repeat(f, FALSE);

        g_assert_cmpuint(pts, >, last);
        last = pts;
    }
    g_assert_cmpuint(last, ==, 10 * GST_SECOND);
    g_assert_cmpuint(fixture_stat(f, "repeats"), ==, script_host_frames(f->host) - 2);
}

/* A keyframe that falls due at a time comes with the repeat at that time. */
ELEMENT_TEST("/keepalive/keyframe-in-time", test_keyframe_in_time)
{
    GstClockTime pts;

    set_up_still(f, script, "20");
    gst_harness_push_upstream_event(f->h, gst_video_event_new_upstream_force_key_unit(2 * GST_SECOND, TRUE, 1));
    gst_harness_set_time(f->h, 3 * GST_SECOND);
    do {
        GstBuffer *unit = gst_harness_pull(f->h);

        pts = GST_BUFFER_PTS(unit);
        g_assert_cmpint(!GST_BUFFER_FLAG_IS_SET(unit, GST_BUFFER_FLAG_DELTA_UNIT), ==, pts >= 2 * GST_SECOND);
        gst_buffer_unref(unit);
    } while (pts < 2 * GST_SECOND);
}

/* It may be set at any time, and is off by itself. */
ELEMENT_TEST("/keepalive/property", test_property)
{
    guint value;

    set_up_still(f, script, "0");
    g_object_get(f->h->element, "keepalive-time", &value, NULL);
    g_assert_cmpuint(value, ==, 0);
    check_none(f);
    g_object_set(f->h->element, "keepalive-time", 10, NULL);
    g_object_get(f->h->element, "keepalive-time", &value, NULL);
    g_assert_cmpuint(value, ==, 10);
    pull_repeat(f, FALSE);
    pull_repeat(f, FALSE);
}

/* Not where upstream can wait, before the first picture, between new caps and theirs, after a flush and behind EOS. */
ELEMENT_TEST("/keepalive/never", test_never)
{
    GstSegment segment;

    fixture_set_up_with(f, script, -1, FALSE, "keepalive-time", "10", NULL);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    check_none(f);
    fixture_tear_down(f);

    fixture_set_up_with(f, script, -1, TRUE, "keepalive-time", "10", NULL);
    check_none(f);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    fixture_pull(f, 0, TRUE);
    pull_repeat(f, FALSE);
    gst_harness_set_src_caps_str(f->h, CAPS("RGBx", 64, 64));
    check_none(f);
    f->n = 300;
    fixture_push(f);
    pull_repeat(f, FALSE);
    pull_repeat(f, FALSE);
    gst_harness_push_event(f->h, gst_event_new_flush_start());
    gst_harness_push_event(f->h, gst_event_new_flush_stop(TRUE));
    check_none(f);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(f->h, gst_event_new_segment(&segment));
    fixture_push(f);
    gst_harness_push_event(f->h, gst_event_new_eos());
    g_assert_true(fixture_wait_event(f, GST_EVENT_EOS));
    check_none(f);
}

/* A host that is slow is not asked for more: what is under way is newer. */
ELEMENT_TEST("/keepalive/under-way", test_under_way)
{
    script->hold = TRUE;
    fixture_set_up_with(f, script, 0, TRUE, "keepalive-time", "10", NULL);
    fixture_push(f);
    g_assert_true(script_host_wait_frames(f->host, 1));
    g_usleep(100 * 1000);
    g_assert_cmpuint(fixture_stat(f, "repeats"), ==, 0);
    script_host_allow(f->host, 2);
    fixture_pull(f, 0, TRUE);
    pull_repeat(f, FALSE);
}

/* A picture that the host cannot repeat is no error, and is asked for once. The next picture may be repeated. */
ELEMENT_TEST("/keepalive/cannot", test_cannot)
{
    script->error_from = 1;
    script->error_to = 1;
    script->error_code = HELIX_CODE_NOT_FOUND;
    set_up_still(f, script, "10");
    g_assert_true(script_host_wait_frames(f->host, 2));
    gst_message_unref(fixture_message(f, GST_MESSAGE_QOS));
    check_none(f);
    f->n = 300;
    fixture_push(f);
    pull_repeat(f, FALSE);
    pull_repeat(f, FALSE);
    g_assert_null(gst_bus_pop_filtered(f->bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR));
    fixture_tear_down(f);

    *script = (Script)SCRIPT_DEFAULT;
    script->capabilities &= ~HELIX_CAP_REPEAT;
    set_up_still(f, script, "10");
    check_none(f);
}

/* One that failed for now is tried again; a host that comes back is given the picture, and repeats it. */
ELEMENT_TEST("/keepalive/goes-on", test_goes_on)
{
    script->error_from = script->error_to = 1;
    script->error_code = HELIX_CODE_BUSY;
    set_up_still(f, script, "10");
    pull_repeat(f, FALSE);
    fixture_tear_down(f);

    *script = (Script)SCRIPT_DEFAULT;
    script->close_at = 2;
    script->once = TRUE;
    set_up_still(f, script, "10");
    pull_repeat(f, FALSE);
    pull_repeat(f, TRUE);
    g_assert_cmpuint(script_host_connections(f->host), ==, 2);
    pull_repeat(f, FALSE);
    pull_repeat(f, FALSE);
}
