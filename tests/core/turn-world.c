/* SPDX-License-Identifier: GPL-2.0-or-later */
/* turn-world.c - see turn-world.h. */
#include <string.h>

#include "client.h"
#include "protocol/bytes.h"
#include "scripted.h"
#include "turn-world.h"

#define TICK_NS G_GINT64_CONSTANT(100000)
static gint64 now_ns;

gint64 tick(void)
{
    return now_ns += TICK_NS;
}

gint64 leap(void)
{
    return now_ns += 2 * HELIX_LOOP_BUDGET_US * G_GINT64_CONSTANT(1000);
}

void world_begin(World *world, HelixHostConfig *config)
{
    g_autoptr(GError) error = NULL;

    memset(world, 0, sizeof *world);
    config->encoder_class = scripted_wrap(&helix_encoder_null);
    config->resolver = &fake_capture_resolver;
    config->resolver_data = &world->capture;
    config->max_in_flight = 64;
    world->host = helix_host_new(config, &error);
    g_assert_no_error(error);
    helix_loop_next_iteration();
    helix_loop_set_clock(tick);
}

void world_end(World *world)
{
    scripted_hold(FALSE);
    helix_loop_set_clock(NULL);
    helix_host_free(world->host);
    world->capture.closed = TRUE;
    while (world->capture.waiting.length) {
        fake_capture_release(&world->capture);
    }
}

/* ---- what came back ---- */

static Answer answer_of(const guint8 *message)
{
    const guint8 *payload = message + HELIX_WIRE_HEADER_SIZE;
    Answer answer = { .type = message[HELIX_WIRE_HEADER_TYPE] };

    if (answer.type == HELIX_MSG_ERROR) {
        answer.code = (gint32)helix_get_u32(payload + HELIX_ERROR_CODE);
    } else if (answer.type == HELIX_MSG_PONG || answer.type == HELIX_MSG_FRAME_RESPONSE) {
        answer.number = (gint64)helix_get_u64(payload);
    }
    return answer;
}

guint take_answers(GByteArray *bytes, GArray *answers)
{
    guint n = 0;

    while (bytes->len >= HELIX_WIRE_HEADER_SIZE) {
        guint size = HELIX_WIRE_HEADER_SIZE + helix_get_u32(bytes->data + HELIX_WIRE_HEADER_PAYLOAD);
        Answer answer;

        if (bytes->len < size) {
            break;
        }
        answer = answer_of(bytes->data);
        g_array_append_val(answers, answer);
        g_byte_array_remove_range(bytes, 0, size);
        n++;
    }
    return n;
}

Answer at(const GArray *answers, guint i)
{
    g_assert_cmpuint(i, <, answers->len);
    return g_array_index(answers, Answer, i);
}

GArray *answers_new(void)
{
    return g_array_new(FALSE, FALSE, sizeof(Answer));
}

void with_world(void (*test)(World *world, FakeChannel *channel, GArray *answers))
{
    World world;

    world_begin(&world, &(HelixHostConfig){ 0 });
    world.answers = answers_new();
    world.channel = fake_channel_new(world.host, 0);
    world.channel->window = G_MAXSIZE;
    test(&world, world.channel, world.answers);
    g_clear_pointer(&world.channel, fake_channel_free);
    g_array_unref(world.answers);
    world_end(&world);
}

/* ---- what is asked for ---- */

void ask_ping(FakeChannel *channel, guint64 number)
{
    guint8 payload[8];

    helix_put_u64(payload, number);
    fake_channel_send(channel, HELIX_MSG_PING, 0, 0, payload, sizeof payload);
}

void ask_frame(FakeChannel *channel, guint16 session, guint32 resource, gint64 pts)
{
    g_autoptr(GByteArray)
        bytes = client_frame_bytes(&(FrameRequest){ .session = session, .resource = resource, .pts = pts });

    g_byte_array_append(channel->to_host, bytes->data, bytes->len);
}

void turn(FakeChannel *channel)
{
    helix_loop_next_iteration();
    if (channel && fake_channel_can_offer(channel)) {
        HELIX_LOOP_SCOPE;

        fake_channel_offer(channel, G_MAXSIZE);
    }
    g_main_context_iteration(NULL, FALSE);
}

void turn_until(FakeChannel *channel, GArray *answers, guint n)
{
    while (answers->len < n) {
        turn(channel);
        take_answers(channel->from_host, answers);
    }
}

void take_in(FakeChannel *channel)
{
    helix_loop_set_clock(NULL);
    while (fake_channel_can_offer(channel)) {
        turn(channel);
    }
    helix_loop_next_iteration();
    helix_loop_set_clock(tick);
}

void expect_spread(FakeChannel *channel, GArray *answers, guint n)
{
    guint turns = 0;

    g_assert_cmpuint(take_answers(channel->from_host, answers), <=, MOST);
    while (answers->len < n) {
        turn(channel);
        g_assert_cmpuint(take_answers(channel->from_host, answers), <=, MOST);
        g_assert_cmpuint(++turns, <, 100000);
    }
    g_assert_cmpuint(answers->len, ==, n);
    g_assert_cmpuint(turns, >=, n / MOST);
}
