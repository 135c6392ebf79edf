/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-real.c - the element against the real core with x264: what comes out is decoded and compared with what went in.
 */
#include <math.h>
#include <string.h>
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include "cases.h"
#include "plugins.h"
#include "scene.h"

/* Mean squared error of one plane. */
static double plane_error(GstVideoFrame *a, GstVideoFrame *b, guint plane, guint width, guint height)
{
    double sum = 0;
    const guint8 *p = GST_VIDEO_FRAME_PLANE_DATA(a, plane), *q = GST_VIDEO_FRAME_PLANE_DATA(b, plane);

    for (guint y = 0; y < height; y++) {
        for (guint x = 0; x < width; x++) {
            sum += (p[x] - q[x]) * (p[x] - q[x]);
        }
        p += GST_VIDEO_FRAME_PLANE_STRIDE(a, plane);
        q += GST_VIDEO_FRAME_PLANE_STRIDE(b, plane);
    }
    return sum / (width * height);
}

static void map_sample(GstSample *sample, GstVideoFrame *frame)
{
    GstVideoInfo info;

    g_assert_true(gst_video_info_from_caps(&info, gst_sample_get_caps(sample)));
    g_assert_true(gst_video_frame_map(frame, &info, gst_sample_get_buffer(sample), GST_MAP_READ));
}

static void compare(GstSample *decoded, GstSample *drawn, guint width, guint height)
{
    GstVideoFrame a, b;

    map_sample(decoded, &a);
    map_sample(drawn, &b);
    g_assert_cmpint(GST_VIDEO_FRAME_WIDTH(&a), ==, GST_ROUND_UP_2(width));
    g_assert_cmpint(GST_VIDEO_FRAME_HEIGHT(&a), ==, GST_ROUND_UP_2(height));
    for (guint plane = 0; plane < 3; plane++) {
        guint w = plane ? width / 2 : width, h = plane ? height / 2 : height;
        double mse = plane_error(&a, &b, plane, w, h);
        double psnr = mse > 0 ? 10 * log10(255 * 255 / mse) : 99;

        if (plane == 0 || psnr < 35) {
            g_test_message("plane %u: %.1f dB", plane, psnr);
        }
        g_assert_cmpfloat(psnr, >=, plane ? 32 : 35);
    }
    gst_video_frame_unmap(&a);
    gst_video_frame_unmap(&b);
}

static GstSample *pull(GstElement *pipeline, const char *name)
{
    GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline), name);
    GstSample *sample = gst_app_sink_try_pull_sample(GST_APP_SINK(sink), 20 * GST_SECOND);

    gst_object_unref(sink);
    return sample;
}

static void check_message(GstElement *pipeline, guint frames)
{
    GstBus *bus = gst_element_get_bus(pipeline);
    gboolean stats = FALSE;
    GstMessage *message;

    while ((message = gst_bus_timed_pop_filtered(bus, 20 * GST_SECOND,
                                                 GST_MESSAGE_ELEMENT | GST_MESSAGE_EOS | GST_MESSAGE_ERROR))) {
        GstMessageType type = GST_MESSAGE_TYPE(message);

        g_assert_cmpint(type, !=, GST_MESSAGE_ERROR);
        if (gst_message_has_name(message, "vsockenc-stats")) {
            const GstStructure *s = gst_message_get_structure(message);
            g_autofree char *text = gst_structure_to_string(s);
            guint64 n;

            g_test_message("%s", text);
            g_assert_true(gst_structure_get_uint64(s, "frames", &n) && n == frames);
            g_assert_true(gst_structure_get_uint64(s, "pixel-data", &n) && n == frames);
            g_assert_cmpstr(gst_structure_get_string(s, "encoder"), ==, "x264");
            stats = TRUE;
        }
        gst_message_unref(message);
        if (type == GST_MESSAGE_EOS) {
            break;
        }
    }
    g_assert_true(stats);
    gst_object_unref(bus);
}

/*
 * @frames of a moving pattern as @format, decoded and compared, one by one and in order. @crop is taken off each side:
 * by crop meta, as vsockenc offers that.
 */
