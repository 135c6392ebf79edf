/* SPDX-License-Identifier: GPL-2.0-or-later */
/* random-client.c - guests that send anything, and what they must be answered. random-client-world.c has what they
 * share. */
#include <string.h>

#include "random-client.h"
#include "client.h"
#include "protocol/bytes.h"

#define PATIENCE (60 * G_TIME_SPAN_SECOND)
#define MOST_NUMBERS 24u    /* of snapshots; more than may be kept */
#define MOST_WAITING 20000u /* bytes that a guest has ready */

typedef struct Expected {
    guint8 type; /* of the message; SESSION_CLOSE and KEYFRAME_REQ have no answer */
    gint64 pts;
    guint64 judged, end; /* bytes sent when the host may say "busy" (its pixels are still to come), and at its end */
    gboolean release, released, force;
    gboolean begun;    /* it may be "busy" already: */
    guint ahead;       /* that many frames before it had no answer yet, at most */
    gboolean arrived;  /* the host has all of it */
    gboolean seen_idr; /* KEYFRAME_REQ: an IDR came since it arrived */
} Expected;

struct RandomClient {
    RandomWorld *world;
    FakeChannel *channel;
    guint64 sent;                      /* bytes put into the channel */
    guint64 told_consumed, told_taken; /* of the channel's, that the world's sums have */
    GQueue expected[RANDOM_CLIENT_SESSIONS];
    GQueue snapshots[RANDOM_CLIENT_SESSIONS]; /* Expected, whose pts is the number: in order with each other only */
    gboolean need_idr[RANDOM_CLIENT_SESSIONS];
    guint32 pings, pongs;   /* sent, answered */
    guint32 first_after;    /* the first PING behind the first flagged CONFIG_REQ, */
    gboolean asked, agreed; /* which was sent, was answered */
};

static gboolean one_in(RandomClient *client, guint n)
{
    return random_world_some(client->world, n) == 0;
}

/* ---- what a guest sends ---- */

static Expected *expect(RandomClient *client, guint session, guint8 type)
{
    Expected *expected = g_new0(Expected, 1);

    expected->type = type;
    g_queue_push_tail(&client->expected[session], expected);
    return expected;
}

static void send(RandomClient *client, Expected *expected, guint8 type, guint8 flags, guint session,
                 const void *payload, gsize size)
{
    fake_channel_send(client->channel, type, flags, (guint16)session, payload, size);
    client->sent += HELIX_WIRE_HEADER_SIZE + size;
    if (expected) {
        expected->judged = expected->end = client->sent;
    }
}

static void send_frame(RandomClient *client, guint session)
{
    static const guint8 pixels[64 * 4 * 50];
    RandomWorld *world = client->world;
    Expected *expected = expect(client, session, HELIX_MSG_FRAME_REQUEST);
    FrameRequest request = {
        .session = (guint16)session,
        .width = one_in(client, 8) ? 16 + random_world_some(world, world->widest - 15) : 16,
        .height = 16,
        .fourcc = HELIX_FORMAT_XR24,
        .stride = 64 * 4,
        .pts = ++world->pts,
        .force_key = one_in(client, 10),
    };
    g_autoptr(GByteArray) bytes = NULL;

    request.flags = (one_in(client, 2) ? HELIX_REQUEST_RELEASE : 0) | (one_in(client, 4) ? HELIX_REQUEST_TIMING : 0);
    switch (random_world_some(world, client->agreed ? 12 : 10)) {
    case 0:
        request.flags |= HELIX_REQUEST_PIXEL_DATA;
        request.pixels = pixels;
        request.pixels_size = one_in(client, 5) ? 100 : 64 * 4 * 16 + random_world_some(world, 64 * 4 * 20);
        break;
    case 1:
        request.flags |= HELIX_REQUEST_REPEAT;
        break;
    case 2:
        request.resource = one_in(client, 2) ? 0 : FAKE_CAPTURE_LAST + 1;
        break;
    case 10:
    case 11:
        request.flags |= HELIX_REQUEST_SNAPSHOT;
        request.resource = random_world_some(world, MOST_NUMBERS);
        break;
    default:
        request.resource = 1 + random_world_some(world, FAKE_CAPTURE_LAST);
    }
    expected->pts = request.pts;
    expected->release = request.flags & HELIX_REQUEST_RELEASE;
    expected->force = request.force_key;
    bytes = client_frame_bytes(&request);
    g_byte_array_append(client->channel->to_host, bytes->data, bytes->len);
    if (request.pixels_size) {
        g_byte_array_append(client->channel->to_host, pixels, (guint)request.pixels_size);
    }
    expected->judged = client->sent += bytes->len;
    expected->end = client->sent += request.pixels_size;
}

