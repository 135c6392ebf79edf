/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-scenarios.c - what gst-validate's scenarios do to encoders, done to real pipelines against the real core:
 * states, flushing seeks, new caps and properties while playing; and hosts that are slow, hang or come back. (Debian
 * has no package of gst-validate, so its own runner is not used.)
 */
#include <signal.h>
#include <string.h>
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include "cases.h"
#include "../../hw/display/helix/protocol/helix-wire.h"
#include "plugins.h"
#include "scene.h"

static void go(Scene *scene, GstState state)
{
    GstStateChangeReturn result = gst_element_set_state(scene->pipeline, state);

    g_assert_cmpint(result, !=, GST_STATE_CHANGE_FAILURE);
    if (result == GST_STATE_CHANGE_ASYNC) {
        g_assert_cmpint(gst_element_get_state(scene->pipeline, NULL, NULL, 20 * GST_SECOND), ==,
                        GST_STATE_CHANGE_SUCCESS);
    }
}

static void no_errors(Scene *scene)
{
    GstBus *bus = gst_element_get_bus(scene->pipeline);
    GstMessage *message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR | GST_MESSAGE_WARNING);
    GError *error = NULL;

    if (message) {
        gst_message_parse_error(message, &error, NULL);
        g_error("%s", error->message);
    }
    gst_object_unref(bus);
}

static guint64 stat_of(Scene *scene, const char *name)
{
    GstStructure *stats;
    guint64 n;

    g_object_get(scene->encoder, "stats", &stats, NULL);
    g_assert_true(gst_structure_get_uint64(stats, name, &n));
    gst_structure_free(stats);
    return n;
}

static gboolean is_keyframe(GstSample *sample)
{
    return !GST_BUFFER_FLAG_IS_SET(gst_sample_get_buffer(sample), GST_BUFFER_FLAG_DELTA_UNIT);
}

/* How many NAL units of @type the access unit has. */
static guint count_nals(GstSample *sample, guint8 type)
{
    GstMapInfo map;
    guint n = 0;

    g_assert_true(gst_buffer_map(gst_sample_get_buffer(sample), &map, GST_MAP_READ));
    for (gsize i = 0; i + 3 < map.size; i++) {
        if (map.data[i] == 0 && map.data[i + 1] == 0 && map.data[i + 2] == 1) {
            n += (map.data[i + 3] & 0x1f) == type ? 1 : 0;
        }
    }
    gst_buffer_unmap(gst_sample_get_buffer(sample), &map);
    return n;
}

static void with_scene(void (*test)(Scene *scene))
{
    Scene scene;

    test(&scene);
    no_errors(&scene);
    scene_tear_down(&scene);
}

