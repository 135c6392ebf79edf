/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which peers are served, and how much a guest may have at a time: privileged ports, connections that make room,
 * messages that are never finished, and the ranges of the limits themselves. The carrier is the test's own.
 */
#include <string.h>

#include "cases.h"
#include "client.h"
#include "protocol/bytes.h"
#include "protocol/error.h"
#include "fake-capture.h"
#include "fake-channel.h"
#include "scripted.h"
#include "stat.h"

#define PATIENCE (20 * G_TIME_SPAN_SECOND)
#define LOTS (1u << 20)

/* ---- the clock, which the linker puts in the place of GLib's ---- */

static gint64 stopped_at; /* atomic; 0: it runs */

gint64 __real_g_get_monotonic_time(void);
gint64 __wrap_g_get_monotonic_time(void);

gint64 __wrap_g_get_monotonic_time(void)
{
    gint64 at = __atomic_load_n(&stopped_at, __ATOMIC_RELAXED);

    return at ? at : __real_g_get_monotonic_time();
}

/* From now on time passes only as the test says: a busy machine makes nobody idle. */
static void stop_clock(void)
{
    __atomic_store_n(&stopped_at, __real_g_get_monotonic_time(), __ATOMIC_RELAXED);
}

static void pass_time(gint64 us)
{
    __atomic_add_fetch(&stopped_at, us, __ATOMIC_RELAXED);
}

static void start_clock(void)
{
    __atomic_store_n(&stopped_at, 0, __ATOMIC_RELAXED);
}

/* ---- the world ---- */

typedef struct World {
    FakeCapture capture;
    HelixHost *host;
    GPtrArray *channels; /* of connect_from(), those not freed yet */
} World;

static World *world_new(const HelixHostConfig *wanted)
{
    World *world = g_new0(World, 1);
    HelixHostConfig config = *wanted;
    g_autoptr(GError) error = NULL;

    config.resolver = &fake_capture_resolver;
    config.resolver_data = &world->capture;
    config.encoder_class = scripted_wrap(&helix_encoder_null);
    world->channels = g_ptr_array_new_with_free_func((GDestroyNotify)fake_channel_free);
    world->host = helix_host_new(&config, &error);
    g_assert_no_error(error);
    return world;
}

static void world_free(World *world)
{
    g_ptr_array_unref(world->channels);
    helix_host_free(world->host);
    g_assert_cmpuint(scripted_n_opened(), ==, scripted_n_closed());
    g_free(world);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)

static FakeChannel *connect_from(World *world, guint32 port)
{
    FakeChannel *channel = fake_channel_new(world->host, port);

    if (channel) {
        fake_channel_open(channel, LOTS);
        g_ptr_array_add(world->channels, channel);
    }
    return channel;
}

static void disconnect(World *world, FakeChannel *channel)
{
    g_ptr_array_remove(world->channels, channel);
}

static guint connections(World *world)
{
    g_autofree char *json = helix_host_stats_json(world->host);

    return (guint)stat_number(json, "connections.now");
}

static void ask(FakeChannel *channel, gint64 pts)
{
    g_autoptr(GByteArray) bytes = client_frame_bytes(&(FrameRequest){ .resource = 1, .pts = pts });

    g_byte_array_append(channel->to_host, bytes->data, bytes->len);
    fake_channel_offer(channel, channel->to_host->len);
}

static void run_until(const gboolean *flag)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE;

    while (!*flag) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_main_context_iteration(NULL, FALSE);
    }
}

static void run_until_answer(FakeChannel *channel)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE;

    while (!channel->from_host->len) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_main_context_iteration(NULL, FALSE);
    }
}

static guint8 answer_type(const FakeChannel *channel)
{
    g_assert_cmpuint(channel->from_host->len, >=, HELIX_WIRE_HEADER_SIZE);
    return channel->from_host->data[HELIX_WIRE_HEADER_TYPE];
}

/* The one ERROR that was sent, about the connection. */
static void expect_connection_error(const FakeChannel *channel, int code, const char *text)
{
    const guint8 *payload = channel->from_host->data + HELIX_WIRE_HEADER_SIZE;

    g_assert_cmpuint(channel->from_host->len, ==, HELIX_WIRE_HEADER_SIZE + HELIX_ERROR_SIZE);
    g_assert_cmphex(answer_type(channel), ==, HELIX_MSG_ERROR);
    g_assert_cmphex(channel->from_host->data[HELIX_WIRE_HEADER_FLAGS], ==, HELIX_ERROR_FLAGS_CONNECTION);
    g_assert_cmpint((gint32)helix_get_u32(payload + HELIX_ERROR_CODE), ==, code);
    g_assert_nonnull(strstr((const char *)payload + HELIX_ERROR_MESSAGE, text));
}

