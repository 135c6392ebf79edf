/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-random.c - guests that send anything at any time in any pieces, against what every answer must be: one for each
 * request, in order, PONGs where they belong, IDRs where a decoder needs one.
 *
 * The carrier is played here, so that what is taken on either way, and from within which call, is up to chance too.
 * Look-ups come late, encodes are dropped and fail, the VM stops, the GPU is reset, guests vanish.
 */
#include <string.h>

#include "client.h"
#include "core/bytes.h"
#include "core/host.h"
#include "gallery.h"
#include "scripted.h"

#define N_LINES     5u
#define N_SESSIONS  3u
#define ANSWERS     4000u
#define ENOUGH      20u         /* of each kind of answer */
#define PATIENCE    (60 * G_TIME_SPAN_SECOND)

typedef struct Expected {
    guint8 type;                /* of the message that is to be answered; SESSION_CLOSE has no answer */
    gint64 pts;
    gboolean release, released, force;
} Expected;

/* One connection: its carrier and what its guest waits for. */
typedef struct Line {
    HelixChannel channel;
    GByteArray *to_host, *from_host;
    gsize window;               /* bytes that write() still takes */
    gboolean wants_write, paused, resumed, in_input;
    gboolean ends, eof_told, closed;
    GQueue expected[N_SESSIONS];
    gboolean need_idr[N_SESSIONS];
    guint32 pings, pongs;       /* sent, answered */
    guint32 first_after;        /* the first PING behind the first CONFIG_REQ, */
    gboolean asked, agreed;     /* which was sent, was answered */
} Line;

typedef struct World {
    GRand *rand;
    HelixHost *host;
    Gallery gallery;
    Line *lines[N_LINES];
    gint64 pts;
    guint answers, idrs, drops, errors, released;
} World;

static World world;

static guint some(guint below)
{
    return (guint)g_rand_int_range(world.rand, 0, (gint32)below);
}

static gboolean one_in(guint n)
{
    return some(n) == 0;
}

/* ---- the carrier ---- */

static Line *line_of(HelixChannel *channel)
{
    return (Line *)channel;
}

static void deliver(Line *line)
{
    while (line->channel.user && !line->in_input && !line->paused && line->to_host->len) {
        guint n = 1 + some(MIN(line->to_host->len, 300));
        g_autofree guint8 *piece = NULL;
        gsize used;

        n = MIN(n, line->to_host->len);
        piece = g_memdup2(line->to_host->data, n);  /* of this size, for sanitizers to see */
        line->in_input = TRUE;
        line->resumed = FALSE;
        used = line->channel.user->input(&line->channel, piece, n);
        line->in_input = FALSE;
        g_assert_cmpuint(used, <=, n);
        g_byte_array_remove_range(line->to_host, 0, (guint)used);
        line->paused = used < n && !line->resumed;
    }
    if (line->channel.user && !line->in_input && line->ends && !line->to_host->len && !line->eof_told) {
        line->eof_told = TRUE;
        line->channel.user->input_eof(&line->channel);
    }
}

static gsize carrier_write(HelixChannel *channel, const guint8 *data, gsize len)
{
    Line *line = line_of(channel);
    gsize n = MIN(len, line->window);

    g_byte_array_append(line->from_host, data, (guint)n);
    line->window -= n;
    line->wants_write = n < len;
    return n;
}

static void carrier_shutdown_write(HelixChannel *channel)
{
    g_assert_not_reached();     /* a session has no use for it */
}

static void carrier_resume_input(HelixChannel *channel)
{
    Line *line = line_of(channel);

    line->paused = FALSE;
    line->resumed = TRUE;
    deliver(line);
}

static void carrier_close(HelixChannel *channel, gboolean abort)
{
    line_of(channel)->closed = TRUE;
}

static const HelixChannelCarrier carrier = {
    .write = carrier_write,
    .shutdown_write = carrier_shutdown_write,
    .resume_input = carrier_resume_input,
    .close = carrier_close,
};

static Line *line_new(void)
{
    Line *line = g_new0(Line, 1);

    line->channel.carrier = &carrier;
    line->channel.peer = (char *)"line";
    line->to_host = g_byte_array_new();
    line->from_host = g_byte_array_new();
    for (guint i = 0; i < N_SESSIONS; i++) {
        g_queue_init(&line->expected[i]);
        line->need_idr[i] = TRUE;
    }
    g_assert_true(helix_host_accept(&line->channel, world.host));
    return line;
}