/* A case with a scene that it sets up, and in which no error or warning may be left. */
#define SCENE_TEST(path, function) \
    static void function(Scene *scene); \
    TEST(path, function##_with_scene) \
    { \
        with_scene(function); \
    } \
    static void function(Scene *scene)

/* ---- states ---- */

SCENE_TEST("/scenario/states", test_states)
{
    const GstState way[] = {
        GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_READY, GST_STATE_PLAYING,
        GST_STATE_NULL,   GST_STATE_PLAYING, GST_STATE_READY,  GST_STATE_PAUSED,  GST_STATE_NULL,  GST_STATE_PLAYING,
    };

    scene_set_up(scene, NULL,
                 "videotestsrc ! video/x-raw,format=BGRx,width=128,height=96 ! %s ! h264parse ! avdec_h264 ! "
                 "appsink name=out sync=false max-buffers=2");
    for (guint i = 0; i < G_N_ELEMENTS(way); i++) {
        go(scene, way[i]);
        if (way[i] == GST_STATE_PLAYING) {
            for (guint j = 0; j < 5; j++) {
                gst_sample_unref(scene_pull(scene));
            }
        }
    }
}

/* ---- flushing seeks ---- */

SCENE_TEST("/scenario/seeks", test_seeks)
{
    scene_set_up(scene, NULL,
                 "videotestsrc ! video/x-raw,format=BGRx,width=128,height=96,framerate=30/1 ! %s ! "
                 "appsink name=out sync=false max-buffers=2");
    go(scene, GST_STATE_PLAYING);
    for (guint i = 0; i < 20; i++) {
        GstClockTime to = (i * 7 % 20) * GST_SECOND;
        GstSample *sample;

        g_assert_true(gst_element_seek_simple(scene->pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, (gint64)to));
        /* What comes after a flush is new, and needs nothing that was flushed. */
        sample = scene_pull(scene);
        g_assert_cmpuint(GST_BUFFER_PTS(gst_sample_get_buffer(sample)), ==, to);
        g_assert_true(is_keyframe(sample));
        gst_sample_unref(sample);
    }
}

/* ---- new caps ---- */

SCENE_TEST("/scenario/renegotiation", test_renegotiation)
{
    /* Each of another size: it tells that the change was made, and capsfilter takes no other before. */
    const struct {
        const char *format;
        gint width, height;
    } way[] = {
        { "BGRx", 320, 240 }, { "NV12", 352, 288 }, { "RGBA", 161, 121 }, { "BGRx", 640, 360 }, { "BGRx", 128, 96 }
    };
    GstElement *filter;

    scene_set_up(scene, NULL,
                 "videotestsrc ! capsfilter name=caps ! %s ! h264parse ! avdec_h264 ! "
                 "appsink name=out sync=false max-buffers=2");
    filter = gst_bin_get_by_name(GST_BIN(scene->pipeline), "caps");
    for (guint i = 0; i < G_N_ELEMENTS(way); i++) {
        GstCaps *caps = gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, way[i].format, "width", G_TYPE_INT,
                                            way[i].width, "height", G_TYPE_INT, way[i].height, NULL);
        gboolean there = FALSE;

        g_object_set(filter, "caps", caps, NULL);
        gst_caps_unref(caps);
        go(scene, GST_STATE_PLAYING);
        for (guint j = 0; j < 200 && !there; j++) {
            GstSample *sample = scene_pull(scene);
            GstVideoInfo info;

            g_assert_true(gst_video_info_from_caps(&info, gst_sample_get_caps(sample)));
            there = info.width == (gint)GST_ROUND_UP_2(way[i].width) &&
                info.height == (gint)GST_ROUND_UP_2(way[i].height);
            gst_sample_unref(sample);
        }
        g_assert_true(there);
    }
    gst_object_unref(filter);
}

/* ---- a branch that is linked again ---- */

static void on_handoff(GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer count)
{
    g_atomic_int_inc((gint *)count);
}

static void wait_for(gint *count, gint n)
{
    for (guint i = 0; i < 2000 && g_atomic_int_get(count) < n; i++) {
        g_usleep(10 * 1000);
    }
    g_assert_cmpint(g_atomic_int_get(count), >=, n);
}

/* As a recorder's branch of a tee: its queue stops when nothing is linked, and goes on when something is. */
SCENE_TEST("/scenario/linked-again", test_linked_again)
{
    GstPad *source, *sink;
    gint count = 0;

    scene_set_up(
        scene, NULL,
        "videotestsrc is-live=true ! video/x-raw,format=BGRx,width=64,height=64,framerate=60/1 ! "
        "tee allow-not-linked=true ! queue ! %s ! fakesink name=out sync=false async=false signal-handoffs=true");
    g_signal_connect(scene->sink, "handoff", G_CALLBACK(on_handoff), &count);
    source = gst_element_get_static_pad(scene->encoder, "src");
    sink = gst_element_get_static_pad(scene->sink, "sink");
    go(scene, GST_STATE_PLAYING);
    wait_for(&count, 5);
    for (guint i = 0; i < 3; i++) {
        gst_pad_unlink(source, sink);
        g_usleep(100 * 1000);
        g_atomic_int_set(&count, 0);
        g_assert_cmpint(gst_pad_link(source, sink), ==, GST_PAD_LINK_OK);
        wait_for(&count, 10);
    }
    gst_object_unref(source);
    gst_object_unref(sink);
}

/* ---- properties while playing ---- */