/* ---- privileged ports ---- */

TEST("/limits/privileged-ports", test_privileged)
{
    g_autoptr(World) world = world_new(&(HelixHostConfig){ .privileged_ports = TRUE });
    const guint32 good[] = { 1, 1023, 0 }; /* 0: a UNIX socket, whose peer's uid was checked */

    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        FakeChannel *channel = connect_from(world, good[i]);

        ask(channel, 1);
        run_until_answer(channel);
        g_assert_cmphex(answer_type(channel), ==, HELIX_MSG_FRAME_RESPONSE);
        disconnect(world, channel);
    }
}

/* Whatever is asked first: one ERROR that says what would be right, a clean close, and nothing was looked up. */
TEST("/limits/not-permitted", test_not_permitted)
{
    g_autoptr(World) world = world_new(&(HelixHostConfig){ .privileged_ports = TRUE });
    const guint32 bad[] = { 1024, 5000, G_MAXUINT32 - 1 };
    const guint8 types[] = { HELIX_MSG_FRAME_REQUEST, HELIX_MSG_PING, HELIX_MSG_CONFIG_REQ };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        FakeChannel *channel = connect_from(world, bad[i]);
        guint8 payload[HELIX_REQUEST_SIZE] = { 1 };
        const gsize size[] = { HELIX_REQUEST_SIZE, 4, HELIX_CONFIG_SIZE };

        g_assert_cmpuint(channel->from_host->len, ==, 0); /* nothing unasked */
        fake_channel_send(channel, types[i], 0, 3, payload, size[i]);
        fake_channel_offer(channel, channel->to_host->len);
        expect_connection_error(channel, HELIX_CODE_NOT_PERMITTED, "CAP_NET_BIND_SERVICE");
        g_assert_true(channel->closed);
        disconnect(world, channel);
    }
    g_assert_cmpuint(world->capture.resolved, ==, 0);
}

/* Those that are not permitted, however many and silent, take nobody's place. */
TEST("/limits/not-permitted-count-apart", test_not_permitted_apart)
{
    g_autoptr(World) world = world_new(&(HelixHostConfig){ .privileged_ports = TRUE, .max_connections = 2 });
    FakeChannel *bad[HELIX_MAX_NOT_PERMITTED], *good[2];

    for (guint i = 0; i < HELIX_MAX_NOT_PERMITTED; i++) {
        bad[i] = connect_from(world, 2000 + i);
        g_assert_nonnull(bad[i]);
    }
    g_assert_null(connect_from(world, 3000));
    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        good[i] = connect_from(world, 100 + i);
        g_assert_nonnull(good[i]);
    }
    g_assert_null(connect_from(world, 102));
}

/* ---- connections ---- */

/* The one idle longest makes room; one with a stream, one in the middle of a message and one just come do not. */
TEST("/limits/idle-makes-room", test_idle_makes_room)
{
    g_autoptr(World) world = world_new(&(HelixHostConfig){ .max_connections = 4, .idle_timeout_ms = 20 });
    FakeChannel *streaming = connect_from(world, 1), *first = connect_from(world, 2), *second = connect_from(world, 3);
    FakeChannel *writing = connect_from(world, 4), *fresh, *last;

    stop_clock();
    ask(streaming, 1);
    run_until_answer(streaming);
    fake_channel_send(writing, HELIX_MSG_PING, 0, 0, "ping", 4);
    fake_channel_offer(writing, HELIX_WIRE_HEADER_SIZE + 2);
    pass_time(30000);
    fake_channel_send(first, HELIX_MSG_PING, 0, 0, "ping", 4);
    fake_channel_offer(first, first->to_host->len); /* so that the second is idle for longer */
    fresh = connect_from(world, 5);
    g_assert_nonnull(fresh);
    g_assert_true(second->closed && !first->closed && !streaming->closed && !writing->closed);
    g_assert_null(connect_from(world, 6)); /* nobody is idle for long enough */
    pass_time(30000);
    last = connect_from(world, 6);
    g_assert_nonnull(last);
    g_assert_true(first->closed && !streaming->closed && !writing->closed && !fresh->closed);
    g_assert_cmpuint(connections(world), ==, 4);
    start_clock();
}

