/* SPDX-License-Identifier: GPL-2.0-or-later */
/* behaviour.c - what any encoder element must do: timing, caps, keyframes, drain, flush, properties. */
#include <string.h>
#include "../../desktop/client/bytes.h"
#include "fixture.h"

/* ---- one after the other ---- */

ELEMENT_TEST("/element/each-at-once", test_each_at_once)
{
    fixture_set_up_64(f, script, -1);
    for (guint i = 0; i < 5; i++) {
        g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
        /* Before the next goes in: the last picture before silence must come out too. */
        fixture_pull(f, i, i == 0);
    }
    g_assert_cmpuint(fixture_stat(f, "frames"), ==, 5);
    g_assert_cmpuint(fixture_stat(f, "keyframes"), ==, 1);
    g_assert_cmpuint(fixture_stat(f, "pixel-data"), ==, 5);
    g_assert_cmpuint(fixture_stat(f, "dmabuf"), ==, 0);
    /* The first is kept as well, until its access unit is there. */
    g_assert_cmpuint(fixture_stat(f, "cpu-bytes"), ==, 6 * SIZE_64);
    g_assert_cmpuint(fixture_stat(f, "bytes-to-host"), >, 5 * SIZE_64);
    g_assert_cmpuint(fixture_stat(f, "host-encode-us-p50"), ==, 1000);
}

ELEMENT_TEST("/element/same-pts", test_same_pts)
{
    fixture_set_up_64(f, script, -1);
    for (guint i = 0; i < 3; i++) {
        GstBuffer *buffer = fixture_picture(f, SIZE_64);

        GST_BUFFER_PTS(buffer) = GST_SECOND;
        g_assert_cmpint(gst_harness_push(f->h, buffer), ==, GST_FLOW_OK);
        buffer = gst_harness_pull(f->h);
        g_assert_cmpuint(GST_BUFFER_PTS(buffer), ==, GST_SECOND);
        gst_buffer_unref(buffer);
    }
    /* What tells requests apart on the wire. */
    g_assert_cmpint(script_host_frame(f->host, 1).pts, >, script_host_frame(f->host, 0).pts);
}

/* ---- caps ---- */

static void check_caps(Fixture *f, gint width, gint height, const char *framerate)
{
    GstCaps *caps = gst_pad_get_current_caps(f->h->sinkpad);
    g_autofree char *expected = g_strdup_printf(
        "video/x-h264, stream-format=byte-stream, alignment=au, profile=main, level=(string)3.1, width=%d, height=%d, "
        "framerate=%s, pixel-aspect-ratio=1/1, colorimetry=bt709",
        width, height, framerate);
    GstCaps *wanted = gst_caps_from_string(expected);

    g_assert_nonnull(caps);
    g_assert_true(gst_caps_is_subset(caps, wanted));
    gst_caps_unref(wanted);
    gst_caps_unref(caps);
}

ELEMENT_TEST("/element/caps", test_caps)
{
    fixture_set_up_64(f, script, -1);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    check_caps(f, 64, 64, "30/1");
}

ELEMENT_TEST("/element/odd-size", test_odd_size)
{
    fixture_set_up(f, script, -1);
    gst_harness_set_src_caps_str(f->h, "video/x-raw, format=BGRx, width=63, height=33, framerate=0/1");
    g_assert_cmpint(gst_harness_push(f->h, fixture_picture(f, 63 * 33 * 4)), ==, GST_FLOW_OK);
    fixture_pull(f, 0, TRUE);
    check_caps(f, 64, 34, "0/1");
    g_assert_cmpuint(script_host_frame(f->host, 0).width, ==, 63);
    g_assert_cmpuint(script_host_frame(f->host, 0).height, ==, 33);
}

ELEMENT_TEST("/element/new-size", test_new_size)
{
    gsize size;

    fixture_set_up_64(f, script, -1);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    gst_harness_set_src_caps_str(f->h, CAPS("RGBA", 32, 48));
    gst_harness_push(f->h, fixture_picture(f, 32 * 48 * 4));
    /* The host starts anew with an IDR; the scripted one does not know sizes, so ask. */
    gst_buffer_unref(gst_harness_pull(f->h));
    g_assert_cmpuint(script_host_configs(f->host), ==, 2);
    g_assert_cmpuint(get_u32(script_host_config(f->host, 1, &size) + HELIX_CONFIG_WIDTH), ==, 32);
    g_assert_cmpuint(get_u32(script_host_config(f->host, 1, &size) + HELIX_CONFIG_HEIGHT), ==, 48);
    g_assert_cmphex(script_host_frame(f->host, 1).fourcc, ==, HELIX_FORMAT_AB24);
    fixture_ask_for_keyframe(f);
    gst_harness_push(f->h, fixture_picture(f, 32 * 48 * 4));
    fixture_pull(f, 2, TRUE);
    check_caps(f, 32, 48, "30/1");
}

/* ---- keyframes ---- */

ELEMENT_TEST("/element/force-key-unit", test_force_key_unit)
{
    fixture_set_up_64(f, script, -1);
    for (guint i = 0; i < 4; i++) {
        if (i == 2) {
            g_assert_cmpuint(fixture_key_unit_events(f), ==, 0);
            fixture_ask_for_keyframe(f);
        }
        fixture_push(f);
        fixture_pull(f, i, i == 0 || i == 2);
        g_assert_cmpint(script_host_frame(f->host, i).force_keyframe, ==, i == 2);
    }
    g_assert_cmpuint(fixture_key_unit_events(f), ==, 1);
}