static guint read_uint(Scene *scene, const char *name)
{
    guint value;

    g_object_get(scene->encoder, name, &value, NULL);
    return value;
}

/* The next sample of which @is is true; FALSE if none of the next @limit is. */
static gboolean comes(Scene *scene, gboolean (*is)(GstSample *sample, guint value), guint value, guint limit)
{
    gboolean there = FALSE;

    for (guint i = 0; i < limit && !there; i++) {
        GstSample *sample = scene_pull(scene);

        there = is(sample, value);
        gst_sample_unref(sample);
    }
    return there;
}

static gboolean has_aud(GstSample *sample, guint value)
{
    return count_nals(sample, 9) == value;
}

static gboolean has_slices(GstSample *sample, guint value)
{
    return count_nals(sample, 1) + count_nals(sample, 5) == value;
}

static gboolean is_larger(GstSample *sample, guint value)
{
    return !is_keyframe(sample) && gst_buffer_get_size(gst_sample_get_buffer(sample)) > value;
}

SCENE_TEST("/scenario/properties", test_properties)
{
    guint keyframes = 0;
    gint mode;

    scene_set_up(scene, NULL,
                 "videotestsrc pattern=snow ! video/x-raw,format=BGRx,width=320,height=240,framerate=30/1 ! "
                 "%s bitrate=300 ! appsink name=out sync=false max-buffers=2");
    go(scene, GST_STATE_PLAYING);
    gst_sample_unref(scene_pull(scene));
    g_assert_cmpuint(read_uint(scene, "bitrate"), ==, 300);
    /* The host chose these. */
    g_assert_cmpuint(read_uint(scene, "num-slices"), ==, 1);
    g_object_get(scene->encoder, "rate-control", &mode, NULL);
    g_assert_cmpint(mode, ==, HELIX_RATE_CBR);

    /* 300 kbit/s are 1250 bytes a picture. */
    g_object_set(scene->encoder, "bitrate", 6000, NULL);
    g_assert_true(comes(scene, is_larger, 10000, 100));
    g_assert_cmpuint(read_uint(scene, "bitrate"), ==, 6000);
    g_assert_cmpuint(stat_of(scene, "keyframes"), ==, 1); /* the running encoder took it */

    g_object_set(scene->encoder, "aud", TRUE, NULL);
    g_assert_true(comes(scene, has_aud, 1, 20));
    g_object_set(scene->encoder, "num-slices", 3, NULL);
    g_assert_true(comes(scene, has_slices, 3, 20));
    g_assert_cmpuint(read_uint(scene, "num-slices"), ==, 3);

    gst_util_set_object_arg(G_OBJECT(scene->encoder), "rate-control", "cqp");
    g_object_set(scene->encoder, "min-qp", 10, NULL);
    g_assert_true(comes(scene, is_larger, 60000, 20));
    g_assert_cmpuint(read_uint(scene, "min-qp"), ==, 10);
    gst_util_set_object_arg(G_OBJECT(scene->encoder), "rate-control", "vbr");
    g_object_set(scene->encoder, "min-qp", 0, "max-qp", 40, "max-bitrate", 9000, NULL);
    for (guint i = 0; i < 20; i++) {
        gst_sample_unref(scene_pull(scene));
    }
    g_assert_cmpuint(read_uint(scene, "max-bitrate"), ==, 9000);
    g_assert_cmpuint(read_uint(scene, "max-qp"), ==, 40);

    g_object_set(scene->encoder, "key-int-max", 5, NULL);
    for (guint i = 0; i < 45; i++) {
        GstSample *sample = scene_pull(scene);

        keyframes += i >= 20 && is_keyframe(sample);
        gst_sample_unref(sample);
    }
    g_assert_cmpuint(keyframes, ==, 5);
}

static void expect(Scene *scene, GstMessageType type, const char *text)
{
    GstBus *bus = gst_element_get_bus(scene->pipeline);
    GstMessage *message = gst_bus_timed_pop_filtered(bus, 20 * GST_SECOND, type);
    GError *error = NULL;

    g_assert_nonnull(message);
    if (type == GST_MESSAGE_ERROR) {
        gst_message_parse_error(message, &error, NULL);
    } else if (type == GST_MESSAGE_WARNING) {
        gst_message_parse_warning(message, &error, NULL);
    } else {
        gst_message_parse_info(message, &error, NULL);
    }
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, text));
    g_error_free(error);
    gst_message_unref(message);
    gst_object_unref(bus);
}

