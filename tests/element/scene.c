/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scene.c - see scene.h. */
#include "scene.h"

#include <gst/app/gstappsink.h>

void scene_set_up(Scene *scene, const char *option, const char *line)
{
    g_autofree char *encoder = NULL, *whole = NULL;
    g_auto(GStrv) parts = g_strsplit(line, "%s", 2);
    GError *error = NULL;

    real_host_start(&scene->host, option);
    encoder = g_strdup_printf("vsockenc name=enc socket-path=%s", scene->host.path);
    whole = g_strconcat(parts[0], encoder, parts[1], NULL);
    scene->pipeline = gst_parse_launch(whole, &error);
    g_assert_no_error(error);
    scene->encoder = gst_bin_get_by_name(GST_BIN(scene->pipeline), "enc");
    scene->sink = gst_bin_get_by_name(GST_BIN(scene->pipeline), "out");
}

void scene_tear_down(Scene *scene)
{
    gst_element_set_state(scene->pipeline, GST_STATE_NULL);
    gst_object_unref(scene->encoder);
    gst_clear_object(&scene->sink);
    gst_object_unref(scene->pipeline);
    real_host_stop(&scene->host);
}

GstSample *scene_pull(Scene *scene)
{
    GstSample *sample = gst_app_sink_try_pull_sample(GST_APP_SINK(scene->sink), 20 * GST_SECOND);

    g_assert_nonnull(sample);
    return sample;
}