static void line_free(Line *line)
{
    for (guint i = 0; i < N_SESSIONS; i++) {
        g_queue_clear_full(&line->expected[i], g_free);
    }
    g_byte_array_unref(line->to_host);
    g_byte_array_unref(line->from_host);
    g_free(line);
}

/* ---- what a guest sends ---- */

static void send(Line *line, guint8 type, guint8 flags, guint session, const void *payload, gsize size)
{
    guint8 header[HELIX_WIRE_HEADER_SIZE];

    helix_put_u32(header + HELIX_WIRE_HEADER_MAGIC, HELIX_WIRE_MAGIC);
    header[HELIX_WIRE_HEADER_TYPE] = type;
    header[HELIX_WIRE_HEADER_FLAGS] = flags;
    helix_put_u16(header + HELIX_WIRE_HEADER_SESSION, (guint16)session);
    helix_put_u32(header + HELIX_WIRE_HEADER_PAYLOAD, (guint32)size);
    g_byte_array_append(line->to_host, header, sizeof header);
    if (size) {
        g_byte_array_append(line->to_host, payload, (guint)size);
    }
}

static Expected *expect(Line *line, guint session, guint8 type)
{
    Expected *expected = g_new0(Expected, 1);

    expected->type = type;
    g_queue_push_tail(&line->expected[session], expected);
    return expected;
}

static void send_frame(Line *line, guint session)
{
    static const guint8 pixels[64 * 4 * 50];
    Expected *expected = expect(line, session, HELIX_MSG_FRAME_REQUEST);
    FrameRequest request = {
        .session = (guint16)session, .width = one_in(8) ? 32 : 16, .height = 16, .fourcc = HELIX_FORMAT_XR24,
        .stride = 64 * 4, .pts = ++world.pts, .force_key = one_in(10),
    };
    g_autoptr(GByteArray) bytes = NULL;

    request.flags = (one_in(2) ? HELIX_REQUEST_RELEASE : 0) | (one_in(4) ? HELIX_REQUEST_TIMING : 0);
    switch (some(10)) {
    case 0:
        request.flags |= HELIX_REQUEST_PIXEL_DATA;
        request.pixels = pixels;
        request.pixels_size = one_in(5) ? 100 : 64 * 4 * 16 + some(64 * 4 * 20);
        break;
    case 1:
        request.flags |= HELIX_REQUEST_REPEAT;
        break;
    case 2:
        request.resource = one_in(2) ? 0 : GALLERY_LAST + 1;
        break;
    default:
        request.resource = 1 + some(GALLERY_LAST);
    }
    expected->pts = request.pts;
    expected->release = request.flags & HELIX_REQUEST_RELEASE;
    expected->force = request.force_key;
    bytes = client_frame_bytes(&request);
    g_byte_array_append(line->to_host, bytes->data, bytes->len);
    if (request.pixels_size) {
        g_byte_array_append(line->to_host, pixels, (guint)request.pixels_size);
    }
}

static void send_config(Line *line, guint session)
{
    guint8 payload[HELIX_CONFIG_SIZE] = { 0 };

    if (one_in(3)) {
        helix_put_u32(payload + HELIX_CONFIG_WIDTH, 16 + some(3));
        helix_put_u32(payload + HELIX_CONFIG_HEIGHT, 16);
    }
    helix_put_u32(payload + HELIX_CONFIG_FPS_NUM, 30);
    helix_put_u32(payload + HELIX_CONFIG_FPS_DEN, one_in(5) ? 0 : 1);
    expect(line, session, HELIX_MSG_CONFIG_REQ);
    if (!line->asked) {
        line->asked = TRUE;
        line->first_after = line->pings;
    }
    send(line, HELIX_MSG_CONFIG_REQ, HELIX_CONFIG_ANSWER, session, payload, sizeof payload);
}

