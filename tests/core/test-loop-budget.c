/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-loop-budget.c - an iteration of the main loop stops at its budget, whatever a guest asks for, and the rest goes
 * on in later turns: nothing is lost, the order stays, others get their turn.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "protocol/bytes.h"
#include "protocol/error.h"
#include "stream/host-private.h"
#include "transport/unix-address.h"
#include "transport/unix-socket.h"
#include "scripted.h"
#include "turn-world.h"

/* ---- the queue ---- */

typedef struct Counted {
    HelixTask task;
    HelixDeferredQueue *later;
    guint runs, again; /* times that it adds itself when it runs */
    GArray *order;     /* of numbers, shared */
    guint number;
} Counted;

static void count(HelixTask *task)
{
    Counted *counted = (Counted *)task;

    counted->runs++;
    g_array_append_val(counted->order, counted->number);
    if (counted->again > 0) {
        counted->again--;
        helix_deferred_add(counted->later, task);
    }
}

/* In order, each once a turn, one at least when the turn is over before they come, and none that was removed. */
TEST("/turn/queue", test_queue)
{
    HelixDeferredQueue *later = helix_deferred_ref(NULL);
    g_autoptr(GArray) order = g_array_new(FALSE, FALSE, sizeof(guint));
    Counted tasks[4];

    for (guint i = 0; i < 4; i++) {
        tasks[i] = (Counted){ .task.run = count, .later = later, .order = order, .number = i };
        helix_deferred_add(later, &tasks[i].task);
        helix_deferred_add(later, &tasks[i].task);
    }
    tasks[0].again = 1;
    helix_deferred_remove(later, &tasks[2].task);
    g_main_context_iteration(NULL, FALSE);
    g_assert_cmpuint(order->len, ==, 3);
    g_main_context_iteration(NULL, FALSE);
    g_assert_cmpuint(order->len, ==, 4);
    for (guint i = 0; i < 4; i++) {
        g_assert_cmpuint(g_array_index(order, guint, i), ==, ((guint[]){ 0, 1, 3, 0 })[i]);
    }
    g_assert_false(g_main_context_iteration(NULL, FALSE));
    helix_loop_set_clock(leap);
    for (guint i = 0; i < 4; i++) {
        helix_deferred_add(later, &tasks[i].task);
    }
    for (guint i = 1; i <= 4; i++) {
        g_main_context_iteration(NULL, FALSE);
        g_assert_cmpuint(order->len, ==, 4 + i);
    }
    helix_loop_set_clock(NULL);
    helix_deferred_unref(later);
}

/* There is progress all the same. */
TURN_TEST("/turn/no-time-at-all", test_no_time_at_all)
{
    helix_loop_set_clock(leap);
    for (guint i = 0; i < PLENTY; i++) {
        ask_frame(channel, (guint16)(i % 3), i % 2 ? BAD : 0, i);
        ask_ping(channel, i);
    }
    for (guint turns = 0; answers->len < 2 * PLENTY; turns++) {
        turn(channel);
        g_assert_cmpuint(take_answers(channel->from_host, answers), <=, 5);
        g_assert_cmpuint(turns, <, 100000);
    }
}

/* ---- input ---- */

/* PINGs, and requests that are wrong in themselves or when they are looked up, in one read. */
TURN_TEST("/turn/input", test_input)
{
    for (guint i = 0; i < PLENTY; i++) {
        ask_ping(channel, i);
        ask_frame(channel, 0, i % 2 ? BAD : 0, i);
    }
    turn(channel);
    g_assert_cmpuint(channel->to_host->len, >, 0);
    g_assert_false(channel->paused); /* the rest is to be offered again, though nothing more comes */
    expect_spread(channel, answers, 2 * PLENTY);
    for (guint i = 0; i < PLENTY; i++) {
        g_assert_cmpint(at(answers, 2 * i).number, ==, i);
        g_assert_cmpint(at(answers, 2 * i + 1).code, ==, HELIX_CODE_NOT_FOUND);
    }
}

/* ---- sockets: the loop itself offers what they have ---- */

typedef struct Peer {
    int fd;
    GByteArray *bytes;
    GArray *answers;
} Peer;

static Peer peer_new(World *world)
{
    const int room = 64 * 1024; /* for PLENTY frames; XNU's default is 8192 bytes */
    HelixChannel *channel;
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    g_assert_cmpint(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), ==, 0);
    g_assert_true(helix_socket_prepare(fds[0], NULL));
    g_assert_true(helix_socket_prepare(fds[1], NULL));
    channel = helix_socket_new(NULL, fds[1], "peer");
    g_assert_true(helix_host_accept(channel, world->host));
    return (Peer){ fds[0], g_byte_array_new(), answers_new() };
}

