/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fixture.c - see fixture.h. */
#include <string.h>
#include "fixture.h"

static GstElement *prepare(Fixture *f, const Script *script, gint timeout)
{
    GstElement *element = gst_element_factory_make("vsockenc", NULL);

    g_assert_nonnull(element);
    f->n = 0;
    f->host = script_host_new(script);
    g_object_set(element, "socket-path", script_host_path(f->host), NULL);
    if (timeout >= 0) {
        g_object_set(element, "timeout", timeout, NULL);
    }
    /* Before the harness: it starts the element. */
    f->bus = gst_bus_new();
    gst_element_set_bus(element, f->bus);
    return element;
}

static void start(Fixture *f, GstElement *element)
{
    f->h = gst_harness_new_with_element(element, "sink", "src");
    gst_object_unref(element);
}

void fixture_set_up(Fixture *f, const Script *script, gint timeout)
{
    start(f, prepare(f, script, timeout));
    gst_harness_set_live(f->h, FALSE);
}

void fixture_push_first(Fixture *f)
{
    fixture_push(f);
    g_assert_true(script_host_wait_frames(f->host, 1));
}

void fixture_set_up_with(Fixture *f, const Script *script, gint timeout, gboolean live, ...)
{
    GstElement *element = prepare(f, script, timeout);
    const char *name;
    va_list list;

    va_start(list, live);
    while ((name = va_arg(list, const char *))) {
        gst_util_set_object_arg(G_OBJECT(element), name, va_arg(list, const char *));
    }
    va_end(list);
    start(f, element);
    gst_harness_set_live(f->h, live);
    gst_harness_set_src_caps_str(f->h, CAPS("BGRx", 64, 64));
}

void fixture_set_up_64(Fixture *f, const Script *script, gint timeout)
{
    fixture_set_up(f, script, timeout);
    gst_harness_set_src_caps_str(f->h, CAPS("BGRx", 64, 64));
}

void fixture_run(void (*test)(Fixture *f, Script *script))
{
    Script script = SCRIPT_DEFAULT;
    Fixture f = { 0 };

    test(&f, &script);
    if (f.h) {
        fixture_tear_down(&f);
    }
}

void fixture_tear_down(Fixture *f)
{
    gst_element_set_bus(f->h->element, NULL);
    gst_harness_teardown(g_steal_pointer(&f->h));
    gst_object_unref(f->bus);
    script_host_free(f->host);
}

GstBuffer *fixture_picture(Fixture *f, gsize size)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, size, NULL);

    gst_buffer_memset(buffer, 0, (guint8)f->n, size);
    GST_BUFFER_PTS(buffer) = f->n * GST_SECOND / 30;
    GST_BUFFER_DURATION(buffer) = GST_SECOND / 30;
    f->n++;
    return buffer;
}

GstFlowReturn fixture_push(Fixture *f)
{
    return gst_harness_push(f->h, fixture_picture(f, SIZE_64));
}

static gpointer push_thread(gpointer data)
{
    return GINT_TO_POINTER(fixture_push(data));
}

GThread *fixture_push_in_thread(Fixture *f)
{
    return g_thread_new("push", push_thread, f);
}

GstFlowReturn fixture_joined(GThread *thread)
{
    return (GstFlowReturn)GPOINTER_TO_INT(g_thread_join(thread));
}

void fixture_pull(Fixture *f, guint index, gboolean keyframe)
{
    GstBuffer *buffer = gst_harness_pull(f->h);

    g_assert_nonnull(buffer);
    g_assert_cmpuint(GST_BUFFER_PTS(buffer), ==, index * GST_SECOND / 30);
    g_assert_cmpuint(GST_BUFFER_DTS(buffer), ==, GST_BUFFER_PTS(buffer));
    g_assert_cmpint(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT), ==, !keyframe);
    gst_buffer_unref(buffer);
}

GstMessage *fixture_message(Fixture *f, GstMessageType type)
{
    GstMessage *message = gst_bus_timed_pop_filtered(f->bus, 60 * GST_SECOND, type);

    g_assert_nonnull(message);
    return message;
}

void fixture_error(Fixture *f, GQuark domain, gint code, const char *text)
{
    GstMessage *message = fixture_message(f, GST_MESSAGE_ERROR);
    GError *error = NULL;

    gst_message_parse_error(message, &error, NULL);
    g_test_message("%s", error->message);
    g_assert_error(error, domain, code);
    g_assert_nonnull(strstr(error->message, text));
    g_error_free(error);
    gst_message_unref(message);
}

guint64 fixture_stat(Fixture *f, const char *name)
{
    GstStructure *stats;
    guint64 n;

    g_object_get(f->h->element, "stats", &stats, NULL);
    g_assert_true(gst_structure_get_uint64(stats, name, &n));
    gst_structure_free(stats);
    return n;
}

void fixture_ask_for_keyframe(Fixture *f)
{
    gst_harness_push_upstream_event(f->h, gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 1));
}

guint fixture_key_unit_events(Fixture *f)
{
    GstEvent *event;
    guint n = 0;

    while ((event = gst_harness_try_pull_event(f->h))) {
        n += gst_video_event_is_force_key_unit(event) ? 1 : 0;
        gst_event_unref(event);
    }
    return n;
}

gboolean fixture_wait_event(Fixture *f, GstEventType type)
{
    gboolean found = FALSE;
    GstEvent *event;

    while (!found && (event = gst_harness_pull_event(f->h))) {
        found = GST_EVENT_TYPE(event) == type;
        gst_event_unref(event);
    }
    return found;
}

void fixture_no_hang(const char *what, gint64 since)
{
    gint64 took = g_get_monotonic_time() - since;

    g_test_message("%s in %" G_GINT64_FORMAT " us", what, took);
    g_assert_cmpint(took, <, 8 * G_USEC_PER_SEC);
}

void fixture_stop_in_time(Fixture *f)
{
    gint64 before = g_get_monotonic_time();

    g_assert_cmpint(gst_element_set_state(f->h->element, GST_STATE_NULL), ==, GST_STATE_CHANGE_SUCCESS);
    fixture_no_hang("stopped", before);
}