static void check_stream(const char *format, guint width, guint height, guint crop, guint frames)
{
    g_autofree char *line = NULL;
    Scene scene;

    /* What goes in is turned into BT.709 by videoconvert for the comparison, by the host for the encoder. */
    line = g_strdup_printf("videotestsrc pattern=smpte75 horizontal-speed=5 num-buffers=%u ! "
                           "video/x-raw,format=%s,width=%u,height=%u,framerate=30/1%s ! tee name=t "
                           "t. ! queue ! videocrop left=%u right=%u top=%u bottom=%u ! "
                           "%%s bitrate=20000 ! h264parse ! avdec_h264 ! "
                           "videoconvert ! video/x-raw,format=I420 ! appsink name=decoded sync=false max-buffers=2 "
                           "t. ! queue max-size-buffers=0 max-size-time=0 max-size-bytes=0 ! videoconvert ! "
                           "videocrop left=%u right=%u top=%u bottom=%u ! videoconvert ! "
                           "video/x-raw,format=I420,colorimetry=bt709 ! appsink name=drawn sync=false",
                           frames, format, width, height, g_str_equal(format, "NV12") ? ",colorimetry=bt709" : "", crop,
                           crop, crop, crop, crop, crop, crop, crop);
    scene_set_up(&scene, NULL, line);
    gst_element_set_state(scene.pipeline, GST_STATE_PLAYING);
    for (guint i = 0; i < frames; i++) {
        GstSample *decoded = pull(scene.pipeline, "decoded"), *drawn = pull(scene.pipeline, "drawn");

        g_assert_nonnull(decoded);
        g_assert_nonnull(drawn);
        g_assert_cmpuint(GST_BUFFER_PTS(gst_sample_get_buffer(decoded)), ==,
                         GST_BUFFER_PTS(gst_sample_get_buffer(drawn)));
        compare(decoded, drawn, width - 2 * crop, height - 2 * crop);
        gst_sample_unref(decoded);
        gst_sample_unref(drawn);
    }
    check_message(scene.pipeline, frames);
    scene_tear_down(&scene);
}

TEST("/real/pictures", test_pictures)
{
    static const struct {
        const char *format;
        guint width, height, crop, frames;
    } cases[] = {
        { "BGRx", 320, 240, 0, 30 }, { "RGBA", 176, 144, 0, 8 },  { "NV12", 322, 182, 0, 8 },
        { "BGRx", 321, 183, 0, 8 },  { "BGRx", 320, 240, 22, 8 }, { "NV12", 320, 240, 14, 8 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s, %ux%u less %u", cases[i].format, cases[i].width, cases[i].height, cases[i].crop);
        check_stream(cases[i].format, cases[i].width, cases[i].height, cases[i].crop, cases[i].frames);
    }
}

/* ---- colours ---- */

/* The middles of the seven bars that videotestsrc draws over the upper two thirds. */
static void compare_bars(GstSample *decoded, GstSample *drawn)
{
    GstVideoFrame a, b;

    map_sample(decoded, &a);
    map_sample(drawn, &b);
    for (guint bar = 0; bar < 7; bar++) {
        guint x = (2 * bar + 1) * (guint)GST_VIDEO_FRAME_WIDTH(&a) / 14, y = (guint)GST_VIDEO_FRAME_HEIGHT(&a) / 3;
        const guint8 *p = GST_VIDEO_FRAME_PLANE_DATA(&a, 0), *q = GST_VIDEO_FRAME_PLANE_DATA(&b, 0);

        p += (gssize)y * GST_VIDEO_FRAME_PLANE_STRIDE(&a, 0) + 4 * x;
        q += (gssize)y * GST_VIDEO_FRAME_PLANE_STRIDE(&b, 0) + 4 * x;
        g_test_message("bar %u: %u %u %u of %u %u %u", bar, p[0], p[1], p[2], q[0], q[1], q[2]);
        for (guint i = 0; i < 3; i++) {
            g_assert_cmpint(ABS(p[i] - q[i]), <=, 2);
        }
    }
    gst_video_frame_unmap(&a);
    gst_video_frame_unmap(&b);
}

/* Whether the decoder's output caps have all that @expected has: over RTP it knows what the stream says, and nothing
 * else. */
static void check_decoder(GstElement *pipeline, const char *expected)
{
    g_autoptr(GstElement) decoder = gst_bin_get_by_name(GST_BIN(pipeline), "decoder");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(decoder, "src");
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad), wanted = gst_caps_from_string(expected);
    g_autofree char *text = gst_caps_to_string(caps);

    g_test_message("decoder: %s", text);
    g_assert_true(gst_caps_is_subset(caps, wanted));
}

/*
 * Bars in RGB, turned into @given, and what a viewer makes of the stream: the same colours. They are compared with what
 * turning them into @given and back leaves of them without a stream in between.
 */
static void check_colours(const char *given, const char *seen)
{
    g_autofree char *line = NULL, *expected = g_strconcat("video/x-raw, ", seen, NULL);
    GstSample *decoded, *drawn;
    Scene scene;

    line = g_strdup_printf(
        "videotestsrc pattern=smpte75 num-buffers=1 ! video/x-raw,format=RGBA,width=280,height=180,framerate=30/1%s ! "
        "videoconvert ! video/x-raw,%s ! tee name=t t. ! queue ! %%s bitrate=20000 ! h264parse ! "
        "rtph264pay config-interval=-1 ! rtph264depay ! h264parse ! avdec_h264 name=decoder ! videoconvert ! "
        "video/x-raw,format=RGBA ! appsink name=decoded sync=false "
        "t. ! queue ! videoconvert ! video/x-raw,format=RGBA ! appsink name=drawn sync=false",
        strstr(given, "aspect") ? strstr(given, ",pixel-aspect") : "", given);
    scene_set_up(&scene, NULL, line);
    gst_element_set_state(scene.pipeline, GST_STATE_PLAYING);
    decoded = pull(scene.pipeline, "decoded");
    drawn = pull(scene.pipeline, "drawn");
    g_assert_nonnull(decoded);
    g_assert_nonnull(drawn);
    check_decoder(scene.pipeline, expected);
    if (!strstr(given, "BGRx")) { /* whose way back videoconvert alone would go: see the tests above */
        compare_bars(decoded, drawn);
    }
    gst_sample_unref(decoded);
    gst_sample_unref(drawn);
    scene_tear_down(&scene);
}

