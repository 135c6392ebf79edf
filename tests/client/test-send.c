/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-send.c - frames by their pixels, and what needs a virtio-gpu on a machine without one. */
#include <string.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "fixture.h"

static void count_release(gpointer data)
{
    g_atomic_int_inc((gint *)data);
}

static guint8 picture[64 * 48 * 4];

TEST("/send/pixels", test_pixels)
{
    HelixClientImage image = {
        .format = HELIX_CLIENT_FORMAT_XR24, .width = 64, .height = 48, .stride = { 256 }, .data = { picture }
    };
    Script script = SCRIPT_DEFAULT;
    HelixClientFrame *frame;
    gint released = 0;
    ScriptFrame seen;
    Fixture f;

    fixture_set_up(&f, &script);
    frame = helix_client_frame_new_pixels(&image, NULL);
    g_assert_cmpint(helix_client_frame_get_path(frame), ==, HELIX_CLIENT_PATH_PIXEL_DATA);
    helix_client_frame_set_release(frame, count_release, &released);
    helix_client_submit(f.client, frame, 1000, HELIX_CLIENT_TIME_NONE, FALSE, NULL);
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    g_assert_cmpint(g_atomic_int_get(&released), ==, 1);
    seen = script_host_frame(f.host, 0);
    g_assert_cmphex(seen.flags & HELIX_REQUEST_PIXEL_DATA, ==, HELIX_REQUEST_PIXEL_DATA);
    g_assert_cmpuint(seen.payload_size, ==, HELIX_REQUEST_SIZE + sizeof(picture));
    g_assert_cmpuint(seen.stride, ==, 256);
    g_assert_cmpuint(fixture_stats(&f).pixel_bytes, ==, sizeof(picture));
    g_assert_cmpuint(fixture_stats(&f).cpu_bytes, ==, sizeof(picture));
    fixture_tear_down(&f);
}

/* I420 with a crop: copied into NV12. The first samples say that it is the right part. */
TEST("/send/planes", test_planes)
{
    static guint8 luma[64 * 48], cb[32 * 24], cr[32 * 24];
    HelixClientImage image = {
        .format = HELIX_CLIENT_FORMAT_YU12,
        .width = 64,
        .height = 48,
        .crop_x = 4,
        .crop_y = 2,
        .crop_width = 20,
        .crop_height = 10,
        .stride = { 64, 32, 32 },
        .data = { luma, cb, cr },
    };
    Script script = SCRIPT_DEFAULT;
    ScriptFrame seen;
    Fixture f;

    luma[2 * 64 + 4] = 77;
    cb[32 + 2] = 88;
    cr[32 + 2] = 99;
    fixture_set_up(&f, &script);
    helix_client_submit(f.client, helix_client_frame_new_pixels(&image, NULL), 1000, 0, FALSE, NULL);
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    seen = script_host_frame(f.host, 0);
    g_assert_cmpuint(seen.fourcc, ==, HELIX_FORMAT_NV12);
    g_assert_cmpuint(seen.width, ==, 20);
    g_assert_cmpuint(seen.payload_size, ==, HELIX_REQUEST_SIZE + 20 * 10 * 3 / 2);
    g_assert_cmpuint(seen.luma, ==, 77);
    g_assert_cmpuint(seen.cb, ==, 88);
    g_assert_cmpuint(seen.cr, ==, 99);
    fixture_tear_down(&f);
}

/* What cannot be an image is refused before memory is read. */
TEST("/send/not-an-image", test_not_an_image)
{
    HelixClientImage images[] = {
        { .format = 0, .width = 64, .height = 48, .stride = { 256 }, .data = { picture } },
        { .format = HELIX_CLIENT_FORMAT_XR24, .width = 0, .height = 48, .data = { picture } },
        { .format = HELIX_CLIENT_FORMAT_XR24, .width = 1u << 20, .height = 1u << 20, .data = { picture } },
        { .format = HELIX_CLIENT_FORMAT_XR24,
          .width = 64,
          .height = 48,
          .crop_x = 60,
          .crop_width = 5,
          .crop_height = 1,
          .data = { picture } },
        { .format = HELIX_CLIENT_FORMAT_XR24,
          .width = 64,
          .height = 48,
          .crop_x = G_MAXUINT32,
          .crop_width = 2,
          .crop_height = 1,
          .data = { picture } },
    };

    for (guint i = 0; i < G_N_ELEMENTS(images); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(helix_client_frame_new_pixels(&images[i], &error));
        g_assert_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_IMAGE);
    }
}

