/* SPDX-License-Identifier: GPL-2.0-or-later */
/* order.c - what goes downstream in which order: events stay between the pictures they came between, and flushes end
 * what was before. */
#include <string.h>
#include "fixture.h"

/* What left the element: "0" is the picture of index 0, "S" a segment, "T" tags, "E" EOS. */
typedef struct Record {
    GMutex lock;
    GString *text;
    gulong probe;
    gboolean own_tags; /* the element's own come next, with the stream's first caps: not noted */
} Record;

static GstPadProbeReturn on_item(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    GstEventType type = GST_IS_EVENT(info->data) ? GST_EVENT_TYPE(info->data) : GST_EVENT_UNKNOWN;
    Record *record = user;

    g_mutex_lock(&record->lock);
    if (GST_IS_BUFFER(info->data)) {
        g_string_append_printf(record->text, "%u", (guint)(GST_BUFFER_PTS(info->data) / (GST_SECOND / 30)));
    } else if (type == GST_EVENT_TAG && record->own_tags) {
        record->own_tags = FALSE;
    } else if (type == GST_EVENT_SEGMENT || type == GST_EVENT_TAG || type == GST_EVENT_EOS) {
        g_string_append_c(record->text, type == GST_EVENT_SEGMENT ? 'S' : type == GST_EVENT_TAG ? 'T' : 'E');
    }
    g_mutex_unlock(&record->lock);
    return GST_PAD_PROBE_OK;
}

static void begin(Record *record, Fixture *f)
{
    g_autoptr(GstPad) pad = gst_element_get_static_pad(f->h->element, "src");
    g_autoptr(GstEvent) tags = gst_pad_get_sticky_event(pad, GST_EVENT_TAG, 0);

    record->own_tags = !tags;
    g_mutex_init(&record->lock);
    record->text = g_string_new(NULL);
    record->probe = gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_item,
                                      record, NULL);
}

/* The element sent just this, waited for. */
static void end(Record *record, Fixture *f, const char *expected)
{
    g_autoptr(GstPad) pad = gst_element_get_static_pad(f->h->element, "src");

    for (guint i = 0; i < 5000; i++) {
        gboolean there;

        g_mutex_lock(&record->lock);
        there = record->text->len >= strlen(expected);
        g_mutex_unlock(&record->lock);
        if (there) {
            break;
        }
        g_usleep(1000);
    }
    gst_pad_remove_probe(pad, record->probe);
    g_assert_cmpstr(record->text->str, ==, expected);
    g_string_free(record->text, TRUE);
    g_mutex_clear(&record->lock);
}

/* A new segment and tags, which belong to the next picture. */
static void push_segment(Fixture *f)
{
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.base = GST_SECOND;
    gst_harness_push_event(f->h, gst_event_new_segment(&segment));
    gst_harness_push_event(f->h, gst_event_new_tag(gst_tag_list_new(GST_TAG_TITLE, "next", NULL)));
}

/* A live source's first two pictures are under way, and no more have room. */
static void begin_held(Record *record, Fixture *f)
{
    Script script = SCRIPT_DEFAULT;

    script.hold = TRUE;
    script.max_in_flight = 2;
    fixture_set_up_with(f, &script, 0, TRUE, NULL);
    begin(record, f);
    fixture_push_first(f);
    fixture_push(f);
}

/* Pictures that are skipped while older ones are under way do not take their events past those. */
TEST("/order/skipped", test_skipped)
{
    Record record;
    Fixture f;

    begin_held(&record, &f);
    fixture_push(&f);
    push_segment(&f);
    fixture_push(&f);
    fixture_push(&f);
    /* What is given up at once has been by now. */
    g_usleep(50 * 1000);
    script_host_allow(f.host, 3);
    end(&record, &f, "S01ST4");
    g_assert_cmpuint(fixture_stat(&f, "skipped"), ==, 2);
    fixture_tear_down(&f);
}

/* However many: a source of 60 pictures a second and a host that is stuck for some seconds. */
TEST("/order/many-skipped", test_many_skipped)
{
    Record record;
    Fixture f;

    begin_held(&record, &f);
    push_segment(&f);
    for (guint i = 2; i <= 600; i++) {
        fixture_push(&f);
    }
    script_host_allow(f.host, 3);
    end(&record, &f, "S01ST600");
    fixture_tear_down(&f);
}

