/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-loop-budget.c - an iteration of the main loop stops at its budget, and what is held goes on in later ones,
 * connection by connection. The clock is the test's and goes on with each look.
 */
#include <string.h>

#include "loop/loop-budget.h"
#include "guest.h"

#define TICK_NS G_GINT64_CONSTANT(100000)
#define MOST \
    (HELIX_LOOP_BUDGET_US / 100 + 5u) /* steps in a turn: one a look, and one more for each that may take one \
                                       */

static gint64 now_ns;

static gint64 tick(void)
{
    return now_ns += TICK_NS;
}

static void data(Guest *guest, guint32 port, const guint8 *bytes, gsize len)
{
    HELIX_LOOP_SCOPE;

    guest_data(guest, port, Q, bytes, len);
}

/* Two packets whose users take a little at a time: each turn has time for some, and both go on. */
GUEST_TEST("/vsock/turn/input", test_input)
{
    enum { SIZE = 6000, BITE = 10 };
    User *users[2] = { guest_connect(guest, P, Q), guest_connect(guest, P + 1, Q) };
    g_autofree guint8 *bytes = g_malloc(SIZE);
    guint turns = 0;

    for (guint i = 0; i < SIZE; i++) {
        bytes[i] = (guint8)(i * 31 / 7);
    }
    helix_loop_set_clock(tick);
    for (guint i = 0; i < 2; i++) {
        users[i]->bite = BITE;
        users[i]->resume_inside = TRUE;
        data(guest, P + i, bytes, SIZE);
    }
    g_assert_cmpuint(users[0]->n_input, <=, MOST);
    g_assert_cmpuint(users[1]->n_input, <=, MOST);
    g_assert_cmpuint(users[1]->n_input, >, 0);
    while (users[0]->input->len < SIZE || users[1]->input->len < SIZE) {
        guint before = users[0]->n_input + users[1]->n_input;

        g_main_context_iteration(NULL, FALSE);
        g_assert_cmpuint(users[0]->n_input + users[1]->n_input - before, <=, MOST);
        g_assert_cmpuint(users[0]->n_input, <=, users[1]->n_input + 2 * MOST);
        g_assert_cmpuint(users[1]->n_input, <=, users[0]->n_input + 2 * MOST);
        g_assert_cmpuint(++turns, <, 10000);
    }
    g_assert_cmpuint(turns, >=, 2 * SIZE / BITE / MOST - 2);
    for (guint i = 0; i < 2; i++) {
        g_assert_cmpmem(users[i]->input->data, users[i]->input->len, bytes, SIZE);
        g_assert_cmpuint(guest_connection(guest, P + i, Q)->fwd_cnt, ==, SIZE);
    }
    helix_loop_set_clock(NULL);
}

/* Many connections wait for receive buffers, and then there are enough for all. */
GUEST_TEST("/vsock/turn/output", test_output)
{
    enum { N = 100, SIZE = 1000 };
    static const guint8 bytes[SIZE];
    User *users[N];
    guint turns = 0, done = 0;

    for (guint i = 0; i < N; i++) {
        users[i] = guest_connect(guest, P + i, Q);
    }
    guest_drop_packets(guest);
    while (!g_queue_is_empty(&guest->buffers)) {
        g_queue_pop_head(&guest->buffers);
    }
    for (guint i = 0; i < N; i++) {
        users[i]->output = bytes;
        users[i]->output_len = SIZE;
        users[i]->written = user_write(users[i], bytes, SIZE);
        g_assert_cmpuint(users[i]->written, ==, 0);
    }
    helix_loop_next_iteration();
    helix_loop_set_clock(tick);
    guest_add_buffers_quietly(guest, 2 * N, SIZE);
    {
        HELIX_LOOP_SCOPE;

        helix_vsock_rx_available(guest->vsock);
    }
    while (done < N) {
        guint before = done;

        done = 0;
        for (guint i = 0; i < N; i++) {
            done += users[i]->written == SIZE;
        }
        g_assert_cmpuint(done - before, <=, MOST);
        g_main_context_iteration(NULL, FALSE);
        g_assert_cmpuint(++turns, <, 10000);
    }
    g_assert_cmpuint(turns, >=, N / MOST);
    helix_loop_set_clock(NULL);
    guest_drop_packets(guest);
}

/*
 * More connections than one iteration of the main loop closes: until all are, the guest, which may be another one, sees
 * nothing of them, and nothing of the guest's reaches them.
 */