static void peer_free(Peer *peer)
{
    close(peer->fd);
    g_byte_array_unref(peer->bytes);
    g_array_unref(peer->answers);
}

/* Answers that came since. */
static guint peer_look(Peer *peer)
{
    guint8 bytes[65536];
    ssize_t got;

    while ((got = recv(peer->fd, bytes, sizeof bytes, 0)) > 0) {
        g_byte_array_append(peer->bytes, bytes, (guint)got);
    }
    return take_answers(peer->bytes, peer->answers);
}

static void peer_send_frames(Peer *peer, guint n)
{
    g_autoptr(GByteArray) all = g_byte_array_new();

    for (guint i = 0; i < n; i++) {
        g_autoptr(GByteArray) bytes = client_frame_bytes(&(FrameRequest){ .resource = BAD, .pts = i });

        g_byte_array_append(all, bytes->data, bytes->len);
    }
    g_assert_cmpint(send(peer->fd, all->data, all->len, 0), ==, (ssize_t)all->len);
}

/* Three flood the host in one read each; a connection that asks for little is answered meanwhile, wherever it is in the
 * loop. */
TEST("/turn/sockets-take-turns", test_sockets_take_turns)
{
    Peer peers[5];
    World world;
    guint turns = 0, most_apart = 0;

    world_begin(&world, &(HelixHostConfig){ 0 });
    for (guint i = 0; i < G_N_ELEMENTS(peers); i++) {
        peers[i] = peer_new(&world);
        peer_send_frames(&peers[i], i == 0 || i == 4 ? 1 : PLENTY);
    }
    while (peers[1].answers->len < PLENTY || peers[2].answers->len < PLENTY || peers[3].answers->len < PLENTY) {
        guint answers = 0, least = PLENTY, most = 0;

        g_main_context_iteration(NULL, FALSE);
        for (guint i = 0; i < G_N_ELEMENTS(peers); i++) {
            answers += peer_look(&peers[i]);
        }
        for (guint i = 1; i <= 3; i++) {
            least = MIN(least, peers[i].answers->len);
            most = MAX(most, peers[i].answers->len);
        }
        most_apart = MAX(most_apart, most - least);
        g_assert_cmpuint(answers, <=, MOST);
        g_assert_cmpuint(++turns, <, 100000);
        if (turns == 8) {
            g_assert_cmpuint(peers[0].answers->len, ==, 1);
            g_assert_cmpuint(peers[4].answers->len, ==, 1);
        }
    }
    g_assert_cmpuint(turns, >=, 3 * PLENTY / MOST);
    g_assert_cmpuint(most_apart, <=, 3 * MOST);
    for (guint i = 0; i < G_N_ELEMENTS(peers); i++) {
        peer_free(&peers[i]);
    }
    world_end(&world);
}

/* Little of each, but of many. */
TEST("/turn/many-sockets", test_many_sockets)
{
    enum { N = 200 };
    Peer peers[N];
    World world;
    guint turns = 0, left = N;

    world_begin(&world, &(HelixHostConfig){ .max_connections = N, .max_streams = 256, .max_encoders = 512 });
    for (guint i = 0; i < N; i++) {
        peers[i] = peer_new(&world);
        peer_send_frames(&peers[i], 1);
    }
    while (left > 0) {
        guint answers = 0;

        g_main_context_iteration(NULL, FALSE);
        for (guint i = 0; i < N; i++) {
            answers += peer_look(&peers[i]);
        }
        g_assert_cmpuint(answers, <=, MOST);
        left -= answers;
        g_assert_cmpuint(++turns, <, 100000);
    }
    g_assert_cmpuint(turns, >=, N / MOST);
    for (guint i = 0; i < N; i++) {
        g_assert_cmpuint(peers[i].answers->len, ==, 1);
        peer_free(&peers[i]);
    }
    world_end(&world);
}

/* ---- answers ---- */

/* One in the encoder, refused ones behind it, and the encoder comes back. */
static void fill_up(World *world, FakeChannel *channel, guint n)
{
    scripted_hold(TRUE);
    ask_frame(channel, 0, 1, 1);
    for (guint i = 1; i < n; i++) {
        ask_frame(channel, 0, 0, i);
    }
    take_in(channel);
    g_assert_true(scripted_wait_begun(1));
    g_assert_cmpuint(channel->from_host->len, ==, 0);
    g_assert_cmpuint(world->host->streams.n_streams, ==, 1);
}