/* Nor do those that are too late, also behind one that waits for the host. */
ELEMENT_TEST("/order/late", test_late)
{
    Record record;

    script->hold = TRUE;
    script->max_in_flight = 1;
    fixture_set_up_with(f, script, 0, TRUE, "qos", "true", NULL);
    begin(&record, f);
    fixture_push_first(f);
    fixture_push(f);
    push_segment(f);
    gst_harness_push_upstream_event(f->h,
                                    gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2.0, 2 * GST_SECOND, 10 * GST_SECOND));
    fixture_push(f);
    gst_harness_push_upstream_event(f->h, gst_event_new_qos(GST_QOS_TYPE_OVERFLOW, 0.5, 0, GST_CLOCK_TIME_NONE));
    g_usleep(50 * 1000);
    script_host_allow(f->host, 3);
    for (guint i = 0; fixture_stat(f, "late") < 1 && i < 5000; i++) {
        g_usleep(1000);
    }
    fixture_push(f);
    end(&record, f, "S01ST3");
    g_assert_cmpuint(fixture_stat(f, "late"), ==, 1);
}

static void flush(Fixture *f)
{
    gst_harness_push_event(f->h, gst_event_new_flush_start());
    gst_harness_push_event(f->h, gst_event_new_flush_stop(TRUE));
}

typedef struct Barrier {
    GMutex lock;
    GCond cond;
    gboolean inside, open;
} Barrier;

static GstPadProbeReturn wait_at_barrier(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    Barrier *barrier = user;

    g_mutex_lock(&barrier->lock);
    barrier->inside = TRUE;
    g_cond_broadcast(&barrier->cond);
    while (!barrier->open) {
        g_cond_wait(&barrier->cond, &barrier->lock);
    }
    g_mutex_unlock(&barrier->lock);
    return GST_PAD_PROBE_REMOVE;
}

/* A flush that a picture of a live source falls into: it starts the source pad's task again, which is waited for until
 * the flush is over. */
static void flush_into_picture(Fixture *f)
{
    g_autoptr(GstPad) sink = gst_element_get_static_pad(f->h->element, "sink");
    g_autoptr(GstPad) src = gst_element_get_static_pad(f->h->element, "src");
    GThread *pushing;
    Barrier barrier = { 0 };

    g_mutex_init(&barrier.lock);
    g_cond_init(&barrier.cond);
    gst_pad_add_probe(sink, GST_PAD_PROBE_TYPE_BUFFER, wait_at_barrier, &barrier, NULL);
    pushing = fixture_push_in_thread(f);
    g_mutex_lock(&barrier.lock);
    while (!barrier.inside) {
        g_cond_wait(&barrier.cond, &barrier.lock);
    }
    g_mutex_unlock(&barrier.lock);
    gst_harness_push_event(f->h, gst_event_new_flush_start());
    GST_PAD_STREAM_LOCK(src);
    g_mutex_lock(&barrier.lock);
    barrier.open = TRUE;
    g_cond_broadcast(&barrier.cond);
    g_mutex_unlock(&barrier.lock);
    g_assert_cmpint(fixture_joined(pushing), ==, GST_FLOW_FLUSHING);
    gst_harness_push_event(f->h, gst_event_new_flush_stop(TRUE));
    GST_PAD_STREAM_UNLOCK(src);
    g_cond_clear(&barrier.cond);
    g_mutex_clear(&barrier.lock);
}

/* A keyframe that is wanted after a flush is the next picture: nothing goes before the segment it comes with. */
ELEMENT_TEST("/order/repeat-after-flush", test_repeat_after_flush)
{
    Record record;

    fixture_set_up_with(f, script, -1, TRUE, NULL);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    begin(&record, f);
    flush_into_picture(f);
    fixture_ask_for_keyframe(f);
    /* Longer than upstream has to bring one. */
    g_usleep(200 * 1000);
    g_assert_cmpuint(script_host_frames(f->host), ==, 1);
    push_segment(f);
    fixture_push(f);
    end(&record, f, "ST2");
    g_assert_true(script_host_frame(f->host, 1).force_keyframe);
}

