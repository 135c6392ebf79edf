/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refused-copy-modes: what the element does when the host cannot read its buffers, on a real virtio-gpu with a scripted
 * host.
 *
 * The copy modes of guest-copy are probed in order with the first picture; none is lost, and the last resort is pixels.
 */
#include <unistd.h>
#include <gst/allocators/gstdmabuf.h>
#include "cases.h"
#include "../element/fixture.h"
#include "buffer.h"
#include "foreign.h"

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

static void with_fixture(void (*test)(Fixture *f, Script *script))
{
    Script script = SCRIPT_DEFAULT;
    Fixture f;

    test(&f, &script);
    tear_down(&f);
}

/* A case with a fixture to be set up, which leaves nothing behind. */
#define COPY_TEST(path, function) \
    static void function(Fixture *f, Script *script); \
    TEST(path, function##_with_fixture) \
    { \
        with_fixture(function); \
    } \
    static void function(Fixture *f, Script *script)

static guint copy_mode_count(void)
{
    return 3; /* blob, pages, texture: this needs a GPU with blob=on */
}

static void check_reason(Fixture *f, const char *path, const char *text)
{
    g_autofree char *is = NULL, *reason = NULL;

    g_object_get(f->h->element, "path", &is, "path-reason", &reason, NULL);
    g_assert_cmpstr(is, ==, path);
    g_test_message("%s", reason);
    g_assert_nonnull(strstr(reason, text));
}

/* The first @refused pictures are answered with @code: as many copy modes are ruled out, then every picture arrives. */
static void check_refused(guint refused, gint32 code)
{
    Script script = SCRIPT_DEFAULT;
    gboolean pixels = refused >= copy_mode_count();
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
        gboolean by_pixels = i >= copy_mode_count() && pixels;

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

TEST("/refused", test_refused)
{
    check_refused(0, 0);
    check_refused(1, HELIX_CODE_NOT_FOUND);
    check_refused(2, HELIX_CODE_NOT_READABLE);
    check_refused(3, HELIX_CODE_GEOMETRY);
}

/* A host of the first days knows textures only. */
COPY_TEST("/frozen-only", test_frozen_only)
{
    ScriptFrame frame;

    script->frozen_only = TRUE;
    fixture_set_up_64(f, script, -1);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    fixture_pull(f, 0, TRUE);
    frame = script_host_frame(f->host, 0);
    g_assert_cmpuint(frame.flags, ==, 0);
    g_assert_cmpuint(frame.resource_id, !=, 0);
    g_assert_cmpuint(frame.stride, ==, 64 * 4);
    check_reason(f, "guest-copy", "plain memory");
}

/* NV12 has no texture: such a host gets pixels. */
COPY_TEST("/frozen-nv12", test_frozen_nv12)
{
    script->frozen_only = TRUE;
    fixture_set_up(f, script, -1);
    gst_harness_set_src_caps_str(f->h, CAPS("NV12", 64, 64));
    g_assert_cmpint(gst_harness_push(f->h, fixture_picture(f, 64 * 64 * 3 / 2)), ==, GST_FLOW_OK);
    fixture_pull(f, 0, TRUE);
    g_assert_cmpuint(script_host_frame(f->host, 0).flags, ==, HELIX_REQUEST_PIXEL_DATA);
    check_reason(f, "pixel-data", "convert to BGRx");
}

/* A host that dies while a picture probes, or while it is stopped, ends it like any other. */
COPY_TEST("/dying", test_dying)
{
    script->close_at = 0;
    fixture_set_up_64(f, script, -1);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_ERROR);
    fixture_error(f, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ, "");
}

COPY_TEST("/stopped", test_stopped)
{
    GThread *push;

    script->hold = TRUE;
    fixture_set_up_64(f, script, -1);
    push = fixture_push_in_thread(f);
    g_assert_true(script_host_wait_frames(f->host, 1));
    fixture_stop_in_time(f);
    g_assert_cmpint(fixture_joined(push), ==, GST_FLOW_FLUSHING);
}

/* A live source's probing picture waits a limited time for a host that does not answer, nor does EOS behind it. */
COPY_TEST("/silent-live", test_silent_live)
{
    gint64 before = g_get_monotonic_time();

    script->hold = TRUE;
    fixture_set_up_with(f, script, -1, TRUE, NULL);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    g_assert_true(gst_harness_push_event(f->h, gst_event_new_eos()));
    fixture_no_hang("probing picture and EOS for a silent host", before);
    script_host_allow(f->host, 1);
    fixture_pull(f, 0, TRUE);
    g_assert_true(fixture_wait_event(f, GST_EVENT_EOS));
    g_assert_cmpuint(fixture_stat(f, "guest-copy"), ==, 1);
}

static GstBuffer *dmabuf_picture(Fixture *f, Gpu *gpu, Buffer *buffer)
{
    const BufferSpec spec = { .kind = BUFFER_CLASSIC, .width = 64, .height = 64 };
    g_autoptr(GstAllocator) allocator = gst_dmabuf_allocator_new();
    GstBuffer *picture = gst_buffer_new();

    g_assert_cmpint(buffer_new(gpu, &spec, buffer), ==, 0);
    gst_buffer_append_memory(picture, gst_dmabuf_allocator_alloc(allocator, dup(buffer->dmabuf), buffer->size));
    GST_BUFFER_PTS(picture) = f->n * GST_SECOND / 30;
    f->n++;
    return picture;
}

/*
 * A copy mode is verified by the access unit of the probing picture alone: not by one that comes meanwhile of a picture
 * before it, here a DMA-BUF. The probing picture itself is dropped, so the next one probes too, and may be refused.
 */
TEST("/other-unit", test_other_unit)
{
    Script script = SCRIPT_DEFAULT;
    GThread *push;
    Buffer buffer;
    Fixture f;
    Gpu gpu;

    g_assert_cmpint(gpu_open(&gpu), ==, 0);
    script.hold = TRUE;
    script.drop_at = 1;
    script.error_from = script.error_to = 2;
    script.error_code = HELIX_CODE_NOT_READABLE;
    fixture_set_up_with(&f, &script, -1, FALSE, NULL);
    g_assert_cmpint(gst_harness_push(f.h, dmabuf_picture(&f, &gpu, &buffer)), ==, GST_FLOW_OK);
    push = fixture_push_in_thread(&f);
    g_usleep(200 * 1000);
    script_host_allow(f.host, 2);
    g_assert_cmpint(fixture_joined(push), ==, GST_FLOW_OK);
    fixture_pull(&f, 0, TRUE);
    g_assert_cmpuint(fixture_stat(&f, "dropped"), ==, 1);
    g_assert_cmpuint(fixture_stat(&f, "dmabuf"), ==, 1);
    script_host_allow(f.host, 2);
    g_assert_cmpint(fixture_push(&f), ==, GST_FLOW_OK);
    fixture_pull(&f, 2, FALSE);
    g_assert_cmpuint(script_host_frames(f.host), ==, 4);
    g_assert_cmpuint(fixture_stat(&f, "dropped"), ==, 1);
    check_reason(&f, "guest-copy", "plain memory");
    fixture_tear_down(&f);
    buffer_free(&buffer);
    gpu_close(&gpu);
    check_closed();
}

static gboolean both_there(GstBufferPool *pool)
{
    GstBufferPoolAcquireParams params = { .flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT };
    GstBuffer *buffer[2] = { NULL, NULL };
    gboolean there = gst_buffer_pool_acquire_buffer(pool, &buffer[0], &params) == GST_FLOW_OK &&
        gst_buffer_pool_acquire_buffer(pool, &buffer[1], &params) == GST_FLOW_OK;

    gst_clear_buffer(&buffer[0]);
    gst_clear_buffer(&buffer[1]);
    return there;
}

/* With reconnect=true a picture is kept for the host that comes back, but no buffer of a pool of two: when the host has
 * read it, both are there. */
TEST("/two-buffers", test_two_buffers)
{
    Script script = SCRIPT_DEFAULT;
    GstBufferPool *pool = gst_buffer_pool_new();
    GstBufferPoolAcquireParams params = { .flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT };
    GstStructure *config = gst_buffer_pool_get_config(pool);
    g_autoptr(GstCaps) caps = gst_caps_from_string(CAPS("BGRx", 64, 64));
    Buffer of[2];
    GstBuffer *drawn;
    Fixture f;
    Gpu gpu;

    g_assert_cmpint(gpu_open(&gpu), ==, 0);
    fixture_set_up_with(&f, &script, -1, TRUE, "reconnect", "true", NULL);
    gst_buffer_pool_config_set_params(config, caps, SIZE_64, 2, 2);
    g_assert_true(gst_buffer_pool_set_config(pool, config));
    g_assert_true(gst_buffer_pool_set_active(pool, TRUE));
    for (guint i = 0; i < 20; i++) {
        gboolean there = FALSE;

        /* The host lets go of the one before the last at its own time. */
        for (guint j = 0; j < 500 && !there; j++) {
            there = gst_buffer_pool_acquire_buffer(pool, &drawn, &params) == GST_FLOW_OK;
            g_usleep(there ? 0 : 10 * 1000);
        }
        g_assert_true(there);
        if (i < 2) {
            g_autoptr(GstBuffer) model = dmabuf_picture(&f, &gpu, &of[i]);

            gst_buffer_replace_all_memory(drawn, gst_memory_ref(gst_buffer_peek_memory(model, 0)));
            GST_BUFFER_FLAG_UNSET(drawn, GST_BUFFER_FLAG_TAG_MEMORY);
        }
        GST_BUFFER_PTS(drawn) = i * GST_SECOND / 30;
        g_assert_cmpint(gst_harness_push(f.h, drawn), ==, GST_FLOW_OK);
        fixture_pull(&f, i, i == 0);
    }
    g_assert_cmpuint(fixture_stat(&f, "dmabuf"), ==, 20);
    for (guint i = 0; i < 500 && !both_there(pool); i++) {
        g_usleep(10 * 1000);
    }
    g_assert_true(both_there(pool));
    gst_buffer_pool_set_active(pool, FALSE);
    fixture_tear_down(&f);
    gst_object_unref(pool);
    buffer_free(&of[0]);
    buffer_free(&of[1]);
    gpu_close(&gpu);
    check_closed();
}

/* The wait for a picture that is never finished ends, and those after it come out. */
COPY_TEST("/unfinished", test_unfinished)
{
    g_autoptr(GstAllocator) allocator = gst_dmabuf_allocator_new();
    int device, fd = foreign_unfinished(SIZE_64, &device);
    GstMemory *memory;
    gint64 before;

    g_assert_cmpint(fd, >=, 0);
    memory = gst_dmabuf_allocator_alloc(allocator, fd, SIZE_64);
    fixture_set_up_with(f, script, -1, FALSE, NULL);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    fixture_pull(f, 0, TRUE);
    before = g_get_monotonic_time();
    for (guint i = 1; i <= 2; i++) {
        GstBuffer *picture = fixture_picture(f, SIZE_64);

        gst_buffer_replace_all_memory(picture, gst_memory_ref(memory));
        g_assert_cmpint(gst_harness_push(f->h, picture), ==, GST_FLOW_OK);
        if (i == 1) {
            fixture_no_hang("unfinished picture", before);
            gst_message_unref(fixture_message(f, GST_MESSAGE_WARNING));
            /* The element posts the warning before it counts. */
            for (guint j = 0; j < 5000 && fixture_stat(f, "dropped") == 0; j++) {
                g_usleep(1000);
            }
            g_assert_cmpuint(fixture_stat(f, "dropped"), ==, 1);
            close(device);
        }
    }
    fixture_pull(f, 2, FALSE);
    g_assert_cmpuint(fixture_stat(f, "guest-copy"), ==, 2);
    gst_memory_unref(memory);
}

static void wait_back(Fixture *f)
{
    gst_message_unref(fixture_message(f, GST_MESSAGE_WARNING));
    gst_message_unref(fixture_message(f, GST_MESSAGE_INFO));
}

static void push_and_pull(Fixture *f)
{
    GstBuffer *out;

    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    out = gst_harness_pull(f->h);
    g_assert_nonnull(out);
    gst_buffer_unref(out);
}

/* What one host refuses, the one that comes after it may read. */
COPY_TEST("/next-takes", test_next_takes)
{
    script->error_from = 0;
    script->error_to = (gint)copy_mode_count() - 1;
    script->error_code = HELIX_CODE_NOT_READABLE;
    script->close_at = (gint)copy_mode_count() + 1;
    fixture_set_up_with(f, script, -1, FALSE, "reconnect", "true", NULL);
    push_and_pull(f);
    check_reason(f, "pixel-data", "as the script says");
    fixture_push(f);
    wait_back(f);
    push_and_pull(f);
    push_and_pull(f); /* the first may have been the one before, given again */
    g_assert_cmpuint(script_host_frame(f->host, script_host_frames(f->host) - 1).resource_id, !=, 0);
    check_reason(f, "guest-copy", "plain memory");
}

/* The other way round: a refusal by the next host is no error of the stream's either. */
COPY_TEST("/next-refuses", test_next_refuses)
{
    script->close_at = 2;
    script->error_from = 3;
    script->error_to = 4;
    script->error_code = HELIX_CODE_NOT_READABLE;
    fixture_set_up_with(f, script, -1, FALSE, "reconnect", "true", NULL);
    push_and_pull(f);
    push_and_pull(f);
    fixture_push(f);
    wait_back(f);
    push_and_pull(f);
    push_and_pull(f);
    g_assert_null(gst_bus_pop_filtered(f->bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR));
    check_reason(f, "guest-copy", "plain memory");
}

static void check_pixels_next(Fixture *f, guint refused)
{
    GstBuffer *out = gst_harness_pull(f->h);

    g_assert_nonnull(out);
    gst_buffer_unref(out);
    g_assert_cmpuint(script_host_frames(f->host), ==, refused + 2);
    g_assert_cmpuint(script_host_frame(f->host, refused).resource_id, !=, 0);
    g_assert_cmphex(script_host_frame(f->host, refused + 1).flags & HELIX_REQUEST_PIXEL_DATA, !=, 0);
    g_assert_cmpuint(script_host_frame(f->host, refused + 1).width, ==, 64);
    /* Another that upstream gives goes by the next copy mode. */
    push_and_pull(f);
    g_assert_cmpuint(script_host_frame(f->host, refused + 2).resource_id, !=, 0);
    check_reason(f, "guest-copy", "plain memory");
    g_assert_null(gst_bus_pop_filtered(f->bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR));
}

/* A live source's picture goes before a host has agreed that takes long, and may be refused then: its pixels come out.
 */
COPY_TEST("/late-refused", test_late_refused)
{
    script->config_delay_ms = 500;
    script->error_from = script->error_to = 0;
    script->error_code = HELIX_CODE_NOT_READABLE;
    fixture_set_up_with(f, script, -1, TRUE, NULL);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    g_assert_cmpuint(script_host_frames(f->host), ==, 0);
    check_pixels_next(f, 0);
}

/* The same where the host turns out to be one of the first days, which does not know what the picture was made for. */
COPY_TEST("/late-frozen", test_late_frozen)
{
    GstBuffer *out;

    script->config_delay_ms = 500;
    script->frozen_only = TRUE;
    fixture_set_up_with(f, script, -1, TRUE, NULL);
    g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    out = gst_harness_pull(f->h);
    g_assert_nonnull(out);
    gst_buffer_unref(out);
    g_assert_cmpuint(script_host_frames(f->host), ==, 1);
    g_assert_cmpuint(script_host_frame(f->host, 0).flags, ==, HELIX_REQUEST_PIXEL_DATA);
}

/* The same for the picture that a host which came back is given, as the screen stands still. */
COPY_TEST("/still-refused", test_still_refused)
{
    script->close_at = 1;
    script->error_from = script->error_to = 2;
    script->error_code = HELIX_CODE_NOT_READABLE;
    fixture_set_up_with(f, script, -1, TRUE, "reconnect", "true", NULL);
    push_and_pull(f);
    fixture_push(f);
    wait_back(f);
    check_pixels_next(f, 2);
}

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    g_test_init(&argc, &argv, NULL);
    test_cases_add();
    return g_test_run();
}