/* The encoder comes back, and the answers wait to be sent: nobody takes them. */
static void answer_into_queue(FakeChannel *channel)
{
    scripted_hold(FALSE);
    for (guint i = 0; i < 1000 && !channel->wants_write; i++) {
        g_usleep(1000);
        turn(channel);
    }
    for (guint i = 0; i < 100; i++) {
        turn(channel);
    }
}

static void expect_filled(const GArray *answers, guint n)
{
    g_assert_cmpuint(at(answers, 0).type, ==, HELIX_MSG_FRAME_RESPONSE);
    for (guint i = 1; i < n; i++) {
        g_assert_cmpint(at(answers, i).code, ==, HELIX_CODE_NOT_FOUND);
    }
}

TURN_TEST("/turn/answers", test_answers)
{
    fill_up(world, channel, PLENTY);
    scripted_hold(FALSE);
    expect_spread(channel, answers, PLENTY);
    expect_filled(answers, PLENTY);
}

/* Answers that nobody took yet, and then they are all taken. */
TURN_TEST("/turn/send-queue", test_send_queue)
{
    channel->window = 0;
    fill_up(world, channel, PLENTY);
    answer_into_queue(channel);
    helix_loop_next_iteration();
    {
        HELIX_LOOP_SCOPE;

        fake_channel_open(channel, G_MAXINT);
    }
    expect_spread(channel, answers, PLENTY);
    expect_filled(answers, PLENTY);
}

/* PONGs that waited for the first CONFIG_RESP; one whose PING comes meanwhile is behind them. */
TURN_TEST("/turn/held-pongs", test_held_pongs)
{
    guint8 config[HELIX_CONFIG_SIZE] = { 0 };

    scripted_hold(TRUE);
    ask_frame(channel, 0, 1, 1);
    fake_channel_send(channel, HELIX_MSG_CONFIG_REQ, HELIX_CONFIG_ANSWER, 0, config, sizeof config);
    for (guint i = 0; i < PLENTY; i++) {
        ask_ping(channel, i);
    }
    take_in(channel);
    g_assert_true(scripted_wait_begun(1));
    g_assert_cmpuint(channel->from_host->len, ==, 0);
    scripted_hold(FALSE);
    while (answers->len < 3) {
        turn(channel);
        g_assert_cmpuint(take_answers(channel->from_host, answers), <=, MOST);
    }
    ask_ping(channel, PLENTY);
    expect_spread(channel, answers, PLENTY + 3);
    g_assert_cmpuint(at(answers, 0).type, ==, HELIX_MSG_FRAME_RESPONSE);
    g_assert_cmpuint(at(answers, 1).type, ==, HELIX_MSG_CONFIG_RESP);
    for (guint i = 0; i <= PLENTY; i++) {
        g_assert_cmpuint(at(answers, i + 2).type, ==, HELIX_MSG_PONG);
        g_assert_cmpint(at(answers, i + 2).number, ==, i);
    }
}

/* The VM runs again, and many streams have requests whose look-ups fail. */
TURN_TEST("/turn/run-again", test_run_again)
{
    enum { STREAMS = 10, EACH = 50 };

    helix_host_set_running(world->host, FALSE);
    for (guint i = 0; i < STREAMS * EACH; i++) {
        ask_frame(channel, (guint16)(i % STREAMS), BAD, i);
    }
    take_in(channel);
    g_assert_cmpuint(channel->from_host->len, ==, 0);
    helix_host_set_running(world->host, TRUE);
    g_assert_cmpuint(channel->from_host->len, ==, 0);
    expect_spread(channel, answers, STREAMS * EACH);
    g_assert_cmpint(world->capture.resolved, ==, STREAMS * EACH);
}

/* ---- a reset of the GPU ---- */