static void send_config(RandomClient *client, guint session)
{
    guint8 payload[HELIX_CONFIG_SIZE] = { 0 };
    Expected *expected = expect(client, session, HELIX_MSG_CONFIG_REQ);

    if (one_in(client, 3)) {
        helix_put_u32(payload + HELIX_CONFIG_WIDTH, 16 + random_world_some(client->world, 3));
        helix_put_u32(payload + HELIX_CONFIG_HEIGHT, 16);
    }
    helix_put_u32(payload + HELIX_CONFIG_FPS_NUM, 30);
    helix_put_u32(payload + HELIX_CONFIG_FPS_DEN, one_in(client, 5) ? 0 : 1);
    if (!client->asked) {
        client->asked = TRUE;
        client->first_after = client->pings;
    }
    send(client, expected, HELIX_MSG_CONFIG_REQ, HELIX_CONFIG_ANSWER, session, payload, sizeof payload);
}

static void send_snapshot(RandomClient *client, guint session)
{
    RandomWorld *world = client->world;
    Expected *expected = g_new0(Expected, 1);
    const FrameRequest request = {
        .session = (guint16)session,
        .resource = random_world_some(world, 10) ? 1 + random_world_some(world, FAKE_CAPTURE_LAST) : 0,
        .width = one_in(client, 8) ? 16 + random_world_some(world, world->widest - 15) : 16,
        .height = 16,
    };
    g_autoptr(GByteArray) bytes = client_frame_bytes(&request);

    expected->pts = random_world_some(world, MOST_NUMBERS);
    helix_put_u32(bytes->data + HELIX_WIRE_HEADER_SIZE + HELIX_SNAPSHOT_NUMBER, (guint32)expected->pts);
    send(client, expected, HELIX_MSG_SNAPSHOT, 0, session, bytes->data + HELIX_WIRE_HEADER_SIZE, HELIX_REQUEST_SIZE);
    g_queue_push_tail(&client->snapshots[session], expected);
}

static void send_drop(RandomClient *client, guint session)
{
    guint8 number[HELIX_SNAPSHOT_DROP_SIZE];

    helix_put_u32(number, random_world_some(client->world, MOST_NUMBERS));
    send(client, NULL, HELIX_MSG_SNAPSHOT_DROP, 0, session, number, sizeof number);
}

static void send_something(RandomClient *client)
{
    guint session = random_world_some(client->world, RANDOM_CLIENT_SESSIONS);
    guint8 number[4];

    switch (random_world_some(client->world, client->agreed ? 20 : 16)) {
    case 0:
        send_config(client, session);
        break;
    case 1:
        send(client, expect(client, session, HELIX_MSG_SESSION_CLOSE), HELIX_MSG_SESSION_CLOSE, 0, session, NULL, 0);
        break;
    case 2:
        send(client, expect(client, session, HELIX_MSG_KEYFRAME_REQ), HELIX_MSG_KEYFRAME_REQ, 0, session, NULL, 0);
        break;
    case 3:
        helix_put_u32(number, client->pings++);
        send(client, NULL, HELIX_MSG_PING, 0, session, number, sizeof number);
        break;
    case 16:
    case 17:
        send_snapshot(client, session);
        break;
    case 18:
        send_drop(client, session);
        break;
    default:
        send_frame(client, session);
    }
}

/* ---- what a guest receives ---- */

/* What @session waits for next. A closed stream begins anew; a KEYFRAME_REQ that nothing followed yet is due. */
static Expected *next_expected(RandomClient *client, guint session)
{
    Expected *expected;

    g_assert_cmpuint(session, <, RANDOM_CLIENT_SESSIONS);
    while ((expected = g_queue_peek_head(&client->expected[session])) &&
           (expected->type == HELIX_MSG_SESSION_CLOSE || expected->type == HELIX_MSG_KEYFRAME_REQ)) {
        client->need_idr[session] |= expected->type == HELIX_MSG_SESSION_CLOSE || !expected->seen_idr;
        g_free(g_queue_pop_head(&client->expected[session]));
    }
    return expected;
}

static Expected *answered(RandomClient *client, guint session, guint8 type)
{
    Expected *expected = next_expected(client, session);

    g_assert_nonnull(expected);
    g_assert_cmphex(expected->type, ==, type);
    g_assert_true(expected->arrived);
    return g_queue_pop_head(&client->expected[session]);
}

static void note_idr(RandomClient *client, guint session)
{
    for (GList *link = client->expected[session].head; link; link = link->next) {
        Expected *expected = link->data;

        expected->seen_idr |= expected->arrived;
    }
}

