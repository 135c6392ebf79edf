/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-stream.c - the parts below the element that a machine without a virtio-gpu cannot reach through it: requests by
 * resource id, write fences, buffers given back, the render node.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "../../desktop/client/bytes.h"
#include "../../desktop/client/stream.h"
#include "script-host.h"

GST_DEBUG_CATEGORY(vsockenc_debug);

typedef struct Client {
    ScriptHost *host;
    VsockStats *stats;
    VsockStream *stream;
    gint freed; /* buffers whose last reference went */
} Client;

static void on_failed(gpointer user, GError *error)
{
    g_error("%s", error->message);
}

static void set_up(Client *c, const Script *script)
{
    VsockStreamConfig config = { .timeout_ms = 5000, .failed = on_failed };
    VsockConfig asked = { .width = 64, .height = 48, .fps_n = 30, .fps_d = 1 };
    GError *error = NULL;

    memset(c, 0, sizeof(*c));
    c->host = script_host_new(script);
    c->stats = vsock_stats_new();
    config.address.socket_path = script_host_path(c->host);
    config.stats = c->stats;
    c->stream = vsock_stream_new(&config, &error);
    g_assert_no_error(error);
    vsock_stream_configure(c->stream, &asked);
    g_assert_cmpint(vsock_stream_wait(c->stream, FALSE), ==, VSOCK_WAIT_READY);
}

static void tear_down(Client *c)
{
    vsock_stream_close(c->stream, NULL);
    vsock_stream_unref(c->stream);
    vsock_stats_free(c->stats);
    script_host_free(c->host);
}

static void on_freed(gpointer data)
{
    g_atomic_int_inc((gint *)data);
}

static void submit_crop(Client *c, guint32 id, GstClockTime pts, int fence_fd, guint x, guint y)
{
    VsockPicture *picture = g_new0(VsockPicture, 1);

    picture->path = VSOCK_PATH_DMABUF;
    picture->resource_id = id;
    picture->fourcc = HELIX_FORMAT_XR24;
    picture->width = 60;
    picture->height = 40;
    picture->stride = 256;
    picture->crop_x = x;
    picture->crop_y = y;
    picture->res_width = 64;
    picture->res_height = 48;
    picture->modifier = VSOCK_MODIFIER_IMPLICIT;
    picture->fence_fd = fence_fd;
    picture->buffer = gst_buffer_new_wrapped_full(0, &c->freed, sizeof(c->freed), 0, sizeof(c->freed), &c->freed,
                                                  on_freed);
    vsock_stream_submit(c->stream, picture, GUINT_TO_POINTER(id), pts, GST_SECOND / 30, FALSE);
}

static void submit(Client *c, guint32 id, GstClockTime pts, int fence_fd)
{
    submit_crop(c, id, pts, fence_fd, 3, 2);
}

/* The next answer that is about a picture. */
static VsockAnswer *next_unit(Client *c)
{
    for (;;) {
        VsockAnswer *answer = vsock_stream_next_answer(c->stream);
        gboolean config = answer->kind == VSOCK_ANSWER_CONFIG;

        vsock_stream_answer_done(c->stream);
        if (!config) {
            return answer;
        }
        vsock_answer_free(answer);
    }
}

static gboolean wait_freed(Client *c, gint n)
{
    for (guint i = 0; i < 6000 && g_atomic_int_get(&c->freed) < n; i++) {
        g_usleep(10 * 1000);
    }
    return g_atomic_int_get(&c->freed) == n;
}

static gboolean wait_freed_at_least(Client *c, gint n)
{
    for (guint i = 0; i < 6000 && g_atomic_int_get(&c->freed) < n; i++) {
        g_usleep(10 * 1000);
    }
    return g_atomic_int_get(&c->freed) >= n;
}

static void test_request(void)
{
    Script script = SCRIPT_DEFAULT;
    VsockAnswer *answer;
    ScriptFrame frame;
    Client c;

    set_up(&c, &script);
    submit(&c, 77, 1000, -1);
    answer = next_unit(&c);
    g_assert_cmpint(answer->kind, ==, VSOCK_ANSWER_UNIT);
    g_assert_cmpuint(GPOINTER_TO_UINT(answer->frame), ==, 77);
    vsock_answer_free(answer);
    frame = script_host_frame(c.host, 0);
    g_assert_cmphex(frame.flags, ==, HELIX_REQUEST_EXT | HELIX_REQUEST_RELEASE | HELIX_REQUEST_TIMING);
    g_assert_cmpuint(frame.payload_size, ==, HELIX_REQUEST_SIZE + HELIX_EXT_SIZE);
    g_assert_cmpuint(frame.resource_id, ==, 77);
    g_assert_cmpuint(frame.width, ==, 60);
    g_assert_cmpuint(frame.crop_x, ==, 3);
    g_assert_cmpuint(frame.crop_y, ==, 2);
    g_assert_cmpuint(frame.res_width, ==, 64);
    g_assert_cmpuint(frame.res_height, ==, 48);
    g_assert_cmpuint(vsock_stats_get(c.stats, VSOCK_COUNT_CPU_BYTES), ==, 0);
    tear_down(&c);
}

