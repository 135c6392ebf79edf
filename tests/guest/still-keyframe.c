/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * still-keyframe PIPELINE...: plays a pipeline with a "vsockenc name=enc" and an "appsink name=out" until its source
 * stands still, then asks for keyframes as viewers that join do, and says how long each took: "keyframe after 103 ms".
 */
#include <gst/app/gstappsink.h>
#include <gst/video/video.h>

#define KEYFRAMES 5
#define STILL_MS 1000 /* no picture for so long: the screen stands still */
#define WAIT_SECONDS 60

static GstSample *pull(GstElement *sink, GstClockTime timeout)
{
    return gst_app_sink_try_pull_sample(GST_APP_SINK(sink), timeout);
}

/* FALSE: none came at all, or they never stop. */
static gboolean wait_until_still(GstElement *sink)
{
    gint64 end = g_get_monotonic_time() + WAIT_SECONDS * G_USEC_PER_SEC;
    GstSample *sample = pull(sink, WAIT_SECONDS * GST_SECOND);
    gboolean any = sample != NULL;

    while (sample && g_get_monotonic_time() < end) {
        gst_sample_unref(sample);
        sample = pull(sink, STILL_MS * GST_MSECOND);
    }
    if (sample) {
        g_printerr("the screen does not stand still\n");
        gst_sample_unref(sample);
        return FALSE;
    }
    return any;
}

static gboolean ask(GstElement *sink)
{
    gint64 begin = g_get_monotonic_time();
    GstSample *sample;
    gboolean keyframe;

    gst_element_send_event(sink, gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 1));
    sample = pull(sink, WAIT_SECONDS * GST_SECOND);
    if (!sample) {
        g_printerr("no keyframe\n");
        return FALSE;
    }
    keyframe = !GST_BUFFER_FLAG_IS_SET(gst_sample_get_buffer(sample), GST_BUFFER_FLAG_DELTA_UNIT);
    g_print("keyframe after %" G_GINT64_FORMAT " ms\n", (g_get_monotonic_time() - begin) / 1000);
    gst_sample_unref(sample);
    if (!keyframe) {
        g_printerr("it is no keyframe\n");
    }
    return keyframe;
}

/* Messages are printed where they say what went wrong. */
static void print_error(GstElement *pipeline)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    GstMessage *message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_autoptr(GError) error = NULL;

    if (message) {
        gst_message_parse_error(message, &error, NULL);
        g_printerr("%s\n", error->message);
        gst_message_unref(message);
    }
}

static guint64 repeats_of(GstElement *encoder)
{
    GstStructure *stats;
    guint64 repeats = 0;

    g_object_get(encoder, "stats", &stats, NULL);
    gst_structure_get_uint64(stats, "repeats", &repeats);
    gst_structure_free(stats);
    return repeats;
}

int main(int argc, char **argv)
{
    g_autofree char *text = g_strjoinv(" ", argv + 1);
    GstElement *pipeline, *sink, *encoder;
    GError *error = NULL;
    gboolean good;

    gst_init(NULL, NULL);
    pipeline = gst_parse_launch(text, &error);
    if (!pipeline || error) {
        g_printerr("%s\n", error->message);
        return 1;
    }
    sink = gst_bin_get_by_name(GST_BIN(pipeline), "out");
    encoder = gst_bin_get_by_name(GST_BIN(pipeline), "enc");
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    good = wait_until_still(sink);
    for (guint i = 0; i < KEYFRAMES && good; i++) {
        good = ask(sink);
    }
    g_print("repeats %" G_GUINT64_FORMAT "\n", repeats_of(encoder));
    print_error(pipeline);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(encoder);
    gst_object_unref(sink);
    gst_object_unref(pipeline);
    return good ? 0 : 1;
}
