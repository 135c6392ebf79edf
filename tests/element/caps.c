/* SPDX-License-Identifier: GPL-2.0-or-later */
/* caps.c - the output caps follow the input caps; what cannot be coded is not accepted. */
#include <string.h>
#include "fixture.h"

#define RAW "video/x-raw, width=64, height=64, "

/* Whether the output caps have all that @expected has. */
static void check_output(Fixture *f, const char *expected)
{
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(f->h->sinkpad), wanted = gst_caps_from_string(expected);
    g_autofree char *text = gst_caps_to_string(caps);

    g_test_message("%s", text);
    g_assert_true(gst_caps_is_subset(caps, wanted));
}

static void push_size(Fixture *f, gsize size)
{
    g_assert_cmpint(gst_harness_push(f->h, fixture_picture(f, size)), ==, GST_FLOW_OK);
}

static void push_and_pull(Fixture *f, gsize size)
{
    GstBuffer *unit;

    push_size(f, size);
    unit = gst_harness_pull(f->h);
    g_assert_nonnull(unit);
    gst_buffer_unref(unit);
}

/* What changes in mid-stream beside the size: downstream is told with the first picture that has it. */
ELEMENT_TEST("/caps/follow", test_follow)
{
    static const char *const given[][2] = {
        { "format=BGRx, framerate=30/1", "framerate=30/1, pixel-aspect-ratio=1/1, colorimetry=bt709" },
        { "format=BGRx, framerate=15/1", "framerate=15/1, pixel-aspect-ratio=1/1, colorimetry=bt709" },
        { "format=BGRx, framerate=15/1, pixel-aspect-ratio=4/3", "framerate=15/1, pixel-aspect-ratio=4/3" },
        { "format=BGRx, framerate=0/1, max-framerate=60/1",
          "framerate=0/1, max-framerate=60/1, pixel-aspect-ratio=1/1" },
        { "format=RGBA, framerate=30/1, interlace-mode=progressive", "framerate=30/1, interlace-mode=progressive" },
    };

    fixture_set_up(f, script, -1);
    for (guint i = 0; i < G_N_ELEMENTS(given); i++) {
        g_autofree char *caps = g_strconcat(RAW, given[i][0], NULL);
        g_autofree char *expected = g_strconcat("video/x-h264, width=64, height=64, ", given[i][1], NULL);

        gst_harness_set_src_caps_str(f->h, caps);
        push_and_pull(f, SIZE_64);
        check_output(f, expected);
    }
}

/* New caps do not wait long for a slow host: pictures under way keep the caps they were given with. */
ELEMENT_TEST("/caps/under-way", test_under_way)
{
    script->hold = TRUE;
    fixture_set_up_with(f, script, 0, TRUE, NULL);
    push_size(f, SIZE_64);
    g_assert_true(script_host_wait_frames(f->host, 1)); /* else the next may take its place */
    push_size(f, SIZE_64);
    gst_harness_set_src_caps_str(f->h, RAW "format=BGRx, framerate=10/1, pixel-aspect-ratio=2/1");
    push_size(f, SIZE_64);
    script_host_allow(f->host, 1);
    fixture_pull(f, 0, TRUE);
    check_output(f, "video/x-h264, framerate=30/1, pixel-aspect-ratio=1/1");
    script_host_allow(f->host, 1);
    fixture_pull(f, 1, FALSE);
    check_output(f, "video/x-h264, framerate=30/1, pixel-aspect-ratio=1/1");
    script_host_allow(f->host, 1);
    fixture_pull(f, 2, FALSE);
    check_output(f, "video/x-h264, framerate=10/1, pixel-aspect-ratio=2/1");
}

/* ---- colours ---- */

static void check_told(Fixture *f, guint config, const guint8 expected[12])
{
    gsize size;
    const guint8 *told = script_host_config(f->host, config, &size);

    g_assert_cmpuint(size, ==, HELIX_CONFIG_VUI_SIZE);
    g_assert_cmpmem(told + HELIX_CONFIG_LONG_SIZE, 12, expected, 12);
}