/* An EOS that upstream's thread had begun to send is in the element when FLUSH_START comes. */
static GstPadProbeReturn end_within_flush(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    GstVideoEncoder *encoder = user;

    if (GST_EVENT_TYPE(info->data) == GST_EVENT_FLUSH_START) {
        GST_VIDEO_ENCODER_GET_CLASS(encoder)->sink_event(encoder, gst_event_new_eos());
    }
    return GST_PAD_PROBE_OK;
}

/* It belongs to the stream before the flush, and neither ends the one behind it nor goes before the next one. */
ELEMENT_TEST("/order/eos-within-flush", test_eos_within_flush)
{
    g_autoptr(GstPad) pad = NULL;
    GstEvent *event;

    fixture_set_up_with(f, script, -1, FALSE, NULL);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    pad = gst_element_get_static_pad(f->h->element, "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_FLUSH, end_within_flush, f->h->element, NULL);
    flush(f);
    push_segment(f);
    fixture_push(f);
    fixture_pull(f, 1, TRUE);
    gst_harness_push_event(f->h, gst_event_new_stream_start("next"));
    push_segment(f);
    fixture_push(f);
    fixture_pull(f, 2, FALSE);
    while ((event = gst_harness_try_pull_event(f->h))) {
        g_assert_cmpint(GST_EVENT_TYPE(event), !=, GST_EVENT_EOS);
        gst_event_unref(event);
    }
}

/* The host is told of times that begin anew. */
ELEMENT_TEST("/order/times-after-flush", test_times_after_flush)
{
    fixture_set_up_with(f, script, -1, FALSE, NULL);
    for (guint i = 0; i < 3; i++) {
        fixture_push(f);
        fixture_pull(f, i, i == 0);
    }
    flush(f);
    push_segment(f);
    f->n = 0;
    fixture_push(f);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    fixture_pull(f, 1, FALSE);
    g_assert_cmpint(script_host_frame(f->host, 3).pts, ==, 0);
    g_assert_cmpint(script_host_frame(f->host, 4).pts, ==, GST_SECOND / 30);
    /* So does a segment without a flush. */
    push_segment(f);
    f->n = 0;
    fixture_push(f);
    fixture_pull(f, 0, FALSE);
    g_assert_cmpint(script_host_frame(f->host, 5).pts, ==, 0);
}

/* Waits until a push returns @flow: what downstream says of one picture is known with a later one. */
static void push_until(Fixture *f, GstFlowReturn flow)
{
    guint i = 0;

    while (fixture_push(f) != flow) {
        g_assert_cmpuint(++i, <, 500);
        g_usleep(10 * 1000);
    }
}

/* A branch that is linked again gets pictures again. */
ELEMENT_TEST("/order/linked-again", test_linked_again)
{
    g_autoptr(GstPad) pad = NULL;
    guint received;

    fixture_set_up_with(f, script, -1, FALSE, NULL);
    pad = gst_element_get_static_pad(f->h->element, "src");
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    g_assert_true(gst_pad_unlink(pad, f->h->sinkpad));
    push_until(f, GST_FLOW_NOT_LINKED);
    received = gst_harness_buffers_received(f->h);
    g_assert_cmpint(gst_pad_link(pad, f->h->sinkpad), ==, GST_PAD_LINK_OK);
    push_until(f, GST_FLOW_OK);
    fixture_push(f);
    gst_buffer_unref(gst_harness_pull(f->h));
    g_assert_cmpuint(gst_harness_buffers_received(f->h), >, received);
}

static GstPadProbeReturn say_eos(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    GST_PAD_PROBE_INFO_FLOW_RETURN(info) = GST_FLOW_EOS;
    gst_buffer_unref(info->data);
    info->data = NULL;
    return GST_PAD_PROBE_HANDLED;
}

/* One that had enough, and then wants more. */
ELEMENT_TEST("/order/wants-more", test_wants_more)
{
    g_autoptr(GstPad) pad = NULL;
    gulong probe;

    fixture_set_up_with(f, script, -1, FALSE, NULL);
    pad = gst_element_get_static_pad(f->h->element, "src");
    probe = gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, say_eos, NULL, NULL);
    push_until(f, GST_FLOW_EOS);
    gst_pad_remove_probe(pad, probe);
    push_until(f, GST_FLOW_OK);
    gst_buffer_unref(gst_harness_pull(f->h));
}