/* A host that agreed to nothing gets the 44 frozen bytes. */
static void test_frozen_request(void)
{
    Script script = SCRIPT_DEFAULT;
    VsockAnswer *answer;
    ScriptFrame frame;
    Client c;

    script.frozen_only = TRUE;
    set_up(&c, &script);
    submit_crop(&c, 5, 1000, -1, 0, 0);
    vsock_answer_free(next_unit(&c));
    frame = script_host_frame(c.host, 0);
    g_assert_cmphex(frame.flags, ==, 0);
    g_assert_cmpuint(frame.payload_size, ==, HELIX_REQUEST_SIZE);
    /* The answer implies the release. */
    g_assert_true(wait_freed(&c, 1));
    /* A crop cannot be said in them: rather no picture than a wrong one. */
    submit(&c, 6, 2000, -1);
    answer = next_unit(&c);
    g_assert_cmpint(answer->kind, ==, VSOCK_ANSWER_SKIPPED);
    vsock_answer_free(answer);
    g_assert_true(wait_freed(&c, 2));
    g_assert_cmpuint(script_host_frames(c.host), ==, 1);
    tear_down(&c);
}

static void test_released_before_answer(void)
{
    Script script = SCRIPT_DEFAULT;
    Client c;

    script.hold = TRUE;
    set_up(&c, &script);
    submit(&c, 7, 1000, -1);
    g_assert_true(wait_freed(&c, 1));
    script_host_allow(c.host, 1);
    vsock_answer_free(next_unit(&c));
    tear_down(&c);
}

static void test_held_until_answer(void)
{
    Script script = SCRIPT_DEFAULT;
    Client c;

    script.hold = TRUE;
    script.capabilities &= ~HELIX_CAP_RELEASE;
    set_up(&c, &script);
    submit(&c, 7, 1000, -1);
    g_assert_true(script_host_wait_frames(c.host, 1));
    g_usleep(50 * 1000);
    g_assert_cmpint(g_atomic_int_get(&c.freed), ==, 0);
    script_host_allow(c.host, 1);
    vsock_answer_free(next_unit(&c));
    g_assert_true(wait_freed(&c, 1));
    tear_down(&c);
}

static gpointer take_ten(gpointer data)
{
    for (guint i = 0; i < 10; i++) {
        VsockAnswer *answer = next_unit(data);

        g_assert_cmpint(answer->kind, ==, VSOCK_ANSWER_UNIT);
        vsock_answer_free(answer);
    }
    return NULL;
}

/* PipeWire may give a pool of two buffers: with slow answers, both go back at once, and the stream goes on. */
static void test_pool_of_two(void)
{
    Script script = SCRIPT_DEFAULT;
    GThread *taker;
    Client c;

    script.delay_ms = 20;
    set_up(&c, &script);
    taker = g_thread_new("take", take_ten, &c);
    for (gint i = 0; i < 10; i++) {
        /* Upstream has a buffer to draw into as soon as one of its two is back. */
        g_assert_true(wait_freed_at_least(&c, i - 1));
        /* Answers that the other thread has not taken yet keep their places, and one submitted meanwhile may be
         * skipped. */
        g_assert_cmpint(vsock_stream_wait(c.stream, FALSE), ==, VSOCK_WAIT_READY);
        submit(&c, 7 + (guint)i % 2, (GstClockTime)(i + 1) * 1000, -1);
    }
    g_assert_true(wait_freed(&c, 10));
    g_thread_join(taker);
    tear_down(&c);
}

/* The end of the connection implies the release too. */
static void test_released_at_end(void)
{
    Script script = SCRIPT_DEFAULT;
    Client c;

    script.silent_from = 0;
    script.capabilities &= ~HELIX_CAP_RELEASE;
    set_up(&c, &script);
    submit(&c, 7, 1000, -1);
    g_assert_true(script_host_wait_frames(c.host, 1));
    vsock_stream_close(c.stream, NULL);
    vsock_stream_unref(c.stream);
    g_assert_cmpint(g_atomic_int_get(&c.freed), ==, 1);
    vsock_stats_free(c.stats);
    script_host_free(c.host);
}