/* A change that cannot be, refused by the real host in its own words; the stream goes on. */
SCENE_TEST("/scenario/refused", test_refused)
{
    scene_set_up(scene, NULL,
                 "videotestsrc ! video/x-raw,format=BGRx,width=128,height=96 ! %s max-qp=30 ! "
                 "appsink name=out sync=false max-buffers=2");
    go(scene, GST_STATE_PLAYING);
    gst_sample_unref(scene_pull(scene));
    g_object_set(scene->encoder, "min-qp", 40, NULL);
    for (guint i = 0; i < 20; i++) { /* those under way first */
        gst_sample_unref(scene_pull(scene));
    }
    expect(scene, GST_MESSAGE_WARNING, "the smallest is not above the largest");
    g_assert_cmpuint(read_uint(scene, "min-qp"), ==, 0);
}

/* ---- downstream's profile and level ---- */

static void check_profile(const char *asked)
{
    g_autofree char *caps = g_strdup_printf("video/x-h264,%s", asked);
    g_autofree char *line = g_strdup_printf("videotestsrc ! video/x-raw,format=BGRx,width=128,height=96 ! %%s ! %s ! "
                                            "appsink name=out sync=false max-buffers=2",
                                            caps);
    GstSample *sample;
    GstCaps *wanted;
    Scene scene;

    scene_set_up(&scene, NULL, line);
    go(&scene, GST_STATE_PLAYING);
    sample = scene_pull(&scene);
    wanted = gst_caps_from_string(caps);
    g_assert_true(gst_caps_is_subset(gst_sample_get_caps(sample), wanted));
    gst_caps_unref(wanted);
    gst_sample_unref(sample);
    no_errors(&scene);
    scene_tear_down(&scene);
}

TEST("/scenario/profile", test_profile)
{
    Scene scene;

    check_profile("profile=constrained-baseline");
    check_profile("profile=baseline");
    check_profile("profile=main");
    check_profile("profile=high,level=(string)2");
    check_profile("profile=high,level=(string)4.2");
    check_profile("level=(string){ 4, 5.1 }");
    check_profile("profile=constrained-baseline,level=(string){ 1, 1.1, 1.2, 1.3, 2, 2.1, 2.2, 3, 3.1 }");
    /* 1280 x 720 is more than level 1 has room for. */
    scene_set_up(&scene, NULL,
                 "videotestsrc ! video/x-raw,format=BGRx,width=1280,height=720 ! %s ! "
                 "video/x-h264,level=(string)1 ! appsink name=out sync=false");
    gst_element_set_state(scene.pipeline, GST_STATE_PLAYING);
    expect(&scene, GST_MESSAGE_ERROR, "Downstream does not accept the host's stream");
    scene_tear_down(&scene);
}

/* ---- hosts ---- */

/* A host that takes three times as long as a picture lasts: no queue grows, and what is dropped is counted. */
SCENE_TEST("/scenario/slow", test_slow)
{
    GstElement *queue;
    guint level, highest = 0;

    scene_set_up(scene, "--encode-delay=100",
                 "videotestsrc is-live=true ! video/x-raw,format=BGRx,width=128,height=96,"
                 "framerate=30/1 ! queue name=q max-size-buffers=0 max-size-bytes=0 max-size-time=0 ! %s ! "
                 "appsink name=out sync=false max-buffers=2");
    queue = gst_bin_get_by_name(GST_BIN(scene->pipeline), "q");
    go(scene, GST_STATE_PLAYING);
    for (guint i = 0; i < 20; i++) {
        gst_sample_unref(scene_pull(scene));
        g_object_get(queue, "current-level-buffers", &level, NULL);
        highest = i > 5 ? MAX(highest, level) : 0;
    }
    g_test_message("skipped %" G_GUINT64_FORMAT ", most in the queue %u", stat_of(scene, "skipped"), highest);
    g_assert_cmpuint(stat_of(scene, "skipped"), >, 0);
    g_assert_cmpuint(highest, <, 10);
    gst_object_unref(queue);
}

