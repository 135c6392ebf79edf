/* SPDX-License-Identifier: GPL-2.0-or-later */
/* caps.c - the output caps follow the input caps; what cannot be coded is not accepted. */
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
static void test_follow(void)
{
    static const char *const given[][2] = {
        { "format=BGRx, framerate=30/1", "framerate=30/1, pixel-aspect-ratio=1/1, colorimetry=bt709" },
        { "format=BGRx, framerate=15/1", "framerate=15/1, pixel-aspect-ratio=1/1, colorimetry=bt709" },
        { "format=BGRx, framerate=15/1, pixel-aspect-ratio=4/3", "framerate=15/1, pixel-aspect-ratio=4/3" },
        { "format=BGRx, framerate=0/1, max-framerate=60/1", "framerate=0/1, max-framerate=60/1, pixel-aspect-ratio=1/1" },
        { "format=RGBA, framerate=30/1, interlace-mode=progressive", "framerate=30/1, interlace-mode=progressive" },
    };
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    fixture_set_up(&f, &script, -1);
    for (guint i = 0; i < G_N_ELEMENTS(given); i++) {
        g_autofree char *caps = g_strconcat(RAW, given[i][0], NULL);
        g_autofree char *expected = g_strconcat("video/x-h264, width=64, height=64, ", given[i][1], NULL);

        gst_harness_set_src_caps_str(f.h, caps);
        push_and_pull(&f, SIZE_64);
        check_output(&f, expected);
    }
    fixture_tear_down(&f);
}

/* New caps do not wait long for a slow host: pictures under way keep the caps they were given with. */
static void test_under_way(void)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.hold = TRUE;
    fixture_set_up_with(&f, &script, 0, TRUE, NULL);
    push_size(&f, SIZE_64);
    push_size(&f, SIZE_64);
    g_assert_true(script_host_wait_frames(f.host, 1));
    gst_harness_set_src_caps_str(f.h, RAW "format=BGRx, framerate=10/1, pixel-aspect-ratio=2/1");
    push_size(&f, SIZE_64);
    script_host_allow(f.host, 1);
    fixture_pull(&f, 0, TRUE);
    check_output(&f, "video/x-h264, framerate=30/1, pixel-aspect-ratio=1/1");
    script_host_allow(f.host, 1);
    fixture_pull(&f, 1, FALSE);
    check_output(&f, "video/x-h264, framerate=30/1, pixel-aspect-ratio=1/1");
    script_host_allow(f.host, 1);
    fixture_pull(&f, 2, FALSE);
    check_output(&f, "video/x-h264, framerate=10/1, pixel-aspect-ratio=2/1");
    fixture_tear_down(&f);
}

/* ---- interlaced video ---- */

static gboolean accepts(GstHarness *h, const char *fields)
{
    g_autofree char *text = g_strconcat(RAW "format=NV12, framerate=25/1", fields, NULL);
    g_autoptr(GstCaps) caps = gst_caps_from_string(text);
    g_autoptr(GstPad) pad = gst_element_get_static_pad(h->element, "sink");
    g_autoptr(GstCaps) allowed = gst_pad_query_caps(pad, NULL);

    g_assert_cmpint(gst_caps_can_intersect(allowed, caps), ==, gst_pad_query_accept_caps(pad, caps));
    return gst_pad_query_accept_caps(pad, caps);
}

static void test_interlaced(void)
{
    static const char *const refused[] = { "interleaved", "mixed", "fields" };
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    fixture_set_up(&f, &script, -1);
    g_assert_true(accepts(f.h, ""));
    g_assert_true(accepts(f.h, ", interlace-mode=progressive"));
    for (guint i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autofree char *field = g_strconcat(", interlace-mode=", refused[i], NULL);
        g_autofree char *text = g_strconcat(RAW "format=BGRx, framerate=25/1", field, NULL);
        g_autoptr(GstCaps) caps = gst_caps_from_string(text);

        g_assert_false(accepts(f.h, field));
        /* In mid-stream too. */
        gst_harness_set_src_caps_str(f.h, RAW "format=BGRx, framerate=25/1");
        gst_pad_push_event(f.h->srcpad, gst_event_new_caps(caps));
        g_assert_cmpint(fixture_push(&f), ==, GST_FLOW_NOT_NEGOTIATED);
    }
    gst_harness_set_src_caps_str(f.h, RAW "format=BGRx, framerate=25/1");
    push_and_pull(&f, SIZE_64);
    check_output(&f, "video/x-h264, interlace-mode=progressive");
    fixture_tear_down(&f);
}

void add_caps_tests(void)
{
    g_test_add_func("/caps/follow", test_follow);
    g_test_add_func("/caps/under-way", test_under_way);
    g_test_add_func("/caps/interlaced", test_interlaced);
}