/* A look-up is under way, good requests wait behind it, and behind those what was refused. */
TURN_TEST("/turn/reset", test_reset)
{
    guint first;

    world->capture.hold = TRUE;
    for (guint i = 0; i < PLENTY; i++) {
        ask_frame(channel, 0, 1, i); /* 64 in flight, the others are busy */
    }
    take_in(channel);
    g_assert_cmpint(world->capture.resolved, ==, 1);
    world->capture.hold = FALSE; /* what is looked up from now on would be found */
    helix_host_gpu_reset_end(world->host);
    g_assert_cmpuint(channel->from_host->len, ==, 0);
    turn(channel);
    first = take_answers(channel->from_host, answers);
    g_assert_cmpuint(first, >, 0);
    g_assert_cmpuint(first, <=, MOST);
    ask_frame(channel, 0, 2, 1000); /* came after it, while those of before are not all answered */
    expect_spread(channel, answers, PLENTY + 1);
    for (guint i = 0; i < PLENTY; i++) {
        g_assert_cmpint(at(answers, i).code, ==, i < 64 ? HELIX_CODE_NOT_FOUND : HELIX_CODE_BUSY);
    }
    g_assert_cmpint(at(answers, PLENTY).number, ==, 1000);
    g_assert_cmpint(world->capture.resolved, ==, 2);
}

/* From the reset on, before the loop has come to tell of it: neither a look-up nor the last picture is the new GPU's.
 */
TURN_TEST("/turn/lost-gpu", test_lost_gpu)
{
    g_autoptr(GByteArray) repeat = client_frame_bytes(&(FrameRequest){ .flags = HELIX_REQUEST_REPEAT, .pts = 9 });

    helix_loop_set_clock(NULL);
    ask_frame(channel, 0, 1, 0);
    turn_until(channel, answers, 1);
    world->capture.hold = TRUE;
    for (guint i = 1; i <= 3; i++) {
        ask_frame(channel, 0, 1, i);
    }
    turn(channel);
    g_assert_cmpint(world->capture.resolved, ==, 2);
    world->capture.hold = FALSE;
    helix_host_gpu_reset_begin(world->host);
    g_byte_array_append(channel->to_host, repeat->data, repeat->len);
    turn(channel);
    fake_capture_release(&world->capture); /* begun before the reset, and found: it is not there any longer */
    turn_until(channel, answers, 5);
    for (guint i = 1; i < 5; i++) {
        g_assert_cmpint(at(answers, i).code, ==, HELIX_CODE_NOT_FOUND);
    }
    ask_frame(channel, 0, 1, 10);
    turn_until(channel, answers, 6);
    g_assert_cmpint(at(answers, 5).number, ==, 10);
    g_assert_cmpint(world->capture.resolved, ==, 3);
    helix_host_gpu_reset_end(world->host); /* of which all was said */
    ask_frame(channel, 0, 1, 11);
    turn_until(channel, answers, 7);
    g_assert_cmpint(at(answers, 6).number, ==, 11);
}

/* ---- the end of connections ---- */

/* A guest goes whose answers, which may be large, have not left: they are freed bit by bit. */
TURN_TEST("/turn/remains", test_remains)
{
    guint left, turns = 0;

    channel->window = 0;
    fill_up(world, channel, PLENTY);
    answer_into_queue(channel);
    fake_channel_free(g_steal_pointer(&world->channel));
    left = world->host->streams.free_queue.arrays.length;
    g_assert_cmpuint(left, ==, PLENTY);
    while (left > 0) {
        turn(NULL);
        g_assert_cmpuint(left - world->host->streams.free_queue.arrays.length, <=, MOST);
        g_assert_cmpuint(++turns, <, 10000);
        left = world->host->streams.free_queue.arrays.length;
    }
    g_assert_cmpuint(turns, >=, PLENTY / MOST);
}

/* Many have begun a message and do not go on. */
TEST("/turn/stalls", test_stalls)
{
    enum { N = 100 };
    FakeChannel *channels[N];
    World world;
    guint ended = 0;

    world_begin(&world, &(HelixHostConfig){ .max_connections = N, .stall_timeout_ms = 1 });
    for (guint i = 0; i < N; i++) {
        static const guint8 begun[] = { 0 };

        channels[i] = fake_channel_new(world.host, 0);
        channels[i]->window = G_MAXSIZE;
        g_byte_array_append(channels[i]->to_host, begun, sizeof begun);
        fake_channel_offer(channels[i], 1);
    }
    while (ended < N) {
        guint before = ended;

        helix_loop_next_iteration();
        g_main_context_iteration(NULL, TRUE);
        ended = 0;
        for (guint i = 0; i < N; i++) {
            ended += channels[i]->closed;
        }
        g_assert_cmpuint(ended - before, <=, MOST);
    }
    for (guint i = 0; i < N; i++) {
        fake_channel_free(channels[i]);
    }
    world_end(&world);
}
