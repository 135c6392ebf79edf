/* SPDX-License-Identifier: GPL-2.0-or-later */
/* element-run.c - see element-run.h. */
#include "element-run.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <stdio.h>

#define FRAME_NS (GST_SECOND / 60)

int element_run_complain(const ElementRun *run, const char *text)
{
    fprintf(stderr, "%s: %s\n", run->name, text);
    return -1;
}

/* The film's number comes from the timestamp: what the picture shows must agree with it. */
static GstFlowReturn on_sample(GstAppSink *sink, gpointer data)
{
    ElementRun *run = data;
    GstSample *sample = gst_app_sink_pull_sample(sink);
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    FilmUnit unit = {
        .stream = 1,
        .number = (unsigned)((GST_BUFFER_PTS(buffer) + FRAME_NS / 2) / FRAME_NS) + 1,
        .width = run->width,
        .height = run->height,
        .key = !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT),
    };
    GstMapInfo map;

    if (run->same_size && unit.number > run->same_size) {
        unit.width = run->then_width;
        unit.height = run->then_height;
    }
    /* in order, none missing: the next one is the film's length plus one */
    if (unit.number != run->film.units + 1) {
        fprintf(stderr, "%s: frame %u came out where %u is due\n", run->name, unit.number, run->film.units + 1);
        run->wrong = true;
    }
    if (!gst_buffer_map(buffer, &map, GST_MAP_READ) || film_add(&run->film, &unit, map.data, map.size) < 0) {
        run->wrong = true;
    }
    gst_buffer_unmap(buffer, &map);
    gst_sample_unref(sample);
    return GST_FLOW_OK;
}

int element_run_start(ElementRun *run, const char *caps_text, unsigned port, const char *directory,
                      unsigned max_buffers)
{
    static const GstAppSinkCallbacks callbacks = { .new_sample = on_sample };
    g_autofree char *text = g_strdup_printf("appsrc name=source format=time block=true ! vsockenc name=encoder port=%u "
                                            "bitrate=100000 ! appsink name=sink sync=false",
                                            port);
    g_autoptr(GstCaps) caps = gst_caps_from_string(caps_text);
    g_autoptr(GError) error = NULL;

    if (film_open(&run->film, directory, run->name) < 0) {
        return -1;
    }
    run->pipeline = gst_parse_launch(text, &error);
    if (!run->pipeline || !caps) {
        return element_run_complain(run, error ? error->message : caps_text);
    }
    run->source = gst_bin_get_by_name(GST_BIN(run->pipeline), "source");
    run->encoder = gst_bin_get_by_name(GST_BIN(run->pipeline), "encoder");
    run->sink = gst_bin_get_by_name(GST_BIN(run->pipeline), "sink");
    gst_app_src_set_caps(GST_APP_SRC(run->source), caps);
    gst_app_src_set_max_buffers(GST_APP_SRC(run->source), max_buffers);
    g_object_set(run->source, "block", max_buffers > 0, NULL);
    gst_app_sink_set_callbacks(GST_APP_SINK(run->sink), (GstAppSinkCallbacks *)&callbacks, run, NULL);
    return gst_element_set_state(run->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE
        ? element_run_complain(run, "the pipeline does not start")
        : 0;
}

void element_run_set_caps(ElementRun *run, const char *caps_text)
{
    g_autoptr(GstCaps) caps = gst_caps_from_string(caps_text);

    gst_app_src_set_caps(GST_APP_SRC(run->source), caps);
}

void element_run_stamp(GstBuffer *buffer, unsigned number)
{
    GST_BUFFER_PTS(buffer) = (number - 1) * FRAME_NS;
    GST_BUFFER_DURATION(buffer) = FRAME_NS;
}

int element_run_push(ElementRun *run, GstBuffer *buffer)
{
    return gst_app_src_push_buffer(GST_APP_SRC(run->source), buffer) == GST_FLOW_OK
        ? 0
        : element_run_complain(run, "the pipeline takes no more frames");
}

/* The bus's error within @timeout; NULL at the end of the stream or if nothing came (@ended says which). */
static char *bus_error(ElementRun *run, GstClockTime timeout, bool *ended)
{
    GstBus *bus = gst_element_get_bus(run->pipeline);
    GstMessage *message = gst_bus_timed_pop_filtered(bus, timeout, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
    char *text = NULL;

    *ended = message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
    if (message && !*ended) {
        GError *error = NULL;

        gst_message_parse_error(message, &error, NULL);
        text = g_strdup(error->message);
        g_clear_error(&error);
    }
    g_clear_pointer(&message, gst_message_unref);
    gst_object_unref(bus);
    return text;
}

int element_run_end(ElementRun *run, int ret)
{
    g_autofree char *error = NULL;
    bool ended = false;

    gst_app_src_end_of_stream(GST_APP_SRC(run->source));
    error = bus_error(run, ret == 0 ? ELEMENT_RUN_SECONDS * GST_SECOND : 0, &ended);
    if (error || (ret == 0 && !ended)) {
        return element_run_complain(run, error ? error : "no end of stream");
    }
    return ret;
}

int element_run_expect(ElementRun *run, const char *statistic, guint64 value)
{
    GstStructure *stats = NULL;
    guint64 is = 0;
    int ret = 0;

    g_object_get(run->encoder, "stats", &stats, NULL);
    if (!gst_structure_get_uint64(stats, statistic, &is) || is != value) {
        g_autofree char *text = gst_structure_to_string(stats);

        fprintf(stderr, "%s: %s should be %" G_GUINT64_FORMAT ": %s\n", run->name, statistic, value, text);
        ret = -1;
    }
    gst_structure_free(stats);
    return ret;
}

int element_run_free(ElementRun *run, int ret)
{
    if (run->pipeline) {
        gst_element_set_state(run->pipeline, GST_STATE_NULL);
        g_clear_pointer(&run->source, gst_object_unref);
        g_clear_pointer(&run->encoder, gst_object_unref);
        g_clear_pointer(&run->sink, gst_object_unref);
        g_clear_pointer(&run->pipeline, gst_object_unref);
    }
    if (ret == 0 && run->film.units != run->frames) {
        fprintf(stderr, "%s: %u of %u frames came out\n", run->name, run->film.units, run->frames);
        ret = -1;
    }
    if (run->film.index && film_close(&run->film) < 0) {
        ret = -1;
    }
    return run->wrong ? -1 : ret;
}