static void received_frame(RandomClient *client, guint session, const guint8 *header, const guint8 *payload)
{
    RandomWorld *world = client->world;
    g_autofree Expected *expected = answered(client, session, HELIX_MSG_FRAME_REQUEST);
    gboolean keyframe = payload[HELIX_RESPONSE_IS_KEYFRAME] != 0;
    gboolean dropped = header[HELIX_WIRE_HEADER_FLAGS] & HELIX_RESPONSE_DROPPED ? TRUE : FALSE;

    g_assert_cmpint((gint64)helix_get_u64(payload + HELIX_RESPONSE_PTS), ==, expected->pts);
    client->need_idr[session] |= expected->force;
    world->frames++;
    world->drops += dropped;
    if (!dropped) {
        g_assert_true(keyframe || !client->need_idr[session]);
        client->need_idr[session] = FALSE;
        world->encoded++;
        world->idrs += keyframe;
        if (keyframe) {
            note_idr(client, session);
        }
    }
}

static void received_error(RandomClient *client, guint session, const guint8 *header, const guint8 *payload)
{
    RandomWorld *world = client->world;
    int code = (gint32)helix_get_u32(payload + HELIX_ERROR_CODE);
    g_autofree Expected *expected = answered(client, session, header[HELIX_WIRE_HEADER_FLAGS]);

    g_assert_cmpint(code, <, 0);
    g_assert_cmpint(code, >, -100);
    g_assert_cmpuint(payload[HELIX_ERROR_MESSAGE], !=, 0);
    client->agreed |= expected->type == HELIX_MSG_CONFIG_REQ;
    if (expected->type != HELIX_MSG_FRAME_REQUEST) {
        return;
    }
    world->frames++;
    world->errors[-code]++;
    client->need_idr[session] |= expected->force || code == HELIX_CODE_ENCODE;
    if (code == HELIX_CODE_BUSY) {
        world->busy++;
        g_assert_cmpuint(expected->ahead, >=, world->max_in_flight);
    }
}

static void received_released(RandomClient *client, guint session, const guint8 *payload)
{
    gint64 pts = (gint64)helix_get_u64(payload + HELIX_RELEASED_PTS);

    for (GList *link = client->expected[session].head; link; link = link->next) {
        Expected *expected = link->data;

        if (expected->type == HELIX_MSG_FRAME_REQUEST && expected->pts == pts) {
            g_assert_true(expected->arrived && expected->release && !expected->released);
            expected->released = TRUE;
            client->world->released++;
            return;
        }
    }
    g_error("FRAME_RELEASED of a frame that was answered, or never sent");
}

static void received_snapshot(RandomClient *client, guint session, const guint8 *payload)
{
    g_autofree Expected *expected = g_queue_pop_head(&client->snapshots[session]);
    int code = (gint32)helix_get_u32(payload + HELIX_SNAPSHOT_DONE_CODE);

    g_assert_nonnull(expected);
    g_assert_true(expected->arrived);
    g_assert_cmpuint(helix_get_u32(payload + HELIX_SNAPSHOT_DONE_NUMBER), ==, (guint32)expected->pts);
    g_assert_cmpint(code, <=, 0);
    g_assert_cmpint(payload[HELIX_SNAPSHOT_DONE_MESSAGE] != 0, ==, code != 0);
    client->world->snapshots++;
    client->world->kept += code == 0;
}

static void received(RandomClient *client, const guint8 *header, const guint8 *payload)
{
    guint session = helix_get_u16(header + HELIX_WIRE_HEADER_SESSION);

    client->world->messages++;
    switch (header[HELIX_WIRE_HEADER_TYPE]) {
    case HELIX_MSG_FRAME_RESPONSE:
        received_frame(client, session, header, payload);
        break;
    case HELIX_MSG_ERROR:
        received_error(client, session, header, payload);
        break;
    case HELIX_MSG_CONFIG_RESP:
        g_free(answered(client, session, HELIX_MSG_CONFIG_REQ));
        client->agreed = TRUE;
        break;
    case HELIX_MSG_SNAPSHOT_DONE:
        received_snapshot(client, session, payload);
        break;
    case HELIX_MSG_FRAME_RELEASED:
        received_released(client, session, payload);
        break;
    case HELIX_MSG_PONG:
        g_assert_cmpuint(helix_get_u32(payload), ==, client->pongs++);
        g_assert_true(!client->asked || client->agreed || client->pongs <= client->first_after);
        break;
    default:
        g_assert_not_reached();
    }
}

