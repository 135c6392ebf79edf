/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-gpu.c - DMA-BUFs by their ids, and frames in virtio-gpu buffers: drawn, copied, refused by GPU or host. */
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include "../../desktop/client/dmabuf-imports.h"
#include "fake-drm.h"
#include "fixture.h"

static guint8 picture[64 * 48 * 4];
static const HelixClientImage image = {
    .format = HELIX_CLIENT_FORMAT_XR24, .width = 64, .height = 48, .stride = { 256 }, .data = { picture }
};

/* Before Linux 5.3 all DMA-BUFs share an inode, as eventfds do: each has its own id all the same, and is imported once.
 */
TEST("/gpu/shared-inode", test_shared_inode)
{
    int fd[3] = { eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC) };
    HelixClientGpu *gpu = fake_drm_gpu();
    guint32 id[G_N_ELEMENTS(fd)];
    GError *error = NULL;
    gboolean new;

    for (guint i = 0; i < G_N_ELEMENTS(fd); i++) {
        id[i] = client_imports_lookup(gpu->imports, fd[i], &new, &error);
        g_assert_no_error(error);
        g_assert_true(new);
        for (guint j = 0; j < i; j++) {
            g_assert_cmpuint(id[i], !=, id[j]);
        }
    }
    for (guint i = 0; i < G_N_ELEMENTS(fd); i++) {
        g_assert_cmpuint(client_imports_lookup(gpu->imports, fd[i], &new, &error), ==, id[i]);
        g_assert_false(new);
    }
    g_assert_cmpint(fake_drm_handles(), ==, 3);
    helix_client_gpu_unref(gpu);
    g_assert_cmpint(fake_drm_handles(), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(fd); i++) {
        close(fd[i]);
    }
}

/* ---- with a host ---- */

static void set_up_gpu(Fixture *f, const Script *script)
{
    HelixClientGpu *gpu = fake_drm_gpu();

    fixture_make(f, script);
    helix_client_set_gpu(f->client, gpu);
    helix_client_gpu_unref(gpu);
    fixture_connect(f);
    fixture_wait_negotiated(f);
}

static void tear_down_gpu(Fixture *f)
{
    fixture_tear_down(f);
    g_assert_cmpint(fake_drm_handles(), ==, 0);
}

/* The host hears of a DMA-BUF when its write fence is signalled, and by its resource id. */
TEST("/gpu/dmabuf", test_dmabuf)
{
    Script script = SCRIPT_DEFAULT;
    int fd = eventfd(0, EFD_CLOEXEC);
    HelixClientFrame *frame;
    GError *error = NULL;
    Fixture f;

    set_up_gpu(&f, &script);
    for (guint i = 0; i < 2; i++) {
        frame = helix_client_frame_new_dmabuf(f.client, fd, &image, &error);
        g_assert_no_error(error);
        helix_client_submit(f.client, frame, i * 1000, 0, FALSE, NULL);
    }
    g_usleep(50 * 1000);
    g_assert_cmpuint(script_host_frames(f.host), ==, 0);
    g_assert_cmpint(eventfd_write(fd, 1), ==, 0);
    for (guint i = 0; i < 2; i++) {
        helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_ACCESS_UNIT));
        g_assert_cmpuint(script_host_frame(f.host, i).resource_id, >, 100);
    }
    g_assert_cmpuint(fixture_stats(&f).imports, ==, 1);
    tear_down_gpu(&f);
    close(fd);
}

static void submit_copy(Fixture *f, guint64 pts)
{
    GError *error = NULL;
    HelixClientFrame *frame = helix_client_frame_new_copy(f->client, &image, &error);

    g_assert_no_error(error);
    g_assert_cmpint(helix_client_frame_get_path(frame), ==, HELIX_CLIENT_PATH_GUEST_COPY);
    helix_client_submit(f->client, frame, pts, 0, FALSE, NULL);
}

/* The first frame of a copy mode is unverified until the host has read it. */
TEST("/gpu/copy", test_copy)
{
    Script script = SCRIPT_DEFAULT;
    HelixClientEvent *event;
    Fixture f;

    set_up_gpu(&f, &script);
    for (guint i = 0; i < 20; i++) {
        submit_copy(&f, i * 1000);
        event = fixture_expect(&f, HELIX_CLIENT_EVENT_ACCESS_UNIT);
        g_assert_true(event->unverified == (i == 0));
        helix_client_event_free(event);
    }
    g_assert_cmpint(fake_drm_handles(), <=, 8);
    g_assert_cmpuint(fixture_stats(&f).cpu_bytes, ==, 20 * sizeof(picture));
    g_assert_cmpuint(fixture_stats(&f).paths[HELIX_CLIENT_PATH_GUEST_COPY], ==, 20);
    tear_down_gpu(&f);
}

/* Buffers that the host keeps come to an end; then the caller is told so, and none is waited for. */
TEST("/gpu/all-in-use", test_all_in_use)
{
    HelixClientFrame *frames[16];
    Script script = SCRIPT_DEFAULT;
    GError *error = NULL;
    guint n = 0;
    Fixture f;

    set_up_gpu(&f, &script);
    while ((frames[n] = helix_client_frame_new_copy(f.client, &image, &error))) {
        n++;
        g_assert_cmpuint(n, <, G_N_ELEMENTS(frames));
    }
    g_assert_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_NO_BUFFER);
    g_assert_nonnull(strstr(error->message, "in use"));
    g_clear_error(&error);
    helix_client_frame_unref(frames[--n]);
    submit_copy(&f, 1000);
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    while (n) {
        helix_client_frame_unref(frames[--n]);
    }
    tear_down_gpu(&f);
}