/* The same picture for another host: its pixels are copied, and the first one's memory may go. */
TEST("/send/again", test_again)
{
    HelixClientImage image = {
        .format = HELIX_CLIENT_FORMAT_XR24, .width = 64, .height = 48, .stride = { 256 }, .data = { picture }
    };
    Script script = SCRIPT_DEFAULT;
    HelixClientFrame *frame, *again;
    HelixClientEvent *event;
    Fixture f;

    fixture_set_up(&f, &script);
    frame = helix_client_frame_new_pixels(&image, NULL);
    again = helix_client_frame_again(f.client, frame, NULL, NULL);
    g_assert_true(helix_client_frame_is_again(again));
    helix_client_frame_unref(frame);
    helix_client_submit(f.client, again, 1000, 0, FALSE, NULL);
    event = fixture_expect(&f, HELIX_CLIENT_EVENT_ACCESS_UNIT);
    g_assert_true(event->was_repeat);
    helix_client_event_free(event);
    g_assert_cmpuint(fixture_stats(&f).cpu_bytes, ==, 2 * sizeof(picture));
    fixture_tear_down(&f);
}

/* ---- without a virtio-gpu ---- */

TEST("/send/no-gpu", test_no_gpu)
{
    HelixClientImage image = {
        .format = HELIX_CLIENT_FORMAT_XR24, .width = 64, .height = 48, .stride = { 256 }, .data = { picture }
    };
    g_autoptr(HelixClient) client = helix_client_new();
    HelixClientBufferKind kind;
    GError *error = NULL;

    g_assert_null(helix_client_frame_new_dmabuf(client, 0, &image, &error));
    g_assert_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_NO_GPU);
    g_clear_error(&error);
    g_assert_null(helix_client_frame_new_copy(client, &image, &error));
    g_assert_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_NO_GPU);
    g_clear_error(&error);
    g_assert_false(helix_client_buffer_kind(client, image.format, &kind));
}

static void check_no_gpu(const char *folder, const char *text)
{
    GError *error = NULL;

    g_assert_null(helix_client_gpu_open(folder, &error));
    g_assert_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_NO_GPU);
    g_assert_nonnull(strstr(error->message, text));
    g_error_free(error);
}

/* As a user whom the node's mode shuts out. */
static void check_no_permission(const char *folder)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        GError *error = NULL;

        if (getuid() == 0 && setuid(65534) != 0) {
            _exit(2);
        }
        _exit(!helix_client_gpu_open(folder, &error) &&
                      g_error_matches(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_PERMISSION) &&
                      strstr(error->message, "render")
                  ? 0
                  : 1);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
}

TEST("/send/gpu-open", test_gpu_open)
{
    g_autofree char *dir = g_dir_make_tmp("helix-client-XXXXXX", NULL);
    g_autofree char *node = g_build_filename(dir, "renderD128", NULL);

    check_no_gpu("/nonexistent", "/nonexistent");
    check_no_gpu(dir, "no render node of a virtio-gpu");
    /* Something that is no virtio-gpu. */
    g_assert_true(g_file_set_contents(node, "", 0, NULL));
    check_no_gpu(dir, "no render node of a virtio-gpu");
    g_assert_cmpint(g_chmod(node, 0), ==, 0);
    g_assert_cmpint(g_chmod(dir, 0755), ==, 0);
    check_no_permission(dir);
    g_unlink(node);
    g_rmdir(dir);
}

TEST("/send/exporter", test_exporter)
{
    int fd = memfd_create("no-dmabuf", MFD_CLOEXEC);

    g_assert_null(helix_client_dmabuf_exporter(fd));
    g_assert_null(helix_client_dmabuf_exporter(-1));
    close(fd);
}
