/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flow.c - hosts that are slow or silent: what is dropped, what waits, and what never waits. */
#include "fixture.h"

/* ---- slow hosts ---- */

/* A live source is never held up: the newest picture waits for the host, those it takes the place of are counted. */
ELEMENT_TEST("/flow/live-skips", test_live_skips)
{
    script->hold = TRUE;
    script->max_in_flight = 2;
    fixture_set_up_with(f, script, 0, TRUE, NULL);
    fixture_push_first(f);
    for (guint i = 1; i < 6; i++) {
        g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    }
    script_host_allow(f->host, 3);
    fixture_pull(f, 0, TRUE);
    fixture_pull(f, 1, FALSE);
    /* The last before silence. */
    fixture_pull(f, 5, FALSE);
    g_assert_cmpuint(script_host_frames(f->host), ==, 3);
    g_assert_cmpuint(fixture_stat(f, "skipped"), ==, 3);
    g_assert_cmpuint(fixture_stat(f, "dropped"), ==, 3);
    g_assert_cmpuint(fixture_stat(f, "frames"), ==, 3);
}

/* A keyframe asked for goes with the picture that takes its place. */
ELEMENT_TEST("/flow/skipped-keyframe", test_skipped_keyframe)
{
    script->hold = TRUE;
    script->max_in_flight = 1;
    fixture_set_up_with(f, script, 0, TRUE, NULL);
    fixture_push_first(f);
    fixture_ask_for_keyframe(f);
    fixture_push(f);
    fixture_push(f);
    script_host_allow(f->host, 2);
    fixture_pull(f, 0, TRUE);
    fixture_pull(f, 2, TRUE);
    g_assert_cmpuint(fixture_key_unit_events(f), ==, 1);
}

/* Downstream is behind: what would come too late is not even sent, and its keyframe is the next one's. */
ELEMENT_TEST("/flow/late", test_late)
{
    fixture_set_up_with(f, script, -1, FALSE, "qos", "true", NULL);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    fixture_pull(f, 0, TRUE);
    /* Half a second late at 0: frames before about a second are late. */
    gst_harness_push_upstream_event(f->h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2.0, GST_SECOND / 2, 0));
    fixture_ask_for_keyframe(f);
    for (guint i = 1; i < 60; i++) {
        g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    }
    gst_harness_push_event(f->h, gst_event_new_eos());
    g_assert_true(fixture_wait_event(f, GST_EVENT_EOS));
    g_assert_cmpuint(script_host_frames(f->host), <, 60);
    g_assert_true(script_host_frame(f->host, 1).force_keyframe);
    g_assert_cmpuint(fixture_stat(f, "late"), ==, 60 - script_host_frames(f->host));
    g_assert_cmpuint(fixture_stat(f, "late"), >=, 10);
}

/* Pipelines hear how long a picture really takes. */
ELEMENT_TEST("/flow/latency", test_latency)
{
    fixture_set_up_with(f, script, -1, TRUE, NULL);
    g_assert_cmpuint(gst_harness_query_latency(f->h), ==, GST_SECOND / 30);
    fixture_tear_down(f);

    script->delay_ms = 50;
    fixture_set_up_with(f, script, -1, TRUE, NULL);
    for (guint i = 0; i < 12; i++) {
        fixture_push(f);
        fixture_pull(f, i, i == 0);
    }
    /* At least 50 ms: two frames and more, but not more than may be under way. */
    g_assert_cmpuint(gst_harness_query_latency(f->h), >=, 2 * GST_SECOND / 30);
    g_assert_cmpuint(gst_harness_query_latency(f->h), <=, 4 * GST_SECOND / 30);
}

/* ---- a host that does not answer ---- */

static void set_up_silent(Fixture *f)
{
    Script script = SCRIPT_DEFAULT;

    script.silent_from = 0;
    script.max_in_flight = 1;
    fixture_set_up_with(f, &script, 0, FALSE, NULL); /* never answers */
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    g_assert_true(script_host_wait_frames(f->host, 1));
}

TEST("/flow/silent-eos", test_silent_eos)
{
    gint64 before;
    Fixture f;

    set_up_silent(&f);
    before = g_get_monotonic_time();
    g_assert_true(gst_harness_push_event(f.h, gst_event_new_eos()));
    fixture_no_hang("EOS", before);
    fixture_stop_in_time(&f);
    fixture_tear_down(&f);
}

TEST("/flow/silent-flush", test_silent_flush)
{
    GThread *blocked;
    gint64 before;
    Fixture f;

    set_up_silent(&f);
    blocked = fixture_push_in_thread(&f);
    g_usleep(50 * 1000);
    before = g_get_monotonic_time();
    g_assert_true(gst_harness_push_event(f.h, gst_event_new_flush_start()));
    g_assert_cmpint(fixture_joined(blocked), ==, GST_FLOW_FLUSHING);
    g_assert_true(gst_harness_push_event(f.h, gst_event_new_flush_stop(TRUE)));
    fixture_no_hang("flushed", before);
    fixture_stop_in_time(&f);
    fixture_tear_down(&f);
}