/* A picture that was refused does not take the keyframe with it. */
ELEMENT_TEST("/element/key-unit-survives-error", test_key_unit_survives_error)
{
    script->error_from = script->error_to = 1;
    script->error_code = HELIX_CODE_ENCODE;
    fixture_set_up_64(f, script, -1);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    fixture_ask_for_keyframe(f);
    fixture_push(f);
    gst_message_unref(fixture_message(f, GST_MESSAGE_QOS));
    fixture_push(f);
    fixture_pull(f, 2, TRUE);
    g_assert_cmpuint(fixture_key_unit_events(f), ==, 1);
}

ELEMENT_TEST("/element/key-int-max-asked", test_key_int_max_asked)
{
    script->capabilities &= ~HELIX_CAP_LONG_CONFIG;
    fixture_set_up(f, script, -1);
    g_object_set(f->h->element, "key-int-max", 3, NULL);
    gst_harness_set_src_caps_str(f->h, CAPS("BGRx", 64, 64));
    for (guint i = 0; i < 7; i++) {
        fixture_push(f);
        fixture_pull(f, i, i % 3 == 0);
    }
}

/* ---- in flight, drain, flush ---- */

ELEMENT_TEST("/element/in-flight", test_in_flight)
{
    GThread *third;

    script->hold = TRUE;
    script->max_in_flight = 2;
    fixture_set_up_with(f, script, -1, FALSE, NULL);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    third = fixture_push_in_thread(f);
    g_usleep(100 * 1000);
    script_host_allow(f->host, 1);
    fixture_pull(f, 0, TRUE);
    g_assert_cmpint(fixture_joined(third), ==, GST_FLOW_OK);
    script_host_allow(f->host, 2);
    fixture_pull(f, 1, FALSE);
    fixture_pull(f, 2, FALSE);
}

ELEMENT_TEST("/element/eos-drains", test_eos_drains)
{
    GstMessage *message;
    const GstStructure *stats;
    guint64 n;

    script->hold = TRUE;
    fixture_set_up_64(f, script, -1);
    for (guint i = 0; i < 3; i++) {
        fixture_push(f);
    }
    /* Does not wait for the host, but its way downstream does. */
    g_assert_true(gst_harness_push_event(f->h, gst_event_new_eos()));
    g_assert_cmpuint(gst_harness_buffers_received(f->h), ==, 0);
    script_host_allow(f->host, 3);
    g_assert_true(fixture_wait_event(f, GST_EVENT_EOS));
    g_assert_cmpuint(gst_harness_buffers_in_queue(f->h), ==, 3);
    message = fixture_message(f, GST_MESSAGE_ELEMENT);
    stats = gst_message_get_structure(message);
    g_assert_cmpstr(gst_structure_get_name(stats), ==, "vsockenc-stats");
    g_assert_true(gst_structure_get_uint64(stats, "frames", &n) && n == 3);
    g_assert_true(gst_structure_get_uint64(stats, "pixel-data", &n) && n == 3);
    g_assert_cmpstr(gst_structure_get_string(stats, "encoder"), ==, "scripted");
    gst_message_unref(message);
}

ELEMENT_TEST("/element/flush", test_flush)
{
    GstSegment segment;
    GThread *blocked;

    script->hold = TRUE;
    script->max_in_flight = 2;
    fixture_set_up_with(f, script, -1, FALSE, NULL);
    fixture_push(f);
    fixture_push(f);
    blocked = fixture_push_in_thread(f);
    g_assert_true(script_host_wait_frames(f->host, 1));
    g_usleep(50 * 1000);
    g_assert_true(gst_harness_push_event(f->h, gst_event_new_flush_start()));
    g_assert_cmpint(fixture_joined(blocked), ==, GST_FLOW_FLUSHING);
    g_assert_true(gst_harness_push_event(f->h, gst_event_new_flush_stop(TRUE)));
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(f->h, gst_event_new_segment(&segment));
    script_host_allow(f->host, 3);
    fixture_push(f);
    /* The two answers from before are swallowed; what comes next cannot refer to them. */
    fixture_pull(f, 3, TRUE);
    g_assert_true(script_host_frame(f->host, 2).force_keyframe);
}

ELEMENT_TEST("/element/stats-at-stop", test_stats_at_stop)
{
    GstMessage *message;

    fixture_set_up_64(f, script, -1);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    fixture_stop_in_time(f);
    message = fixture_message(f, GST_MESSAGE_ELEMENT);
    g_assert_true(gst_message_has_name(message, "vsockenc-stats"));
    gst_message_unref(message);
}

ELEMENT_TEST("/element/restart", test_restart)
{
    GstCaps *caps = gst_caps_from_string(CAPS("BGRx", 64, 64));
    GstSegment segment;

    fixture_set_up_64(f, script, -1);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    fixture_stop_in_time(f);
    gst_harness_play(f->h);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(f->h, gst_event_new_stream_start("again"));
    gst_harness_push_event(f->h, gst_event_new_caps(caps));
    gst_harness_push_event(f->h, gst_event_new_segment(&segment));
    gst_caps_unref(caps);
    /* The scripted host goes on counting, so a keyframe has to be asked for. */
    fixture_ask_for_keyframe(f);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    fixture_pull(f, 1, TRUE);
    g_assert_cmpuint(fixture_stat(f, "frames"), ==, 1);
}

/* A keyframe asked for between two pictures is not lost with a flush. */
ELEMENT_TEST("/element/flush-keyframe", test_flush_keyframe)
{
    GstSegment segment;

    fixture_set_up_with(f, script, -1, TRUE, NULL);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    fixture_ask_for_keyframe(f);
    gst_harness_push_event(f->h, gst_event_new_flush_start());
    gst_harness_push_event(f->h, gst_event_new_flush_stop(TRUE));
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(f->h, gst_event_new_segment(&segment));
    fixture_push(f);
    fixture_pull(f, 1, TRUE);
    fixture_push(f);
    fixture_pull(f, 2, FALSE);
}
