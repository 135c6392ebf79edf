/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-element.c - the element's behaviour in front of hosts of every kind, without a GPU. */
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include "script-host.h"

#define CAPS(w, h) "video/x-raw, format=BGRx, framerate=30/1, width=" #w ", height=" #h
#define SIZE_64 (64 * 64 * 4)

typedef struct Fixture {
    ScriptHost *host;
    GstHarness *h;
    GstBus *bus;
    guint n;                    /* pictures given */
} Fixture;

static void set_up(Fixture *f, const Script *script, const char *launch)
{
    GstElement *element = gst_element_factory_make("vsockenc", NULL);

    g_assert_nonnull(element);
    f->host = script_host_new(script);
    g_object_set(element, "socket-path", script_host_path(f->host), NULL);
    if (launch) {
        gst_util_set_object_arg(G_OBJECT(element), "timeout", launch);
    }
    f->h = gst_harness_new_with_element(element, "sink", "src");
    f->bus = gst_bus_new();
    gst_element_set_bus(element, f->bus);
    gst_object_unref(element);
    f->n = 0;
}

static void tear_down(Fixture *f)
{
    gst_harness_teardown(f->h);
    gst_object_unref(f->bus);
    script_host_free(f->host);
}

static GstBuffer *picture(Fixture *f, gsize size)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, size, NULL);

    gst_buffer_memset(buffer, 0, (guint8)f->n, size);
    GST_BUFFER_PTS(buffer) = f->n * GST_SECOND / 30;
    GST_BUFFER_DURATION(buffer) = GST_SECOND / 30;
    f->n++;
    return buffer;
}

static GstFlowReturn push(Fixture *f)
{
    return gst_harness_push(f->h, picture(f, SIZE_64));
}

/* Pulls one access unit, waiting for it. */
static GstBuffer *pull(Fixture *f)
{
    GstBuffer *buffer = gst_harness_pull(f->h);

    g_assert_nonnull(buffer);
    return buffer;
}

static void pull_pts(Fixture *f, guint index, gboolean keyframe)
{
    GstBuffer *buffer = pull(f);

    g_assert_cmpuint(GST_BUFFER_PTS(buffer), ==, index * GST_SECOND / 30);
    g_assert_cmpuint(GST_BUFFER_DTS(buffer), ==, GST_BUFFER_PTS(buffer));
    g_assert_cmpint(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT), ==, !keyframe);
    gst_buffer_unref(buffer);
}

static void test_each_at_once(void)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    set_up(&f, &script, NULL);
    gst_harness_set_src_caps_str(f.h, CAPS(64, 64));
    for (guint i = 0; i < 5; i++) {
        g_assert_cmpint(push(&f), ==, GST_FLOW_OK);
        /* Before the next goes in: the last picture before silence must come out too. */
        pull_pts(&f, i, i == 0);
    }
    tear_down(&f);
}

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/element/each-at-once", test_each_at_once);
    return g_test_run();
}
