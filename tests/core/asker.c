/* SPDX-License-Identifier: GPL-2.0-or-later */
/* asker.c - guests that send anything, and what they must be answered. asker-world.c has what they share. */
#include <string.h>

#include "asker.h"
#include "client.h"
#include "protocol/bytes.h"

#define PATIENCE (60 * G_TIME_SPAN_SECOND)
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

struct Asker {
    AskerWorld *world;
    Line *line;
    guint64 sent;                      /* bytes put into the line */
    guint64 told_consumed, told_taken; /* of the line's, that the world's sums have */
    GQueue expected[ASKER_SESSIONS];
    gboolean need_idr[ASKER_SESSIONS];
    guint32 pings, pongs;   /* sent, answered */
    guint32 first_after;    /* the first PING behind the first flagged CONFIG_REQ, */
    gboolean asked, agreed; /* which was sent, was answered */
};

static gboolean one_in(Asker *asker, guint n)
{
    return asker_some(asker->world, n) == 0;
}

/* ---- what a guest sends ---- */

static Expected *expect(Asker *asker, guint session, guint8 type)
{
    Expected *expected = g_new0(Expected, 1);

    expected->type = type;
    g_queue_push_tail(&asker->expected[session], expected);
    return expected;
}

static void send(Asker *asker, Expected *expected, guint8 type, guint8 flags, guint session, const void *payload,
                 gsize size)
{
    line_send(asker->line, type, flags, (guint16)session, payload, size);
    asker->sent += HELIX_WIRE_HEADER_SIZE + size;
    if (expected) {
        expected->judged = expected->end = asker->sent;
    }
}

static void send_frame(Asker *asker, guint session)
{
    static const guint8 pixels[64 * 4 * 50];
    AskerWorld *world = asker->world;
    Expected *expected = expect(asker, session, HELIX_MSG_FRAME_REQUEST);
    FrameRequest request = {
        .session = (guint16)session,
        .width = one_in(asker, 8) ? 16 + asker_some(world, world->widest - 15) : 16,
        .height = 16,
        .fourcc = HELIX_FORMAT_XR24,
        .stride = 64 * 4,
        .pts = ++world->pts,
        .force_key = one_in(asker, 10),
    };
    g_autoptr(GByteArray) bytes = NULL;

    request.flags = (one_in(asker, 2) ? HELIX_REQUEST_RELEASE : 0) | (one_in(asker, 4) ? HELIX_REQUEST_TIMING : 0);
    switch (asker_some(world, 10)) {
    case 0:
        request.flags |= HELIX_REQUEST_PIXEL_DATA;
        request.pixels = pixels;
        request.pixels_size = one_in(asker, 5) ? 100 : 64 * 4 * 16 + asker_some(world, 64 * 4 * 20);
        break;
    case 1:
        request.flags |= HELIX_REQUEST_REPEAT;
        break;
    case 2:
        request.resource = one_in(asker, 2) ? 0 : GALLERY_LAST + 1;
        break;
    default:
        request.resource = 1 + asker_some(world, GALLERY_LAST);
    }
    expected->pts = request.pts;
    expected->release = request.flags & HELIX_REQUEST_RELEASE;
    expected->force = request.force_key;
    bytes = client_frame_bytes(&request);
    g_byte_array_append(asker->line->to_host, bytes->data, bytes->len);
    if (request.pixels_size) {
        g_byte_array_append(asker->line->to_host, pixels, (guint)request.pixels_size);
    }
    expected->judged = asker->sent += bytes->len;
    expected->end = asker->sent += request.pixels_size;
}

static void send_config(Asker *asker, guint session)
{
    guint8 payload[HELIX_CONFIG_SIZE] = { 0 };
    Expected *expected = expect(asker, session, HELIX_MSG_CONFIG_REQ);

    if (one_in(asker, 3)) {
        helix_put_u32(payload + HELIX_CONFIG_WIDTH, 16 + asker_some(asker->world, 3));
        helix_put_u32(payload + HELIX_CONFIG_HEIGHT, 16);
    }
    helix_put_u32(payload + HELIX_CONFIG_FPS_NUM, 30);
    helix_put_u32(payload + HELIX_CONFIG_FPS_DEN, one_in(asker, 5) ? 0 : 1);
    if (!asker->asked) {
        asker->asked = TRUE;
        asker->first_after = asker->pings;
    }
    send(asker, expected, HELIX_MSG_CONFIG_REQ, HELIX_CONFIG_ANSWER, session, payload, sizeof payload);
}

static void send_something(Asker *asker)
{
    guint session = asker_some(asker->world, ASKER_SESSIONS);
    guint8 number[4];

    switch (asker_some(asker->world, 16)) {
    case 0:
        send_config(asker, session);
        break;
    case 1:
        send(asker, expect(asker, session, HELIX_MSG_SESSION_CLOSE), HELIX_MSG_SESSION_CLOSE, 0, session, NULL, 0);
        break;
    case 2:
        send(asker, expect(asker, session, HELIX_MSG_KEYFRAME_REQ), HELIX_MSG_KEYFRAME_REQ, 0, session, NULL, 0);
        break;
    case 3:
        helix_put_u32(number, asker->pings++);
        send(asker, NULL, HELIX_MSG_PING, 0, session, number, sizeof number);
        break;
    default:
        send_frame(asker, session);
    }
}