/* A wait with a limit ends at it, and what was waited for comes all the same. */
static void test_drain_late(void)
{
    Script script = SCRIPT_DEFAULT;
    VsockAnswer *answer;
    Client c;

    script.hold = TRUE;
    set_up(&c, &script);
    submit(&c, 7, 1000, -1);
    g_assert_cmpint(vsock_stream_drain(c.stream, 50), ==, VSOCK_WAIT_LATE);
    script_host_allow(c.host, 1);
    answer = vsock_stream_next_answer(c.stream);
    while (answer->kind == VSOCK_ANSWER_CONFIG) {
        vsock_answer_free(answer);
        vsock_stream_answer_done(c.stream);
        answer = vsock_stream_next_answer(c.stream);
    }
    g_assert_cmpint(answer->kind, ==, VSOCK_ANSWER_UNIT);
    vsock_answer_free(answer);
    vsock_stream_answer_done(c.stream);
    g_assert_cmpint(vsock_stream_drain(c.stream, 50), ==, VSOCK_WAIT_READY);
    tear_down(&c);
}

/* Once the stream ends, the end of a flush lets nobody wait again. */
static void test_end(void)
{
    Script script = SCRIPT_DEFAULT;
    Client c;

    script.silent_from = 0;
    script.max_in_flight = 1;
    set_up(&c, &script);
    submit(&c, 7, 1000, -1);
    vsock_stream_end(c.stream);
    vsock_stream_set_flushing(c.stream, TRUE);
    vsock_stream_set_flushing(c.stream, FALSE);
    g_assert_cmpint(vsock_stream_wait(c.stream, FALSE), ==, VSOCK_WAIT_FLUSHING);
    g_assert_cmpint(vsock_stream_drain(c.stream, 0), ==, VSOCK_WAIT_FLUSHING);
    g_assert_null(vsock_stream_next_answer(c.stream));
    tear_down(&c);
}

/* The host hears of a picture when it is drawn, and of those behind it after that. */
static void test_fence(void)
{
    Script script = SCRIPT_DEFAULT;
    VsockAnswer *answer;
    int fence[2];
    Client c;

    g_assert_cmpint(pipe2(fence, O_CLOEXEC), ==, 0);
    set_up(&c, &script);
    submit(&c, 1, 1000, fence[0]);
    submit(&c, 2, 2000, -1);
    g_usleep(100 * 1000);
    g_assert_cmpuint(script_host_frames(c.host), ==, 0);
    g_assert_cmpint(write(fence[1], "x", 1), ==, 1);
    for (guint id = 1; id <= 2; id++) {
        answer = next_unit(&c);
        g_assert_cmpuint(GPOINTER_TO_UINT(answer->frame), ==, id);
        vsock_answer_free(answer);
    }
    tear_down(&c);
    close(fence[0]);
    close(fence[1]);
}

/* A GPU that hangs delays encoding for a limited time, and stopping not at all. */
static void test_fence_never_opens(void)
{
    Script script = SCRIPT_DEFAULT;
    int fence[2];
    Client c;

    g_assert_cmpint(pipe2(fence, O_CLOEXEC), ==, 0);
    set_up(&c, &script);
    submit(&c, 1, 1000, fence[0]);
    g_assert_true(script_host_wait_frames(c.host, 1));
    vsock_answer_free(next_unit(&c));
    submit(&c, 2, 2000, fence[0]);
    tear_down(&c);
    g_assert_cmpint(c.freed, ==, 2);
    close(fence[0]);
    close(fence[1]);
}

/* ---- the render node ---- */

static void check_no_gpu(const char *folder, gint code, const char *text)
{
    GError *error = NULL;

    g_assert_null(vsock_node_open(folder, &error));
    g_assert_error(error, VSOCK_GPU_ERROR, code);
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
        _exit(!vsock_node_open(folder, &error) && g_error_matches(error, VSOCK_GPU_ERROR, VSOCK_GPU_ERROR_ACCESS) &&
                      strstr(error->message, "render")
                  ? 0
                  : 1);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
}

static void test_no_gpu(void)
{
    g_autofree char *dir = g_dir_make_tmp("vsockenc-XXXXXX", NULL);
    g_autofree char *node = g_build_filename(dir, "renderD128", NULL);

    check_no_gpu("/nonexistent", VSOCK_GPU_ERROR_NO_DEVICE, "/nonexistent");
    check_no_gpu(dir, VSOCK_GPU_ERROR_NO_DEVICE, "no render node of a virtio-gpu");
    /* Something that is no virtio-gpu. */
    g_assert_true(g_file_set_contents(node, "", 0, NULL));
    check_no_gpu(dir, VSOCK_GPU_ERROR_NO_DEVICE, "no render node of a virtio-gpu");
    g_assert_cmpint(g_chmod(node, 0), ==, 0);
    g_assert_cmpint(g_chmod(dir, 0755), ==, 0);
    check_no_permission(dir);
    g_unlink(node);
    g_rmdir(dir);
}