/* A message that is begun and never finished ends its connection, and what it held is free again. */
TEST("/limits/unfinished-message", test_stall)
{
    g_autoptr(World) world = world_new(&(HelixHostConfig){ .stall_timeout_ms = 50 });
    g_autoptr(GByteArray)
        head = client_frame_bytes(&(FrameRequest){ .flags = HELIX_REQUEST_PIXEL_DATA, .pixels_size = 64 * 48 * 4 });
    FakeChannel *channel = connect_from(world, 1), *idle = connect_from(world, 2),
                *deaf = fake_channel_new(world->host, 3);

    g_byte_array_append(channel->to_host, head->data, head->len);
    fake_channel_offer(channel, channel->to_host->len);
    g_byte_array_append(deaf->to_host, (const guint8 *)"half", 4);
    fake_channel_offer(deaf, 4);
    run_until(&channel->closed);
    expect_connection_error(channel, HELIX_CODE_INVALID, "send all of it");
    run_until(&deaf->closed); /* which never read its error */
    g_assert_cmpuint(deaf->from_host->len, ==, 0);
    g_assert_false(idle->closed); /* nothing begun, nothing owed */
    disconnect(world, channel);
    fake_channel_free(deaf);
    disconnect(world, idle);
    g_assert_cmpuint(connections(world), ==, 0);
}

/* A stopped VM sends nothing, and that is not its guests' fault. */
TEST("/limits/stopped-is-no-stall", test_no_stall_while_stopped)
{
    g_autoptr(World) world = world_new(&(HelixHostConfig){ .stall_timeout_ms = 40 });
    FakeChannel *channel = connect_from(world, 1);

    stop_clock();
    fake_channel_send(channel, HELIX_MSG_PING, 0, 0, "ping", 4);
    fake_channel_offer(channel, HELIX_WIRE_HEADER_SIZE + 2);
    helix_host_set_running(world->host, FALSE);
    for (guint i = 0; i < 10; i++) {
        pass_time(10000);
        g_usleep(10000); /* for the host's timer, which has no other clock */
        while (g_main_context_iteration(NULL, FALSE)) {
        }
    }
    g_assert_false(channel->closed);
    helix_host_set_running(world->host, TRUE);
    g_main_context_iteration(NULL, FALSE);
    g_assert_false(channel->closed);
    fake_channel_offer(channel, channel->to_host->len);
    g_assert_cmphex(answer_type(channel), ==, HELIX_MSG_PONG);
    start_clock();
}

/* ---- the limits themselves ---- */