/* ---- what a guest receives ---- */

/* What @session waits for next. A closed stream begins anew; a KEYFRAME_REQ that nothing followed yet is due. */
static Expected *next_expected(Asker *asker, guint session)
{
    Expected *expected;

    g_assert_cmpuint(session, <, ASKER_SESSIONS);
    while ((expected = g_queue_peek_head(&asker->expected[session])) &&
           (expected->type == HELIX_MSG_SESSION_CLOSE || expected->type == HELIX_MSG_KEYFRAME_REQ)) {
        asker->need_idr[session] |= expected->type == HELIX_MSG_SESSION_CLOSE || !expected->seen_idr;
        g_free(g_queue_pop_head(&asker->expected[session]));
    }
    return expected;
}

static Expected *answered(Asker *asker, guint session, guint8 type)
{
    Expected *expected = next_expected(asker, session);

    g_assert_nonnull(expected);
    g_assert_cmphex(expected->type, ==, type);
    g_assert_true(expected->arrived);
    return g_queue_pop_head(&asker->expected[session]);
}

static void note_idr(Asker *asker, guint session)
{
    for (GList *link = asker->expected[session].head; link; link = link->next) {
        Expected *expected = link->data;

        expected->seen_idr |= expected->arrived;
    }
}

static void received_frame(Asker *asker, guint session, const guint8 *header, const guint8 *payload)
{
    AskerWorld *world = asker->world;
    g_autofree Expected *expected = answered(asker, session, HELIX_MSG_FRAME_REQUEST);
    gboolean keyframe = payload[HELIX_RESPONSE_IS_KEYFRAME] != 0;
    gboolean dropped = header[HELIX_WIRE_HEADER_FLAGS] & HELIX_RESPONSE_DROPPED ? TRUE : FALSE;

    g_assert_cmpint((gint64)helix_get_u64(payload + HELIX_RESPONSE_PTS), ==, expected->pts);
    asker->need_idr[session] |= expected->force;
    world->frames++;
    world->drops += dropped;
    if (!dropped) {
        g_assert_true(keyframe || !asker->need_idr[session]);
        asker->need_idr[session] = FALSE;
        world->encoded++;
        world->idrs += keyframe;
        if (keyframe) {
            note_idr(asker, session);
        }
    }
}

static void received_error(Asker *asker, guint session, const guint8 *header, const guint8 *payload)
{
    AskerWorld *world = asker->world;
    int code = (gint32)helix_get_u32(payload + HELIX_ERROR_CODE);
    g_autofree Expected *expected = answered(asker, session, header[HELIX_WIRE_HEADER_FLAGS]);

    g_assert_cmpint(code, <, 0);
    g_assert_cmpint(code, >, -100);
    g_assert_cmpuint(payload[HELIX_ERROR_MESSAGE], !=, 0);
    asker->agreed |= expected->type == HELIX_MSG_CONFIG_REQ;
    if (expected->type != HELIX_MSG_FRAME_REQUEST) {
        return;
    }
    world->frames++;
    world->errors[-code]++;
    asker->need_idr[session] |= expected->force || code == HELIX_CODE_ENCODE;
    if (code == HELIX_CODE_BUSY) {
        world->busy++;
        g_assert_cmpuint(expected->ahead, >=, world->max_in_flight);
    }
}

static void received_released(Asker *asker, guint session, const guint8 *payload)
{
    gint64 pts = (gint64)helix_get_u64(payload + HELIX_RELEASED_PTS);

    for (GList *link = asker->expected[session].head; link; link = link->next) {
        Expected *expected = link->data;

        if (expected->type == HELIX_MSG_FRAME_REQUEST && expected->pts == pts) {
            g_assert_true(expected->arrived && expected->release && !expected->released);
            expected->released = TRUE;
            asker->world->released++;
            return;
        }
    }
    g_error("FRAME_RELEASED of a frame that was answered, or never sent");
}

static void received(Asker *asker, const guint8 *header, const guint8 *payload)
{
    guint session = helix_get_u16(header + HELIX_WIRE_HEADER_SESSION);

    asker->world->messages++;
    switch (header[HELIX_WIRE_HEADER_TYPE]) {
    case HELIX_MSG_FRAME_RESPONSE:
        received_frame(asker, session, header, payload);
        break;
    case HELIX_MSG_ERROR:
        received_error(asker, session, header, payload);
        break;
    case HELIX_MSG_CONFIG_RESP:
        g_free(answered(asker, session, HELIX_MSG_CONFIG_REQ));
        asker->agreed = TRUE;
        break;
    case HELIX_MSG_FRAME_RELEASED:
        received_released(asker, session, payload);
        break;
    case HELIX_MSG_PONG:
        g_assert_cmpuint(helix_get_u32(payload), ==, asker->pongs++);
        g_assert_true(!asker->asked || asker->agreed || asker->pongs <= asker->first_after);
        break;
    default:
        g_assert_not_reached();
    }
}