/* The host may have taken requests since; and its answers are looked at. */
static void look(RandomClient *client)
{
    FakeChannel *channel = client->channel;
    guint8 *at;
    gsize left;

    client->world->consumed += channel->consumed - client->told_consumed;
    client->told_consumed = channel->consumed;
    for (guint i = 0; i < RANDOM_CLIENT_SESSIONS; i++) {
        guint frames = 0;

        for (GList *link = client->expected[i].head; link; link = link->next) {
            Expected *expected = link->data;
            gboolean is_frame = expected->type == HELIX_MSG_FRAME_REQUEST;

            if (!expected->begun && expected->judged <= channel->consumed) {
                expected->begun = TRUE;
                expected->ahead = frames;
            }
            if (!expected->arrived && expected->end <= channel->consumed) {
                expected->arrived = TRUE;
                client->world->requests += is_frame;
            }
            frames += is_frame;
        }
        for (GList *link = client->snapshots[i].head; link; link = link->next) {
            Expected *expected = link->data;

            expected->arrived |= expected->end <= channel->consumed;
        }
    }
    client->world->taken += channel->taken - client->told_taken;
    client->told_taken = channel->taken;
    at = channel->from_host->data;
    left = channel->from_host->len;
    while (left >= HELIX_WIRE_HEADER_SIZE) {
        gsize size = HELIX_WIRE_HEADER_SIZE + helix_get_u32(at + HELIX_WIRE_HEADER_PAYLOAD);

        if (size > left) {
            break;
        }
        received(client, at, at + HELIX_WIRE_HEADER_SIZE);
        at += size;
        left -= size;
    }
    g_byte_array_remove_range(channel->from_host, 0, channel->from_host->len - (guint)left);
}

/* ---- life ---- */

/* Some bytes at a time. What was answered before is looked at before each, for `ahead` to be what it says. */
static void deliver(RandomClient *client)
{
    while (fake_channel_can_offer(client->channel)) {
        look(client);
        fake_channel_offer(client->channel, 1 + random_world_some(client->world, 300));
    }
}

/* Also from inside resume_input(): but nothing is looked at there, in the middle of a call of the host's. */
static void on_resume(FakeChannel *channel)
{
    RandomClient *client = channel->data;

    if (one_in(client, 2) && fake_channel_can_offer(channel)) {
        fake_channel_offer(channel, 1 + random_world_some(client->world, 300));
    }
}

RandomClient *random_client_new(RandomWorld *world)
{
    RandomClient *client = g_new0(RandomClient, 1);

    client->world = world;
    client->channel = fake_channel_new(world->host, 0);
    if (!client->channel) {
        g_free(client);
        return NULL;
    }
    client->channel->data = client;
    client->channel->on_resume = on_resume;
    for (guint i = 0; i < RANDOM_CLIENT_SESSIONS; i++) {
        g_queue_init(&client->expected[i]);
        g_queue_init(&client->snapshots[i]);
        client->need_idr[i] = TRUE;
    }
    world->connections++;
    return client;
}

void random_client_vanish(RandomClient *client)
{
    look(client);
    fake_channel_free(client->channel);
    for (guint i = 0; i < RANDOM_CLIENT_SESSIONS; i++) {
        g_queue_clear_full(&client->expected[i], g_free);
        g_queue_clear_full(&client->snapshots[i], g_free);
    }
    g_free(client);
}

/* The host closed an idle connection to make room for another: nothing that it had taken is left unanswered. */
static void gave_way(RandomClient *client)
{
    for (guint i = 0; i < RANDOM_CLIENT_SESSIONS; i++) {
        const Expected *next = next_expected(client, i), *snapshot = g_queue_peek_head(&client->snapshots[i]);

        g_assert_true(!next || !next->arrived);
        g_assert_true(!snapshot || !snapshot->arrived);
    }
    random_client_vanish(client);
}

/* The host closed: the guest has what it asked for. */
static void finished(RandomClient *client)
{
    look(client);
    if (!client->channel->eof_told) {
        gave_way(client);
        return;
    }
    g_assert_cmpuint(client->channel->from_host->len, ==, 0);
    for (guint i = 0; i < RANDOM_CLIENT_SESSIONS; i++) {
        g_assert_null(next_expected(client, i));
        g_assert_true(g_queue_is_empty(&client->snapshots[i]));
    }
    g_assert_cmpuint(client->pongs, ==, client->pings);
    random_client_vanish(client);
}

gboolean random_client_step(RandomClient *client)
{
    FakeChannel *channel = client->channel;

    if (channel->closed) {
        finished(client);
        return FALSE;
    }
    channel->ends |= one_in(client, 200);
    if (!channel->ends && channel->to_host->len < MOST_WAITING) {
        send_something(client);
    }
    if (one_in(client, 2)) {
        deliver(client);
    }
    look(client);
    if (one_in(client, 2)) {
        fake_channel_open(channel, random_world_some(client->world, 2000));
    }
    look(client);
    return TRUE;
}

void random_client_finish(RandomClient *client)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE;

    client->channel->ends = TRUE;
    while (!client->channel->closed) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        deliver(client);
        fake_channel_open(client->channel, 1 << 20);
        look(client);
        g_main_context_iteration(NULL, FALSE);
    }
    finished(client);
}