/* EOS that waits for a flushed stream's end is flushed with it. */
ELEMENT_TEST("/flow/flushed-eos", test_flushed_eos)
{
    GstSegment segment;

    script->hold = TRUE;
    fixture_set_up_with(f, script, 0, TRUE, NULL);
    fixture_push(f);
    gst_harness_push_event(f->h, gst_event_new_eos());
    gst_harness_push_event(f->h, gst_event_new_flush_start());
    gst_harness_push_event(f->h, gst_event_new_flush_stop(TRUE));
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(f->h, gst_event_new_segment(&segment));
    script_host_allow(f->host, 2);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    fixture_pull(f, 1, TRUE);
    while (gst_harness_events_in_queue(f->h)) {
        GstEvent *event = gst_harness_pull_event(f->h);

        g_assert_cmpint(GST_EVENT_TYPE(event), !=, GST_EVENT_EOS);
        gst_event_unref(event);
    }
}

/* A stream that follows without a flush comes after the end of the one before. */
ELEMENT_TEST("/flow/next-stream", test_next_stream)
{
    GstSegment segment;

    script->delay_ms = 100;
    fixture_set_up_with(f, script, -1, TRUE, NULL);
    fixture_push(f);
    gst_harness_push_event(f->h, gst_event_new_eos());
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(f->h, gst_event_new_stream_start("next"));
    gst_harness_push_event(f->h, gst_event_new_segment(&segment));
    g_assert_cmpuint(gst_harness_buffers_received(f->h), ==, 1);
    g_assert_true(fixture_wait_event(f, GST_EVENT_EOS));
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    g_assert_true(fixture_wait_event(f, GST_EVENT_STREAM_START));
    gst_buffer_unref(gst_harness_pull(f->h));
    gst_buffer_unref(gst_harness_pull(f->h));
}

typedef struct Holder {
    GstVideoEncoder *encoder;
    gint holds;
} Holder;

static gpointer hold_stream_lock(gpointer data)
{
    Holder *holder = data;

    GST_VIDEO_ENCODER_STREAM_LOCK(holder->encoder);
    g_atomic_int_set(&holder->holds, 1);
    g_usleep(600 * 1000);
    GST_VIDEO_ENCODER_STREAM_UNLOCK(holder->encoder);
    return NULL;
}

/* A CONFIG_RESP that comes while EOS goes downstream: the task that would take it is the one that pushes EOS. */
ELEMENT_TEST("/flow/config-at-end", test_config_at_end)
{
    Holder holder = { 0 };
    GThread *holding;

    script->config_delay_ms = 200;
    fixture_set_up_with(f, script, -1, TRUE, NULL);
    /* The task finds nothing under way, and has to wait before it pushes EOS. */
    holder.encoder = GST_VIDEO_ENCODER(f->h->element);
    holding = g_thread_new("hold", hold_stream_lock, &holder);
    while (!g_atomic_int_get(&holder.holds)) {
        g_usleep(1000);
    }
    gst_harness_push_event(f->h, gst_event_new_eos());
    g_thread_join(holding);
    g_assert_true(fixture_wait_event(f, GST_EVENT_EOS));
}

/* The stream ends for downstream too when the host counts as gone. */
ELEMENT_TEST("/flow/eos-of-dead-host", test_eos_of_dead_host)
{
    script->silent_from = 0;
    fixture_set_up_with(f, script, SILENT_MS, TRUE, NULL);
    fixture_push(f);
    g_assert_true(gst_harness_push_event(f->h, gst_event_new_eos()));
    fixture_error(f, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ, "has not answered for");
    g_assert_true(fixture_wait_event(f, GST_EVENT_EOS));
}

/* A source that is seeked in: it pushes, and the seeking thread flushes, then waits for it, as sources' own seeking
 * does. */
typedef struct Seeker {
    Fixture *f;
    GMutex lock; /* held while pushing */
    gint quit;
} Seeker;

static gpointer push_on(gpointer data)
{
    Seeker *seeker = data;

    while (!g_atomic_int_get(&seeker->quit)) {
        g_mutex_lock(&seeker->lock);
        fixture_push(seeker->f);
        g_mutex_unlock(&seeker->lock);
        g_thread_yield();
    }
    return NULL;
}

static gpointer seek_on(gpointer data)
{
    Seeker *seeker = data;
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    while (!g_atomic_int_get(&seeker->quit)) {
        gst_harness_push_event(seeker->f->h, gst_event_new_flush_start());
        g_mutex_lock(&seeker->lock);
        gst_harness_push_event(seeker->f->h, gst_event_new_flush_stop(TRUE));
        gst_harness_push_event(seeker->f->h, gst_event_new_segment(&segment));
        g_mutex_unlock(&seeker->lock);
        g_usleep(200);
    }
    return NULL;
}

/* Flushes all the while that the element stops: none of them may let anybody wait again. */
TEST("/flow/flush-while-stopping", test_flush_while_stopping)
{
    for (guint i = 0; i < 20; i++) {
        GThread *pushing, *seeking;
        Seeker seeker = { 0 };
        Fixture f;

        set_up_silent(&f);
        seeker.f = &f;
        g_mutex_init(&seeker.lock);
        pushing = g_thread_new("push", push_on, &seeker);
        seeking = g_thread_new("seek", seek_on, &seeker);
        g_usleep(i * 300);
        fixture_stop_in_time(&f);
        g_atomic_int_set(&seeker.quit, 1);
        g_thread_join(pushing);
        g_thread_join(seeking);
        g_mutex_clear(&seeker.lock);
        fixture_tear_down(&f);
    }
}