static void push_picture(GstElement *source, GstClockTime pts)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 128 * 96 * 4, NULL);

    gst_buffer_memset(buffer, 0, 100, 128 * 96 * 4);
    GST_BUFFER_PTS(buffer) = pts;
    g_assert_cmpint(gst_app_src_push_buffer(GST_APP_SRC(source), buffer), ==, GST_FLOW_OK);
}

/* One picture and then none: a viewer that joins gets an IDR all the same. */
SCENE_TEST("/scenario/still", test_still)
{
    GstElement *source;
    GstSample *sample;
    gint64 before;

    scene_set_up(scene, NULL,
                 "appsrc name=in is-live=true format=time caps=video/x-raw,format=BGRx,width=128,height=96,"
                 "framerate=0/1,max-framerate=30/1 ! %s ! appsink name=out sync=false");
    source = gst_bin_get_by_name(GST_BIN(scene->pipeline), "in");
    gst_element_set_state(scene->pipeline, GST_STATE_PLAYING);
    push_picture(source, 0);
    gst_sample_unref(scene_pull(scene));
    before = g_get_monotonic_time();
    gst_element_send_event(scene->sink, gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 1));
    sample = scene_pull(scene);
    g_test_message("keyframe of a still screen in %" G_GINT64_FORMAT " us", g_get_monotonic_time() - before);
    g_assert_true(is_keyframe(sample));
    g_assert_cmpuint(count_nals(sample, 5), >, 0);
    g_assert_cmpuint(stat_of(scene, "repeats"), ==, 1);
    gst_sample_unref(sample);
    gst_object_unref(source);
}

/* The host's process goes and comes again: the decoder behind goes on. */
SCENE_TEST("/scenario/comes-back", test_comes_back)
{
    scene_set_up(scene, NULL,
                 "videotestsrc is-live=true ! video/x-raw,format=BGRx,width=128,height=96,framerate=30/1 ! "
                 "%s reconnect=true ! h264parse ! avdec_h264 ! appsink name=out sync=false max-buffers=2 drop=true");
    go(scene, GST_STATE_PLAYING);
    for (guint i = 0; i < 10; i++) {
        gst_sample_unref(scene_pull(scene));
    }
    real_host_kill(&scene->host);
    expect(scene, GST_MESSAGE_WARNING, "reconnect=true");
    real_host_again(&scene->host);
    expect(scene, GST_MESSAGE_INFO, "Connected to the host");
    for (guint i = 0; i < 10; i++) {
        gst_sample_unref(scene_pull(scene));
    }
    g_assert_cmpuint(stat_of(scene, "reconnects"), ==, 1);
}

/* A host that is stopped in the middle: the pipeline is not. */
TEST("/scenario/hangs", test_hangs)
{
    gint64 before;
    Scene scene;

    scene_set_up(&scene, NULL,
                 "videotestsrc ! video/x-raw,format=BGRx,width=128,height=96 ! %s timeout=0 ! "
                 "appsink name=out sync=false max-buffers=2");
    go(&scene, GST_STATE_PLAYING);
    gst_sample_unref(scene_pull(&scene));
    kill(scene.host.pid, SIGSTOP);
    g_usleep(100 * 1000);
    before = g_get_monotonic_time();
    g_assert_true(gst_element_seek_simple(scene.pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 0));
    g_test_message("flushing seek in %" G_GINT64_FORMAT " us", g_get_monotonic_time() - before);
    before = g_get_monotonic_time();
    gst_element_set_state(scene.pipeline, GST_STATE_NULL);
    g_test_message("NULL in %" G_GINT64_FORMAT " us", g_get_monotonic_time() - before);
    kill(scene.host.pid, SIGCONT);
    scene_tear_down(&scene);
}

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    g_test_init(&argc, &argv, NULL);
    if (!real_load_plugins()) {
        return 77;
    }
    test_cases_add();
    return g_test_run();
}
