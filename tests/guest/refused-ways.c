/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refused-ways: what the element does when the host cannot read its buffers, on a real virtio-gpu with a scripted host.
 *
 * The ways of guest-copy are tried in order with the first picture; none is lost, and the last resort is pixels.
 */
#include "../element/fixture.h"

/* Nothing of the GPU stays behind an element that is gone: buffers would keep the render node open. */
static void check_closed(void)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename("/proc/self/fd", name, NULL);
        g_autofree char *target = g_file_read_link(path, NULL);

        g_assert_false(target && (g_str_has_prefix(target, "/dev/dri") || strstr(target, "dmabuf")));
    }
}

static void tear_down(Fixture *f)
{
    fixture_tear_down(f);
    check_closed();
}

static guint way_count(void)
{
    return 3;       /* blob, pages, texture: this needs a GPU with blob=on */
}

static void check_reason(Fixture *f, const char *path, const char *text)
{
    g_autofree char *is = NULL, *reason = NULL;

    g_object_get(f->h->element, "path", &is, "path-reason", &reason, NULL);
    g_assert_cmpstr(is, ==, path);
    g_test_message("%s", reason);
    g_assert_nonnull(strstr(reason, text));
}

/* The first @refused pictures are answered with @code: as many ways fall out, then every picture arrives. */
static void check_refused(guint refused, gint32 code)
{
    Script script = SCRIPT_DEFAULT;
    gboolean pixels = refused >= way_count();
    Fixture f;

    script.error_from = refused ? 0 : -1;
    script.error_to = (gint)refused - 1;
    script.error_code = code;
    fixture_set_up_64(&f, &script, -1);
    for (guint i = 0; i < 5; i++) {
        GstBuffer *out;

        g_assert_cmpint(fixture_push(&f), ==, GST_FLOW_OK);
        out = gst_harness_pull(f.h);
        g_assert_nonnull(out);
        g_assert_cmpuint(GST_BUFFER_PTS(out), ==, i * GST_SECOND / 30);
        gst_buffer_unref(out);
    }
    g_assert_cmpuint(script_host_frames(f.host), ==, refused + 5);
    for (guint i = 0; i < refused + 5; i++) {
        ScriptFrame frame = script_host_frame(f.host, i);
        gboolean by_pixels = i >= way_count() && pixels;

        g_assert_cmpint((frame.flags & HELIX_REQUEST_PIXEL_DATA) != 0, ==, by_pixels);
        g_assert_cmpint(frame.resource_id != 0, ==, !by_pixels);
    }
    g_assert_cmpuint(fixture_stat(&f, "dropped"), ==, 0);
    if (pixels) {
        check_reason(&f, "pixel-data", "as the script says");
    } else {
        check_reason(&f, "guest-copy", "plain memory");
    }
    tear_down(&f);
}

static void test_none(void)
{
    check_refused(0, 0);
}

static void test_one(void)
{
    check_refused(1, HELIX_CODE_NOT_FOUND);
}

static void test_two(void)
{
    check_refused(2, HELIX_CODE_NOT_READABLE);
}

static void test_all(void)
{
    check_refused(3, HELIX_CODE_GEOMETRY);
}

/* A host of the first days knows textures only. */
static void test_frozen_only(void)
{
    Script script = SCRIPT_DEFAULT;
    ScriptFrame frame;
    Fixture f;

    script.frozen_only = TRUE;
    fixture_set_up_64(&f, &script, -1);
    g_assert_cmpint(fixture_push(&f), ==, GST_FLOW_OK);
    fixture_pull(&f, 0, TRUE);
    frame = script_host_frame(f.host, 0);
    g_assert_cmpuint(frame.flags, ==, 0);
    g_assert_cmpuint(frame.resource_id, !=, 0);
    g_assert_cmpuint(frame.stride, ==, 64 * 4);
    check_reason(&f, "guest-copy", "plain memory");
    tear_down(&f);
}

/* NV12 has no texture: such a host gets pixels. */
static void test_frozen_nv12(void)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.frozen_only = TRUE;
    fixture_set_up(&f, &script, -1);
    gst_harness_set_src_caps_str(f.h, CAPS("NV12", 64, 64));
    g_assert_cmpint(gst_harness_push(f.h, fixture_picture(&f, 64 * 64 * 3 / 2)), ==, GST_FLOW_OK);
    fixture_pull(&f, 0, TRUE);
    g_assert_cmpuint(script_host_frame(f.host, 0).flags, ==, HELIX_REQUEST_PIXEL_DATA);
    check_reason(&f, "pixel-data", "insert videoconvert");
    tear_down(&f);
}

/* A host that dies with a picture on trial, or while it is stopped, ends it like any other. */
static void test_dying(void)
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    script.close_at = 0;
    fixture_set_up_64(&f, &script, -1);
    g_assert_cmpint(fixture_push(&f), ==, GST_FLOW_ERROR);
    fixture_error(&f, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ, "");
    tear_down(&f);
}

static void test_stopped(void)
{
    Script script = SCRIPT_DEFAULT;
    GThread *push;
    Fixture f;

    script.hold = TRUE;
    fixture_set_up_64(&f, &script, -1);
    push = fixture_push_in_thread(&f);
    g_assert_true(script_host_wait_frames(f.host, 1));
    fixture_stop_in_time(&f);
    g_assert_cmpint(fixture_joined(push), ==, GST_FLOW_FLUSHING);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/none", test_none);
    g_test_add_func("/one", test_one);
    g_test_add_func("/two", test_two);
    g_test_add_func("/all", test_all);
    g_test_add_func("/frozen-only", test_frozen_only);
    g_test_add_func("/frozen-nv12", test_frozen_nv12);
    g_test_add_func("/dying", test_dying);
    g_test_add_func("/stopped", test_stopped);
    return g_test_run();
}
