/* SPDX-License-Identifier: GPL-2.0-or-later */
/* paths.c - what the element says of the path pictures take. With a GPU: tests/guest/refused-copy-modes.c. */
#include "fixture.h"

static void push_and_pull(Fixture *f, gsize size)
{
    GstBuffer *out;

    g_assert_cmpint(gst_harness_push(f->h, fixture_picture(f, size)), ==, GST_FLOW_OK);
    out = gst_harness_pull(f->h);
    g_assert_nonnull(out);
    gst_buffer_unref(out);
}

/* ---- which path, and why ---- */

static void check_path(Fixture *f, const char *path, const char *reason)
{
    g_autofree char *is = NULL, *why = NULL;

    g_object_get(f->h->element, "path", &is, "path-reason", &why, NULL);
    g_test_message("%s: %s", is, why ? why : "-");
    g_assert_cmpstr(is, ==, path);
    if (reason) {
        g_assert_nonnull(why);
        g_assert_nonnull(strstr(why, reason));
    } else {
        g_assert_null(why);
    }
}

ELEMENT_TEST("/paths/path", test_path)
{
    if (g_file_test("/dev/dri", G_FILE_TEST_EXISTS)) {
        g_test_skip("this machine has a GPU");
        return;
    }
    fixture_set_up_64(f, script, -1);
    check_path(f, "none", NULL);
    push_and_pull(f, SIZE_64);
    check_path(f, "pixel-data", "There is no render node of a virtio-gpu");
    check_path(f, "pixel-data", "Upstream gives plain memory");
}

/* Nothing goes: the reason is what the error says. */
TEST("/paths/no-path", test_no_path)
{
    GstElement *element = gst_object_ref_sink(gst_element_factory_make("vsockenc", NULL));
    g_autofree char *path = NULL, *why = NULL;

    g_object_set(element, "socket-path", "/nonexistent/socket", NULL);
    gst_element_set_state(element, GST_STATE_PAUSED);
    for (guint i = 0; i < 6000 && !why; i++) {
        g_free(path);
        g_object_get(element, "path", &path, "path-reason", &why, NULL);
        g_usleep(10 * 1000);
    }
    g_assert_cmpstr(path, ==, "none");
    g_assert_nonnull(why);
    g_assert_nonnull(strstr(why, "/nonexistent/socket"));
    gst_element_set_state(element, GST_STATE_NULL);
    gst_object_unref(element);
}