static void send_something(Line *line)
{
    guint session = some(N_SESSIONS);
    guint8 number[4];

    switch (some(16)) {
    case 0:
        send_config(line, session);
        break;
    case 1:
        expect(line, session, HELIX_MSG_SESSION_CLOSE);
        send(line, HELIX_MSG_SESSION_CLOSE, 0, session, NULL, 0);
        break;
    case 2:
        send(line, HELIX_MSG_KEYFRAME_REQ, 0, session, NULL, 0);
        break;
    case 3:
        helix_put_u32(number, line->pings++);
        send(line, HELIX_MSG_PING, 0, session, number, sizeof number);
        break;
    default:
        send_frame(line, session);
    }
}

/* ---- what a guest receives ---- */

/* What @session waits for next; a closed stream begins anew. */
static Expected *next_expected(Line *line, guint session)
{
    Expected *expected;

    g_assert_cmpuint(session, <, N_SESSIONS);
    while ((expected = g_queue_peek_head(&line->expected[session])) && expected->type == HELIX_MSG_SESSION_CLOSE) {
        g_free(g_queue_pop_head(&line->expected[session]));
        line->need_idr[session] = TRUE;
    }
    return expected;
}

static void received_frame(Line *line, guint session, const guint8 *header, const guint8 *payload)
{
    g_autofree Expected *expected = next_expected(line, session);
    gboolean keyframe = payload[HELIX_RESPONSE_IS_KEYFRAME] != 0;
    gboolean dropped = header[HELIX_WIRE_HEADER_FLAGS] & HELIX_RESPONSE_DROPPED;

    g_assert_nonnull(expected);
    g_queue_pop_head(&line->expected[session]);
    g_assert_cmphex(expected->type, ==, HELIX_MSG_FRAME_REQUEST);
    g_assert_cmpint((gint64)helix_get_u64(payload + HELIX_RESPONSE_PTS), ==, expected->pts);
    line->need_idr[session] |= expected->force;
    world.drops += dropped;
    if (!dropped) {
        g_assert_true(keyframe || !line->need_idr[session]);
        line->need_idr[session] = FALSE;
        world.idrs += keyframe;
    }
}

static void received_error(Line *line, guint session, const guint8 *header, const guint8 *payload)
{
    g_autofree Expected *expected = next_expected(line, session);
    int code = (gint32)helix_get_u32(payload + HELIX_ERROR_CODE);

    g_assert_nonnull(expected);
    g_queue_pop_head(&line->expected[session]);
    g_assert_cmphex(header[HELIX_WIRE_HEADER_FLAGS], ==, expected->type);
    line->agreed |= expected->type == HELIX_MSG_CONFIG_REQ;
    line->need_idr[session] |= code == HELIX_CODE_ENCODE;
    world.errors++;
}

static void received_released(Line *line, guint session, const guint8 *payload)
{
    gint64 pts = (gint64)helix_get_u64(payload + HELIX_RELEASED_PTS);

    for (GList *link = line->expected[session].head; link; link = link->next) {
        Expected *expected = link->data;

        if (expected->type == HELIX_MSG_FRAME_REQUEST && expected->pts == pts) {
            g_assert_true(expected->release && !expected->released);
            expected->released = TRUE;
            world.released++;
            return;
        }
    }
    g_error("FRAME_RELEASED of a frame that was answered, or never sent");
}

static void received(Line *line, const guint8 *header, const guint8 *payload)
{
    guint session = helix_get_u16(header + HELIX_WIRE_HEADER_SESSION);

    world.answers++;
    switch (header[HELIX_WIRE_HEADER_TYPE]) {
    case HELIX_MSG_FRAME_RESPONSE:
        received_frame(line, session, header, payload);
        break;
    case HELIX_MSG_ERROR:
        received_error(line, session, header, payload);
        break;
    case HELIX_MSG_CONFIG_RESP:
        g_assert_cmphex(next_expected(line, session)->type, ==, HELIX_MSG_CONFIG_REQ);
        g_free(g_queue_pop_head(&line->expected[session]));
        line->agreed = TRUE;
        break;
    case HELIX_MSG_FRAME_RELEASED:
        received_released(line, session, payload);
        break;
    case HELIX_MSG_PONG:
        g_assert_cmpuint(helix_get_u32(payload), ==, line->pongs++);
        g_assert_true(!line->asked || line->agreed || line->pongs <= line->first_after);
        break;
    default:
        g_assert_not_reached();
    }
}