/* The host may have taken requests since; and its answers are looked at. */
static void look(Asker *asker)
{
    Line *line = asker->line;
    guint8 *at;
    gsize left;

    asker->world->consumed += line->consumed - asker->told_consumed;
    asker->told_consumed = line->consumed;
    for (guint i = 0; i < ASKER_SESSIONS; i++) {
        guint frames = 0;

        for (GList *link = asker->expected[i].head; link; link = link->next) {
            Expected *expected = link->data;
            gboolean is_frame = expected->type == HELIX_MSG_FRAME_REQUEST;

            if (!expected->begun && expected->judged <= line->consumed) {
                expected->begun = TRUE;
                expected->ahead = frames;
            }
            if (!expected->arrived && expected->end <= line->consumed) {
                expected->arrived = TRUE;
                asker->world->requests += is_frame;
            }
            frames += is_frame;
        }
    }
    asker->world->taken += line->taken - asker->told_taken;
    asker->told_taken = line->taken;
    at = line->from_host->data;
    left = line->from_host->len;
    while (left >= HELIX_WIRE_HEADER_SIZE) {
        gsize size = HELIX_WIRE_HEADER_SIZE + helix_get_u32(at + HELIX_WIRE_HEADER_PAYLOAD);

        if (size > left) {
            break;
        }
        received(asker, at, at + HELIX_WIRE_HEADER_SIZE);
        at += size;
        left -= size;
    }
    g_byte_array_remove_range(line->from_host, 0, line->from_host->len - (guint)left);
}

/* ---- life ---- */

/* Some bytes at a time. What was answered before is looked at before each, for `ahead` to be what it says. */
static void deliver(Asker *asker)
{
    while (line_can_offer(asker->line)) {
        look(asker);
        line_offer(asker->line, 1 + asker_some(asker->world, 300));
    }
}

/* Also from inside resume_input(): but nothing is looked at there, in the middle of a call of the host's. */
static void on_resume(Line *line)
{
    Asker *asker = line->data;

    if (one_in(asker, 2) && line_can_offer(line)) {
        line_offer(line, 1 + asker_some(asker->world, 300));
    }
}

Asker *asker_new(AskerWorld *world)
{
    Asker *asker = g_new0(Asker, 1);

    asker->world = world;
    asker->line = line_new(world->host, 0);
    if (!asker->line) {
        g_free(asker);
        return NULL;
    }
    asker->line->data = asker;
    asker->line->on_resume = on_resume;
    for (guint i = 0; i < ASKER_SESSIONS; i++) {
        g_queue_init(&asker->expected[i]);
        asker->need_idr[i] = TRUE;
    }
    world->connections++;
    return asker;
}

void asker_vanish(Asker *asker)
{
    look(asker);
    line_free(asker->line);
    for (guint i = 0; i < ASKER_SESSIONS; i++) {
        g_queue_clear_full(&asker->expected[i], g_free);
    }
    g_free(asker);
}

/* The host closed an idle connection to make room for another: nothing that it had taken is left unanswered. */
static void gave_way(Asker *asker)
{
    for (guint i = 0; i < ASKER_SESSIONS; i++) {
        const Expected *next = next_expected(asker, i);

        g_assert_true(!next || !next->arrived);
    }
    asker_vanish(asker);
}

/* The host closed: the guest has what it asked for. */
static void finished(Asker *asker)
{
    look(asker);
    if (!asker->line->eof_told) {
        gave_way(asker);
        return;
    }
    g_assert_cmpuint(asker->line->from_host->len, ==, 0);
    for (guint i = 0; i < ASKER_SESSIONS; i++) {
        g_assert_null(next_expected(asker, i));
    }
    g_assert_cmpuint(asker->pongs, ==, asker->pings);
    asker_vanish(asker);
}

gboolean asker_step(Asker *asker)
{
    Line *line = asker->line;

    if (line->closed) {
        finished(asker);
        return FALSE;
    }
    line->ends |= one_in(asker, 200);
    if (!line->ends && line->to_host->len < MOST_WAITING) {
        send_something(asker);
    }
    if (one_in(asker, 2)) {
        deliver(asker);
    }
    look(asker);
    if (one_in(asker, 2)) {
        line_open(line, asker_some(asker->world, 2000));
    }
    look(asker);
    return TRUE;
}

void asker_finish(Asker *asker)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE;

    asker->line->ends = TRUE;
    while (!asker->line->closed) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        deliver(asker);
        line_open(asker->line, 1 << 20);
        look(asker);
        g_main_context_iteration(NULL, FALSE);
    }
    finished(asker);
}