/* The host cannot read the buffers: none is left (the GPU makes no other kind), and pixels go. Another host is asked
 * anew. */
TEST("/gpu/refused", test_refused)
{
    Script script = SCRIPT_DEFAULT;
    g_autoptr(HelixClientFrame) last = NULL;
    HelixClientBufferKind kind;
    HelixClientEvent *event;
    GError *error = NULL;
    Fixture f;
    guint serial;

    script.error_from = script.error_to = 0;
    script.error_code = HELIX_CODE_NOT_READABLE;
    set_up_gpu(&f, &script);
    serial = helix_client_buffer_serial(f.client);
    g_assert_true(helix_client_buffer_kind(f.client, image.format, &kind));
    last = helix_client_frame_new_copy(f.client, &image, &error);
    g_assert_no_error(error);
    g_assert_true(helix_client_frame_is_unverified(last));
    helix_client_submit(f.client, helix_client_frame_ref(last), 1000, 0, FALSE, NULL);
    event = fixture_expect(&f, HELIX_CLIENT_EVENT_ERROR);
    g_assert_true(helix_client_event_refuses_copy_mode(event));
    helix_client_event_free(event);
    g_assert_cmpuint(helix_client_buffer_serial(f.client), !=, serial);
    g_assert_null(helix_client_frame_new_copy(f.client, &image, &error));
    g_assert_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_NO_BUFFER);
    g_test_message("%s", error->message);
    g_clear_error(&error);
    helix_client_submit(f.client, helix_client_frame_as_pixels(last), 2000, 0, FALSE, NULL);
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    g_assert_cmpuint(script_host_frame(f.host, 1).payload_size, ==, HELIX_REQUEST_SIZE + sizeof(picture));
    g_clear_pointer(&last, helix_client_frame_unref);
    tear_down_gpu(&f);
}

/* The GPU makes no buffers. */
TEST("/gpu/makes-none", test_makes_none)
{
    Script script = SCRIPT_DEFAULT;
    GError *error = NULL;
    Fixture f;

    set_up_gpu(&f, &script);
    fake_drm_refuse(TRUE);
    g_assert_null(helix_client_frame_new_copy(f.client, &image, &error));
    g_assert_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_NO_BUFFER);
    g_assert_nonnull(strstr(error->message, "RESOURCE_CREATE"));
    g_clear_error(&error);
    fake_drm_refuse(FALSE);
    tear_down_gpu(&f);
}

/* ---- drawn in place ---- */

TEST("/gpu/drawn", test_drawn)
{
    Script script = SCRIPT_DEFAULT;
    HelixClientGpu *gpu = fake_drm_gpu();
    HelixClientBuffer *buffer;
    HelixClientBufferKind kind;
    HelixClientFrame *frame;
    HelixClientImage drawn;
    GError *error = NULL;
    ScriptFrame seen;
    gsize size;
    Fixture f;

    set_up_gpu(&f, &script);
    g_assert_true(helix_client_buffer_kind(f.client, image.format, &kind));
    g_assert_cmpint(kind, ==, HELIX_CLIENT_BUFFER_BLOB);
    buffer = helix_client_buffer_new(gpu, kind, image.format, 64, 48, 0, &error);
    g_assert_no_error(error);
    memset(helix_client_buffer_get_data(buffer, &size), 0x55, sizeof(picture));
    g_assert_cmpuint(size, >=, sizeof(picture));
    helix_client_buffer_get_image(buffer, &drawn);
    g_assert_cmpint(drawn.stride[0], ==, 256);
    drawn.crop_x = 4;
    drawn.crop_width = 20;
    drawn.crop_height = 10;
    frame = helix_client_frame_new_buffer(f.client, buffer, &drawn, &error);
    g_assert_no_error(error);
    helix_client_submit(f.client, frame, 1000, 0, FALSE, NULL);
    helix_client_event_free(fixture_expect(&f, HELIX_CLIENT_EVENT_ACCESS_UNIT));
    seen = script_host_frame(f.host, 0);
    g_assert_cmpuint(seen.resource_id, ==, helix_client_buffer_get_resource_id(buffer));
    g_assert_cmpuint(seen.crop_x, ==, 4);
    g_assert_cmpuint(seen.width, ==, 20);
    g_assert_cmpuint(fixture_stats(&f).drawn_in_place, ==, 1);
    g_assert_cmpuint(fixture_stats(&f).cpu_bytes, ==, 0);
    /* Beyond its end. */
    drawn.offset[0] = size - 100;
    g_assert_null(helix_client_frame_new_buffer(f.client, buffer, &drawn, &error));
    g_assert_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_IMAGE);
    g_clear_error(&error);
    /* A picture without width. */
    g_assert_null(helix_client_buffer_new(gpu, HELIX_CLIENT_BUFFER_RESOURCE, image.format, 0, 48, 0, &error));
    g_assert_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_IMAGE);
    g_clear_error(&error);
    helix_client_gpu_unref(gpu);
    helix_client_buffer_unref(buffer);
    tear_down_gpu(&f);
}