TEST("/vsock/turn/reset", test_reset)
{
    enum { N = 200, CLOSED_MOST = 32 };
    Guest *guest = guest_new(0, 0);
    User *users[N], *last = NULL;
    guint closed = 0, calls = 0;

    for (guint i = 0; i < N; i++) {
        users[i] = guest_connect(guest, P + i, Q);
    }
    user_write(users[7], "waits for buffers", 17);
    while (!helix_vsock_reset(guest->vsock)) {
        guint before = closed;

        calls++;
        guest_add_buffers(guest, 4, 4096);
        closed = 0;
        for (guint i = 0; i < N; i++) {
            closed += users[i]->n_closed;
            last = users[i]->n_closed ? last : users[i];
            guest_data(guest, P + i, Q, "x", 1);
            guest_op(guest, HELIX_VSOCK_OP_REQUEST, P + i, Q);
            g_assert_cmpuint(users[i]->input->len, ==, 0);
        }
        g_assert_cmpuint(closed, >, before);
        g_assert_cmpuint(closed, <=, before + CLOSED_MOST);
        g_assert_cmpuint(helix_vsock_n_connections(guest->vsock), ==, N - closed);
        g_assert_false(helix_vsock_can_receive(guest->vsock));
        user_write(last, "to the new guest", 16);
        g_assert_false(g_main_context_iteration(NULL, FALSE));
        guest_expect_nothing(guest);
    }
    g_assert_cmpuint(calls, >=, N / CLOSED_MOST);
    g_assert_cmpuint(helix_vsock_n_connections(guest->vsock), ==, 0);
    g_assert_true(helix_vsock_can_receive(guest->vsock));
    guest_add_buffers(guest, 4, 4096);
    guest_expect_nothing(guest);
    guest_connect(guest, P, Q);
    for (guint i = 0; i < N; i++) {
        guest_connect(guest, P + 1000 + i, Q);
    }
    g_assert_false(helix_vsock_reset(guest->vsock));
    guest_free(guest); /* in the midst of it */
}

/* The device goes with as many: they are closed in turns too, and nothing of the device is called in them. */
GUEST_TEST("/vsock/turn/unplug", test_unplug)
{
    enum { N = 200, CLOSED_MOST = 32 };
    User *users[N], *connecting = user_new();
    guint closed = 0, placed, turns = 0;

    for (guint i = 0; i < N; i++) {
        users[i] = guest_connect(guest, P + i, Q);
    }
    users[0]->appetite = 0;
    guest_data(guest, P, Q, "unread", 6);
    guest_shutdown(guest, P, Q, HELIX_VSOCK_SHUTDOWN_BOTH);
    helix_vsock_connect(guest->vsock, 80, user_connected, connecting);
    guest_add_buffers(guest, 100, 4096);
    placed = guest->placed;
    helix_vsock_free_deferred(guest->vsock);
    guest->vsock = NULL;
    g_assert_cmpuint(connecting->n_connected, ==, 1);
    while (closed < N) {
        guint before = closed;

        closed = 0;
        for (guint i = 0; i < N; i++) {
            closed += users[i]->n_closed;
            if (!users[i]->n_closed) {
                user_write(users[i], "to nobody", 9);
            }
        }
        g_assert_cmpuint(closed, >, before);
        g_assert_cmpuint(closed, <=, before + CLOSED_MOST);
        g_main_context_iteration(NULL, FALSE);
        turns++;
    }
    g_assert_cmpuint(turns, >=, N / CLOSED_MOST);
    g_assert_cmpuint(guest->placed, ==, placed);
    user_free(connecting);
}

/* The guest does not answer the ends of as many, and all of their timers are due at once. */
GUEST_TEST("/vsock/turn/timers", test_timers)
{
    enum { N = 100 };
    User *users[N];
    guint left = N, turns = 0;

    for (guint i = 0; i < N; i++) {
        users[i] = guest_connect(guest, P + i, Q);
    }
    for (guint i = 0; i < N; i++) {
        user_close(users[i], FALSE);
    }
    g_usleep(100 * 1000); /* more than close_timeout_ms for each */
    guest_add_buffers(guest, 4 * N, 4096);
    guest_drop_packets(guest);
    helix_loop_set_clock(tick);
    while (left > 0) {
        guint before = left;

        g_main_context_iteration(NULL, TRUE);
        left = helix_vsock_n_connections(guest->vsock);
        g_assert_cmpuint(before - left, <=, MOST);
        g_assert_cmpuint(++turns, <, 10000);
    }
    g_assert_cmpuint(turns, >=, N / MOST);
    helix_loop_set_clock(NULL);
    guest_drop_packets(guest);
}