static void test_exporter(void)
{
    int fd = memfd_create("no-dmabuf", MFD_CLOEXEC);

    g_assert_null(vsock_dmabuf_exporter(fd));
    g_assert_null(vsock_dmabuf_exporter(-1));
    close(fd);
}

/* ---- hostile bytes ---- */

static void test_responses(void)
{
    guint8 bytes[HELIX_RESPONSE_SIZE + 64] = { 0 };
    VsockResponse response;
    GstStructure *stats;
    VsockStats *empty = vsock_stats_new();

    /* Every length, with counts and sizes that promise more than is there. */
    for (guint32 count = 0; count < 4; count++) {
        for (guint64 size = 0; size <= G_MAXUINT32; size = size * 3 + 7) {
            put_u32(bytes + HELIX_RESPONSE_NAL_COUNT, count);
            put_u32(bytes + HELIX_RESPONSE_SIZE, (guint32)size);
            for (gsize len = 0; len <= sizeof(bytes); len++) {
                for (guint8 flags = 0; flags < 8; flags++) {
                    /* A copy of its own, so that a read past its end is seen by a sanitizer. */
                    GBytes *payload = g_bytes_new(bytes, len);

                    if (vsock_wire_parse_response(payload, flags, &response)) {
                        g_assert_cmpuint(len, >=, HELIX_RESPONSE_SIZE);
                        g_assert_true(response.dropped || g_bytes_get_size(response.unit) > 0);
                        g_clear_pointer(&response.unit, g_bytes_unref);
                    }
                    g_bytes_unref(payload);
                }
            }
        }
    }
    /* Percentiles of nothing. */
    stats = vsock_stats_structure(empty);
    g_assert_true(gst_structure_has_field_typed(stats, "round-trip-us-p99", G_TYPE_UINT64));
    gst_structure_free(stats);
    vsock_stats_free(empty);
}

/* Old hosts may send NAL units one by one, with start codes or without. */
static void test_nal_units(void)
{
    const guint8 entries[] = { 2, 0, 0, 0, 0x67, 0x4d, 6, 0, 0, 0, 0, 0, 0, 1, 0x65, 0x88 };
    const guint8 expected[] = { 0, 0, 0, 1, 0x67, 0x4d, 0, 0, 0, 1, 0x65, 0x88 };
    guint8 bytes[HELIX_RESPONSE_SIZE + sizeof(entries)] = { 0 };
    GBytes *payload, *wanted = g_bytes_new_static(expected, sizeof(expected));
    VsockResponse response;

    put_u32(bytes + HELIX_RESPONSE_NAL_COUNT, 2);
    memcpy(bytes + HELIX_RESPONSE_SIZE, entries, sizeof(entries));
    payload = g_bytes_new_static(bytes, sizeof(bytes));
    g_assert_true(vsock_wire_parse_response(payload, 0, &response));
    g_assert_true(g_bytes_equal(response.unit, wanted));
    g_bytes_unref(response.unit);
    g_bytes_unref(payload);
    g_bytes_unref(wanted);
}

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    g_test_init(&argc, &argv, NULL);
    GST_DEBUG_CATEGORY_INIT(vsockenc_debug, "vsockenc", 0, "under test");
    g_test_add_func("/stream/request", test_request);
    g_test_add_func("/stream/frozen-request", test_frozen_request);
    g_test_add_func("/stream/released-before-answer", test_released_before_answer);
    g_test_add_func("/stream/held-until-answer", test_held_until_answer);
    g_test_add_func("/stream/pool-of-two", test_pool_of_two);
    g_test_add_func("/stream/drain-late", test_drain_late);
    g_test_add_func("/stream/end", test_end);
    g_test_add_func("/stream/released-at-end", test_released_at_end);
    g_test_add_func("/stream/fence", test_fence);
    g_test_add_func("/stream/fence-never-opens", test_fence_never_opens);
    g_test_add_func("/gpu/none", test_no_gpu);
    g_test_add_func("/gpu/exporter", test_exporter);
    g_test_add_func("/wire/responses", test_responses);
    g_test_add_func("/wire/nal-units", test_nal_units);
    return g_test_run();
}