TEST("/real/colours", test_colours)
{
    check_colours("format=NV12,colorimetry=bt601", "colorimetry=bt601, pixel-aspect-ratio=1/1");
    check_colours("format=I420,colorimetry=bt2020", "colorimetry=bt2020");
    check_colours("format=NV12,colorimetry=1:3:5:1", "colorimetry=1:3:5:1");
    check_colours("format=NV12,colorimetry=1:4:16:4,pixel-aspect-ratio=12/11",
                  "colorimetry=1:4:16:4, pixel-aspect-ratio=12/11");
    check_colours("format=NV12,colorimetry=bt709,pixel-aspect-ratio=1000/999",
                  "colorimetry=bt709, pixel-aspect-ratio=1000/999");
    check_colours("format=BGRx,pixel-aspect-ratio=4/3", "colorimetry=bt709, pixel-aspect-ratio=4/3");
}

/* Slow is not silent: a host answers pings while it encodes, and is not taken for dead. */
TEST("/real/slow", test_slow)
{
    Scene scene;

    scene_set_up(&scene, "--encode-delay=1200",
                 "videotestsrc num-buffers=3 ! video/x-raw,format=BGRx,width=64,height=64 ! %s timeout=500 ! "
                 "fakesink sync=false");
    gst_element_set_state(scene.pipeline, GST_STATE_PLAYING);
    check_message(scene.pipeline, 3);
    scene_tear_down(&scene);
}

/* What the host refuses is told in the number that was set, with the one that would be right */
static void check_bitrate(const char *bitrate, const char *text)
{
    g_autofree char *line = NULL;
    g_autofree char *debug = NULL;
    g_autoptr(GError) error = NULL;
    GstMessage *message;
    GstBus *bus;
    Scene scene;

    line = g_strdup_printf("videotestsrc num-buffers=3 ! video/x-raw,format=BGRx,width=64,height=64 ! "
                           "%%s bitrate=%s ! fakesink",
                           bitrate);
    scene_set_up(&scene, "--quiet", line);
    bus = gst_element_get_bus(scene.pipeline);
    gst_element_set_state(scene.pipeline, GST_STATE_PLAYING);
    message = gst_bus_timed_pop_filtered(bus, 20 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    g_assert_cmpint(GST_MESSAGE_TYPE(message), ==, GST_MESSAGE_ERROR);
    gst_message_parse_error(message, &error, &debug);
    g_test_message("%s", error->message);
    g_assert_error(error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS);
    g_assert_true(g_str_has_prefix(error->message, text));
    g_assert_nonnull(strstr(error->message, "The host refuses the stream's settings"));
    gst_message_unref(message);
    gst_object_unref(bus);
    scene_tear_down(&scene);
}

/* One stream too many: what is limited, and by which name. */
TEST("/real/too-many", test_too_many)
{
    g_autoptr(GError) error = NULL;
    GstElement *other;
    GstMessage *message;
    Scene scene;
    GstBus *bus;

    scene_set_up(&scene, "--max-streams=1",
                 "videotestsrc ! video/x-raw,format=BGRx,width=64,height=64 ! tee name=t ! queue ! %s ! fakesink "
                 "t. ! queue ! vsockenc name=other ! fakesink");
    other = gst_bin_get_by_name(GST_BIN(scene.pipeline), "other");
    g_object_set(other, "socket-path", scene.host.path, NULL);
    gst_object_unref(other);
    bus = gst_element_get_bus(scene.pipeline);
    gst_element_set_state(scene.pipeline, GST_STATE_PLAYING);
    message = gst_bus_timed_pop_filtered(bus, 20 * GST_SECOND, GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    gst_message_parse_error(message, &error, NULL);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, "helix-max-streams"));
    g_assert_null(strstr(error->message, "SESSION_CLOSE"));
    gst_message_unref(message);
    gst_object_unref(bus);
    scene_tear_down(&scene);
}

TEST("/real/bitrate", test_bitrate)
{
    check_bitrate("8000000", "bitrate=8000000 is in kbit/s");
    check_bitrate("1500000", "bitrate=1500000 is in kbit/s");
    check_bitrate("1", "The host refuses");
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