/* What YUV is in goes to the host in H.264's terms, and what the host says is in force to downstream. */
ELEMENT_TEST("/caps/colours", test_colours)
{
    static const struct {
        const char *given, *told;
        guint8 vui[12];
    } cases[] = {
        { "format=NV12, colorimetry=bt601, chroma-site=mpeg2",
          "colorimetry=bt601, chroma-site=mpeg2",
          { 0, 0, 0, 0, 6, 6, 6, 0, 1 } },
        { "format=I420, colorimetry=bt2020, chroma-site=jpeg", "colorimetry=bt2020", { 0, 0, 0, 0, 9, 15, 9, 0, 2 } },
        { "format=NV12, colorimetry=1:3:5:1", "colorimetry=1:3:5:1", { 0, 0, 0, 0, 0, 0, 0, 1, 2 } },
        { "format=NV12, colorimetry=bt709, pixel-aspect-ratio=16/11",
          "colorimetry=bt709, pixel-aspect-ratio=16/11",
          { 16, 0, 11, 0, 0, 0, 0, 0, 2 } },
        { "format=NV12, colorimetry=bt2100-pq, pixel-aspect-ratio=300/70000",
          "colorimetry=bt2100-pq",
          { 3, 0, 188, 2, 9, 16, 9, 0, 2 } },
        { "format=BGRx, pixel-aspect-ratio=1/2", "colorimetry=bt709, pixel-aspect-ratio=1/2", { 1, 0, 2, 0 } },
        /* Of a size where GStreamer means BT.601, with chroma in the middle, if caps do not say. */
        { "format=NV12", "colorimetry=bt601", { 0, 0, 0, 0, 6, 6, 6, 0, 2 } },
        { "format=BGRx", "colorimetry=bt709, pixel-aspect-ratio=1/1", { 0 } },
    };

    fixture_set_up(f, script, -1);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *caps = g_strconcat(RAW "framerate=30/1, ", cases[i].given, NULL);
        g_autofree char *expected = g_strconcat("video/x-h264, ", cases[i].told, NULL);

        gst_harness_set_src_caps_str(f->h, caps);
        push_and_pull(f, strstr(caps, "BGRx") ? SIZE_64 : 64 * 96);
        check_told(f, script_host_configs(f->host) - 1, cases[i].vui);
        check_output(f, expected);
    }
    g_assert_null(gst_bus_pop_filtered(f->bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR));
}

/* A host that cannot be told codes BT.709 in limited range: what is not, is converted to that here. */
static void check_converted(guint32 capabilities, const char *given, const guint8 from[3], const guint8 to[3])
{
    g_autofree char *caps = g_strconcat(RAW "framerate=30/1, ", given, NULL);
    Script script = SCRIPT_DEFAULT;
    ScriptFrame seen;
    GstBuffer *buffer;
    Fixture f;

    script.capabilities = capabilities;
    fixture_set_up(&f, &script, -1);
    gst_harness_set_src_caps_str(f.h, caps);
    buffer = fixture_picture(&f, 64 * 96);
    gst_buffer_memset(buffer, 0, from[0], 64 * 64);
    for (guint i = 64 * 64; i < 64 * 96; i++) {
        guint which = strstr(given, "I420") ? (i < 64 * 80 ? 1 : 2) : 1 + i % 2;

        gst_buffer_memset(buffer, i, from[which], 1);
    }
    g_assert_cmpint(gst_harness_push(f.h, buffer), ==, GST_FLOW_OK);
    gst_buffer_unref(gst_harness_pull(f.h));
    seen = script_host_frame(f.host, 0);
    g_test_message("%s: %u %u %u", given, seen.luma, seen.cb, seen.cr);
    g_assert_cmphex(seen.fourcc, ==, HELIX_FORMAT_NV12);
    g_assert_cmpint(ABS(seen.luma - to[0]), <=, 1);
    g_assert_cmpint(ABS(seen.cb - to[1]), <=, 1);
    g_assert_cmpint(ABS(seen.cr - to[2]), <=, 1);
    if (!(capabilities & HELIX_CAP_VUI)) {
        check_output(&f, "video/x-h264, colorimetry=bt709");
    }
    fixture_tear_down(&f);
}

TEST("/caps/converted", test_converted)
{
    static const guint8 red601[] = { 81, 90, 240 }, red709[] = { 63, 102, 240 }, white_full[] = { 255, 128, 128 },
                        white[] = { 235, 128, 128 };

    check_converted(HELIX_CAP_ALL & ~HELIX_CAP_VUI, "format=NV12, colorimetry=bt601", red601, red709);
    check_converted(HELIX_CAP_ALL & ~HELIX_CAP_VUI, "format=I420, colorimetry=bt601", red601, red709);
    check_converted(HELIX_CAP_ALL & ~HELIX_CAP_VUI, "format=NV12, colorimetry=1:3:5:1", white_full, white);
    check_converted(HELIX_CAP_ALL & ~HELIX_CAP_VUI, "format=NV12, colorimetry=bt2020", white, white);
    check_converted(HELIX_CAP_ALL & ~HELIX_CAP_VUI, "format=NV12, colorimetry=bt709", red709, red709);
    check_converted(HELIX_CAP_ALL, "format=NV12, colorimetry=bt601", red601, red601);
    check_converted(0, "format=NV12, colorimetry=bt601", red601, red709);
}

/* The host's word counts for the output caps, and one that means nothing does no harm. */
TEST("/caps/in-force", test_in_force)
{
    Script script = SCRIPT_DEFAULT;

    for (guint i = 1; i < 256; i++) {
        Fixture f;

        script.vui_in_force = (guint8)i;
        fixture_set_up(&f, &script, -1);
        gst_harness_set_src_caps_str(f.h, RAW "format=NV12, framerate=30/1, colorimetry=bt601");
        push_and_pull(&f, 64 * 96);
        check_output(&f, i == 1 ? "video/x-h264, colorimetry=1:3:5:1" : "video/x-h264, pixel-aspect-ratio=1/1");
        fixture_tear_down(&f);
        i += i < 32 ? 0 : 31;
    }
}