static void receive(Line *line)
{
    guint8 *at = line->from_host->data;
    gsize left = line->from_host->len;

    while (left >= HELIX_WIRE_HEADER_SIZE) {
        gsize size = HELIX_WIRE_HEADER_SIZE + helix_get_u32(at + HELIX_WIRE_HEADER_PAYLOAD);

        if (size > left) {
            break;
        }
        received(line, at, at + HELIX_WIRE_HEADER_SIZE);
        at += size;
        left -= size;
    }
    g_byte_array_remove_range(line->from_host, 0, line->from_host->len - (guint)left);
}

static void open_window(Line *line, gsize bytes)
{
    line->window += bytes;
    if (line->channel.user && line->wants_write) {
        line->wants_write = FALSE;
        line->channel.user->writable(&line->channel);
    }
}

/* The host closed: the guest has what it asked for. */
static void finished(Line *line)
{
    receive(line);
    g_assert_true(line->eof_told);
    g_assert_cmpuint(line->from_host->len, ==, 0);
    for (guint i = 0; i < N_SESSIONS; i++) {
        g_assert_null(next_expected(line, i));
    }
    g_assert_cmpuint(line->pongs, ==, line->pings);
    line_free(line);
}

/* ---- chance ---- */

static void vanish(Line *line)
{
    const HelixChannelUser *user = line->channel.user;

    if (user) {
        line->channel.user = NULL;
        user->closed(&line->channel);
    }
    line_free(line);
}

static void disturb(void)
{
    switch (some(40)) {
    case 0:
        helix_host_reset(world.host);
        break;
    case 1:
    case 2:
        helix_host_set_running(world.host, one_in(2));
        break;
    case 3:
        world.gallery.hold = !world.gallery.hold;
        break;
    case 4:
        world.gallery.borrow = !world.gallery.borrow;
        break;
    case 5:
        scripted_fail(1);
        break;
    case 6:
        scripted_drop(some(4));
        break;
    case 7:
        scripted_fail_open(1);
        break;
    default:
        gallery_release(&world.gallery);
    }
}

static void step(void)
{
    guint i = some(N_LINES);
    Line *line = world.lines[i];

    if (line && line->closed) {
        finished(line);
        line = NULL;
    } else if (line && one_in(300)) {
        vanish(line);
        line = NULL;
    }
    if (!line) {
        line = world.lines[i] = line_new();
    }
    if (one_in(200)) {
        line->ends = TRUE;
    }
    if (!line->ends && line->to_host->len < 20000) {
        send_something(line);
    }
    if (one_in(2)) {
        deliver(line);
    }
    if (one_in(2)) {
        open_window(line, some(2000));
    }
    if (one_in(3)) {
        disturb();
    }
    receive(line);
    g_main_context_iteration(NULL, FALSE);
}

/* The guest stops asking and reads all that comes: then the host closes. */
static void finish(Line *line)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE;

    line->ends = TRUE;
    while (!line->closed) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        deliver(line);
        open_window(line, 1 << 20);
        g_main_context_iteration(NULL, FALSE);
    }
    finished(line);
}

static gboolean seen_enough(void)
{
    return world.answers >= ANSWERS && MIN(MIN(world.idrs, world.drops), MIN(world.errors, world.released)) >= ENOUGH;
}

static void test_traffic(void)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE;
    HelixHostConfig config = { .resolver = &gallery_resolver, .resolver_data = &world.gallery };

    memset(&world, 0, sizeof world);
    world.rand = g_rand_new_with_seed((guint32)g_test_rand_int());
    config.encoder_class = scripted_wrap(&helix_encoder_null);
    world.host = helix_host_new(&config, NULL);
    while (!seen_enough()) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        step();
    }
    world.gallery.hold = FALSE;
    scripted_drop(0);
    helix_host_set_running(world.host, TRUE);
    while (world.gallery.waiting.length) {
        gallery_release(&world.gallery);
    }
    for (guint i = 0; i < N_LINES; i++) {
        if (world.lines[i]) {
            finish(world.lines[i]);
        }
    }
    helix_host_free(world.host);
    g_assert_cmpuint(scripted_n_opened(), ==, scripted_n_closed());
    g_test_message("%u messages: %u IDRs, %u dropped, %u errors, %u released", world.answers, world.idrs, world.drops,
                   world.errors, world.released);
    g_rand_free(world.rand);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/random/traffic", test_traffic);
    return g_test_run();
}