TEST("/limits/ranges", test_ranges)
{
    static const struct {
        HelixHostConfig config;
        const char *name;
    } wrong[] = {
        { { .max_in_flight = 65 }, "helix-max-in-flight=65" },
        { { .max_streams = 257 }, "helix-max-streams=257" },
        { { .max_connections = G_MAXUINT }, "helix-max-connections=4294967295" },
        { { .max_encoders = 513 }, "helix-max-encoders=513" },
        { { .max_memory = 4096 }, "helix-max-memory=4096" },
        { { .max_memory = G_MAXUINT64 }, "helix-max-memory=" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(helix_host_new(&wrong[i].config, &error));
        g_assert_error(error, HELIX_ERROR, HELIX_CODE_INVALID);
        g_assert_nonnull(strstr(error->message, wrong[i].name));
        g_assert_nonnull(strstr(error->message, "out of range: from "));
    }
}

static void expect_no_encoder(const FakeChannel *channel)
{
    g_assert_cmphex(answer_type(channel), ==, HELIX_MSG_ERROR);
    g_assert_cmpint((gint32)helix_get_u32(channel->from_host->data + HELIX_WIRE_HEADER_SIZE), ==,
                    HELIX_CODE_NO_ENCODER);
}

/* Streams that end while their pictures are read leave so many look-ups and no more; a stream that is there goes on. */
TEST("/limits/unwanted-look-ups", test_unwanted)
{
    g_autoptr(World) world = world_new(&(HelixHostConfig){ .max_streams = 4 });
    FakeChannel *steady = connect_from(world, 1), *late;

    ask(steady, 1);
    run_until_answer(steady);
    g_byte_array_set_size(steady->from_host, 0);
    world->capture.hold = TRUE;
    for (guint i = 0; i < 20; i++) {
        FakeChannel *channel = connect_from(world, 2 + i);

        ask(channel, 1);
        disconnect(world, channel);
    }
    g_assert_cmpuint(world->capture.waiting.length, ==, 4);
    late = connect_from(world, 100);
    ask(late, 1);
    expect_no_encoder(late);
    g_byte_array_set_size(late->from_host, 0);
    ask(steady, 2);
    g_assert_cmpuint(world->capture.waiting.length, ==, 5);
    while (world->capture.waiting.length) {
        fake_capture_release(&world->capture);
    }
    world->capture.hold = FALSE;
    run_until_answer(steady);
    g_assert_cmphex(answer_type(steady), ==, HELIX_MSG_FRAME_RESPONSE);
    ask(late, 2);
    run_until_answer(late);
    g_assert_cmphex(answer_type(late), ==, HELIX_MSG_FRAME_RESPONSE);
}

/* As many encoders as there may be: the stream over it is told, and gets one when another ends. */
TEST("/limits/encoders", test_encoders)
{
    g_autoptr(World) world = world_new(&(HelixHostConfig){ .max_encoders = 1 });
    FakeChannel *first = connect_from(world, 1), *second = connect_from(world, 2);
    gint64 deadline = g_get_monotonic_time() + PATIENCE;

    ask(first, 1);
    run_until_answer(first);
    ask(second, 1);
    run_until_answer(second);
    g_assert_cmphex(answer_type(second), ==, HELIX_MSG_ERROR);
    g_assert_cmpint((gint32)helix_get_u32(second->from_host->data + HELIX_WIRE_HEADER_SIZE), ==, HELIX_CODE_NO_ENCODER);
    disconnect(world, first);
    do {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(1000);
        g_main_context_iteration(NULL, FALSE);
        g_byte_array_set_size(second->from_host, 0);
        ask(second, 2);
        run_until_answer(second);
    } while (answer_type(second) != HELIX_MSG_FRAME_RESPONSE);
}

/* A CONFIG_REQ with this coded size, and its answer. */
static void configure(FakeChannel *channel, guint32 width, guint32 height)
{
    guint8 payload[HELIX_CONFIG_SIZE] = { 0 };

    helix_put_u32(payload + HELIX_CONFIG_WIDTH, width);
    helix_put_u32(payload + HELIX_CONFIG_HEIGHT, height);
    g_byte_array_set_size(channel->from_host, 0);
    fake_channel_send(channel, HELIX_MSG_CONFIG_REQ, HELIX_CONFIG_ANSWER, 0, payload, sizeof payload);
    fake_channel_offer(channel, channel->to_host->len);
    run_until_answer(channel);
}

static void expect_refused(const FakeChannel *channel, const char *text)
{
    const guint8 *payload = channel->from_host->data + HELIX_WIRE_HEADER_SIZE;

    g_assert_cmphex(answer_type(channel), ==, HELIX_MSG_ERROR);
    g_assert_cmpint((gint32)helix_get_u32(payload + HELIX_ERROR_CODE), ==, HELIX_CODE_INTERNAL);
    g_assert_nonnull(strstr((const char *)payload + HELIX_ERROR_MESSAGE, text));
}

/* The coded size is the guest's, whatever the size of its pictures: what encoders keep together is limited. */
TEST("/limits/encoder-memory", test_encoder_memory)
{
    g_autoptr(World) world = world_new(&(HelixHostConfig){ .max_memory = 1 << 20 });
    FakeChannel *first = connect_from(world, 1), *second = connect_from(world, 2);
    gint64 deadline = g_get_monotonic_time() + PATIENCE;

    scripted_keep();
    configure(first, 272, 256);
    expect_refused(first, "1114112 bytes");
    configure(first, 256, 256);
    g_assert_cmphex(answer_type(first), ==, HELIX_MSG_CONFIG_RESP);
    configure(second, 256, 128);
    expect_refused(second, "beside the 1048576 of other encoders");
    configure(first, 128, 128); /* an encoder that is opened anew gives back first */
    g_assert_cmphex(answer_type(first), ==, HELIX_MSG_CONFIG_RESP);
    configure(second, 256, 128);
    g_assert_cmphex(answer_type(second), ==, HELIX_MSG_CONFIG_RESP);
    configure(first, 256, 256);
    expect_refused(first, "beside the 524288 of other encoders");
    disconnect(world, second);
    do { /* its thread closes it, when it comes to that */
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        configure(first, 256, 256);
    } while (answer_type(first) != HELIX_MSG_CONFIG_RESP);
}

/* ---- what errors leave behind ---- */

/* An IDR asked for with a request that fails is the next frame's, wherever the failure was seen. */
TEST("/limits/key-of-a-failed-request", test_key_of_a_failed_request)
{
    g_autoptr(World) world = world_new(&(HelixHostConfig){ .max_in_flight = 1 });
    FakeChannel *channel = connect_from(world, 1);
    const FrameRequest failing[] = {
        { .resource = FAKE_CAPTURE_LAST + 1, .force_key = 1 }, /* looked up */
        { .resource = 0, .force_key = 1 },                     /* read */
        { .flags = HELIX_REQUEST_REPEAT, .resource = 7, .force_key = 1 },
    };

    ask(channel, 0);
    run_until_answer(channel);
    for (guint i = 0; i < G_N_ELEMENTS(failing); i++) {
        g_autoptr(GByteArray) bytes = client_frame_bytes(&failing[i]);

        for (guint frame = 0; frame < 3; frame++) {
            g_byte_array_set_size(channel->from_host, 0);
            if (frame == 0) {
                g_byte_array_append(channel->to_host, bytes->data, bytes->len);
                fake_channel_offer(channel, channel->to_host->len);
            } else {
                ask(channel, frame);
            }
            run_until_answer(channel);
            if (frame == 0) {
                g_assert_cmphex(answer_type(channel), ==, HELIX_MSG_ERROR);
            } else {
                g_assert_cmphex(answer_type(channel), ==, HELIX_MSG_FRAME_RESPONSE);
                g_assert_cmpuint(channel->from_host->data[HELIX_WIRE_HEADER_SIZE + HELIX_RESPONSE_IS_KEYFRAME], ==,
                                 frame == 1);
            }
        }
    }
    /* busy: the one before it, which is under way, stays what it is */
    g_byte_array_set_size(channel->from_host, 0);
    scripted_hold(TRUE);
    ask(channel, 10);
    {
        g_autoptr(GByteArray) bytes = client_frame_bytes(&(FrameRequest){ .resource = 1, .force_key = 1, .pts = 11 });

        g_byte_array_append(channel->to_host, bytes->data, bytes->len);
        fake_channel_offer(channel, channel->to_host->len);
    }
    scripted_hold(FALSE);
    run_until_answer(channel);
    g_assert_cmpuint(channel->from_host->data[HELIX_WIRE_HEADER_SIZE + HELIX_RESPONSE_IS_KEYFRAME], ==, 0);
    g_byte_array_set_size(channel->from_host, 0);
    ask(channel, 12);
    run_until_answer(channel);
    g_assert_cmpuint(channel->from_host->data[HELIX_WIRE_HEADER_SIZE + HELIX_RESPONSE_IS_KEYFRAME], ==, 1);
}

/* A guest of frozen messages hears nothing of a refused CONFIG_REQ: it would take it for its frame's answer. */
TEST("/limits/refused-config-is-silent", test_refused_config_is_silent)
{
    g_autoptr(World) world = world_new(&(HelixHostConfig){ 0 });
    FakeChannel *channel = connect_from(world, 1);
    guint8 payload[HELIX_CONFIG_SIZE] = { 0 };

    payload[HELIX_CONFIG_CODEC] = 9;
    fake_channel_send(channel, HELIX_MSG_CONFIG_REQ, 0, 0, payload, sizeof payload);
    fake_channel_send(channel, HELIX_MSG_PING, 0, 0, "ping", 4);
    fake_channel_offer(channel, channel->to_host->len);
    run_until_answer(channel);
    g_assert_cmphex(answer_type(channel), ==, HELIX_MSG_PONG);
    g_byte_array_set_size(channel->from_host, 0);
    ask(channel, 1);
    run_until_answer(channel);
    g_assert_cmphex(answer_type(channel), ==, HELIX_MSG_FRAME_RESPONSE);
}