/* A live picture that was given before the host agreed, and that it turns out not to be able to label: the next goes
 * converted. */
ELEMENT_TEST("/caps/held", test_held)
{
    GstBuffer *unit;

    script->capabilities &= ~HELIX_CAP_VUI;
    script->config_delay_ms = 300;
    fixture_set_up_with(f, script, 0, TRUE, NULL);
    gst_harness_set_src_caps_str(f->h, RAW "format=NV12, framerate=30/1, colorimetry=1:3:5:1");
    for (guint i = 0; i < 2; i++) {
        GstBuffer *buffer = fixture_picture(f, 64 * 96);

        gst_buffer_memset(buffer, 0, 255, 64 * 64);
        gst_buffer_memset(buffer, 64 * 64, 128, 64 * 32);
        g_assert_cmpint(gst_harness_push(f->h, buffer), ==, GST_FLOW_OK);
        for (guint k = 0; i == 0 && k < 5000 && fixture_stat(f, "skipped") == 0; k++) {
            g_usleep(1000);
        }
    }
    unit = gst_harness_pull(f->h);
    g_assert_cmpuint(GST_BUFFER_PTS(unit), ==, GST_SECOND / 30);
    gst_buffer_unref(unit);
    g_assert_cmpuint(script_host_frame(f->host, 0).luma, ==, 235);
}

/* ---- interlaced video ---- */

static gboolean accepts_caps(GstHarness *h, const char *text)
{
    g_autoptr(GstCaps) caps = gst_caps_from_string(text);
    g_autoptr(GstPad) pad = gst_element_get_static_pad(h->element, "sink");
    g_autoptr(GstCaps) allowed = gst_pad_query_caps(pad, NULL);

    g_assert_cmpint(gst_caps_can_intersect(allowed, caps), ==, gst_pad_query_accept_caps(pad, caps));
    return gst_pad_query_accept_caps(pad, caps);
}

static gboolean accepts(GstHarness *h, const char *fields)
{
    g_autofree char *text = g_strconcat(RAW "format=NV12, framerate=25/1", fields, NULL);

    return accepts_caps(h, text);
}

ELEMENT_TEST("/caps/interlaced", test_interlaced)
{
    static const char *const refused[] = { "interleaved", "mixed", "fields" };

    fixture_set_up(f, script, -1);
    g_assert_true(accepts(f->h, ""));
    g_assert_true(accepts(f->h, ", interlace-mode=progressive"));
    for (guint i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autofree char *field = g_strconcat(", interlace-mode=", refused[i], NULL);
        g_autofree char *text = g_strconcat(RAW "format=BGRx, framerate=25/1", field, NULL);
        g_autoptr(GstCaps) caps = gst_caps_from_string(text);

        g_assert_false(accepts(f->h, field));
        /* In mid-stream too. */
        gst_harness_set_src_caps_str(f->h, RAW "format=BGRx, framerate=25/1");
        gst_pad_push_event(f->h->srcpad, gst_event_new_caps(caps));
        g_assert_cmpint(fixture_push(f), ==, GST_FLOW_NOT_NEGOTIATED);
    }
    gst_harness_set_src_caps_str(f->h, RAW "format=BGRx, framerate=25/1");
    push_and_pull(f, SIZE_64);
    check_output(f, "video/x-h264, interlace-mode=progressive");
}

/* What caps offer is what H.264 has a level for: 139264 macroblocks at most, of 8192 a side at most (the host's check).
 */
ELEMENT_TEST("/caps/sizes", test_sizes)
{
    const struct {
        gint width, height;
        gboolean good;
    } size[] = {
        { 2, 2, TRUE },       { 8192, 4352, TRUE },  { 4352, 8192, TRUE },  { 7680, 4320, TRUE },  { 5120, 5120, TRUE },
        { 5968, 5968, TRUE }, { 8192, 8192, FALSE }, { 8192, 4353, FALSE }, { 6000, 6000, FALSE },
    };

    fixture_set_up(f, script, -1);
    for (guint i = 0; i < G_N_ELEMENTS(size); i++) {
        g_autofree char *caps = g_strdup_printf("video/x-raw, format=BGRx, framerate=25/1, width=%d, height=%d",
                                                size[i].width, size[i].height);
        guint macroblocks = (guint)((size[i].width + 15) / 16 * ((size[i].height + 15) / 16));

        g_test_message("%s", caps);
        g_assert_cmpint(accepts_caps(f->h, caps), ==, size[i].good);
        g_assert_true(!size[i].good || macroblocks <= 139264);
    }
}
