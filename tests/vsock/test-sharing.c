/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-sharing.c - the guest's receive buffers: scarce, tiny, none at all, and shared between connections.
 */
#include "guest.h"

static const guint8 zeros[512 * 1024];

/* Firecracker, vhost-device: no receive buffer must mean no event at all, not a loop of them. */
GUEST_TEST("/vsock/no-spin-without-buffers", test_no_spin_without_buffers)
{
    User *user = guest_connect(guest, P, Q);

    user->output = zeros;
    user->output_len = 10000;
    g_assert_cmpuint(user_write(user, zeros, 10000), ==, 0);
    helix_vsock_rx_available(guest->vsock);
    guest_data(guest, P, Q, "x", 1);
    guest_credit(guest, P, Q, 1 << 20, 0);
    g_assert_false(g_main_context_iteration(NULL, FALSE));
    g_assert_cmpuint(user->n_writable, ==, 0);
    guest_add_buffers(guest, 2, 4096);
    g_assert_cmpuint(user->n_writable, ==, 1);
    g_assert_cmpuint(user->written, ==, 8192);
    g_assert_false(g_main_context_iteration(NULL, FALSE));
}

/* Buffers with room for a header only must not stop data for good. */
GUEST_TEST("/vsock/tiny-buffers", test_tiny_buffers)
{
    User *user = guest_connect(guest, P, Q);

    guest_add_buffers(guest, 3, 0);
    guest_add_buffers(guest, 1, 1);
    guest_add_buffers(guest, 1, 0);
    guest_add_buffers(guest, 1, 5);
    g_assert_cmpuint(user_write(user, "abcdef", 6), ==, 6);
}

/*
 * A guest whose vCPU refills the ring faster than the host fills it, with buffers that hold a byte or nothing: the main
 * loop must get its turn between bursts, whichever call began them, and what waits must go on by itself.
 */
GUEST_TEST("/vsock/endless-buffers", test_endless_buffers)
{
    enum { BURST = 4096 };
    User *user = guest_connect(guest, P, Q);
    guint turns = 0;

    user->output = zeros;
    user->output_len = 20000;
    guest_credit(guest, P, Q, 1 << 30, 0);
    guest_add_buffers_quietly(guest, 50000, 0);
    guest_add_buffers_quietly(guest, 50000, 1);
    guest->placed = 0;
    user->written = user_write(user, zeros, 20000);
    g_assert_cmpuint(guest->placed, <=, BURST);
    do {
        g_assert_cmpuint(guest->placed, <=, BURST);
        guest->placed = 0;
        turns++;
    } while (g_main_context_iteration(NULL, FALSE));
    g_assert_cmpuint(user->written, ==, 20000);
    g_assert_cmpuint(turns, >, 70000 / BURST);
}

GUEST_TEST("/vsock/notified-once-a-burst", test_notified_once_a_burst)
{
    User *user = guest_connect(guest, P, Q);
    guint before;

    guest_add_buffers(guest, 50, 4096);
    before = guest->notified;
    user_write(user, zeros, 100000);
    g_assert_cmpuint(guest->placed, >, 20);
    g_assert_cmpuint(guest->notified, ==, before + 1);
    helix_vsock_rx_available(guest->vsock);
    g_assert_cmpuint(guest->notified, ==, before + 1);
}

/* Nothing goes before RESPONSE, even if the user writes from within accept. */
GUEST_TEST("/vsock/response-first", test_response_first)
{
    User *user = user_new();

    guest->next_user = user;
    user->output = (const guint8 *)"hello";
    user->output_len = 5;
    user->writes_on_accept = TRUE;
    guest_add_buffers(guest, 2, 4096);
    guest_op(guest, HELIX_VSOCK_OP_REQUEST, P, Q);
    g_assert_cmpuint(user->written, ==, 5);
    guest_expect(guest, HELIX_VSOCK_OP_RESPONSE, Q, P);
    guest_expect(guest, HELIX_VSOCK_OP_RW, Q, P);
}

/* A RST owed to a stranger gets its buffer though a connection could fill them all. */
GUEST_TEST("/vsock/strays-get-a-turn", test_strays_get_a_turn)
{
    User *user = guest_connect(guest, P, Q);
    gboolean seen = FALSE;

    guest_credit(guest, P, Q, 1 << 30, 0);
    user->output = zeros;
    user->output_len = sizeof zeros;
    g_assert_cmpuint(user_write(user, zeros, sizeof zeros), ==, 0);
    guest_data(guest, 9, 9, "x", 1);
    for (guint i = 0; i < 2; i++) {
        g_autoptr(Packet) packet = NULL;

        guest_add_buffers(guest, 1, 4096);
        packet = guest_take(guest);
        seen = seen || packet->header.op == HELIX_VSOCK_OP_RST;
    }
    g_assert_true(seen);
}

static User *relay_to;

static gsize relay_input(HelixChannel *channel, const guint8 *data, gsize len)
{
    channel->carrier->shutdown_write(channel); /* owed, as this call is not over */
    relay_to->written = user_write(relay_to, data, len);
    return len;
}

/* A user's call on one connection writes to another one: what did not fit goes on by itself. */
GUEST_TEST("/vsock/nested-write-goes-on", test_nested_write_goes_on)
{
    User *from = guest_connect(guest, P, Q);
    static HelixChannelUser relay;

    relay_to = guest_connect(guest, P + 1, Q);
    relay_to->output = zeros;
    relay_to->output_len = 100;
    from->appetite = 0;
    guest_data(guest, P, Q, zeros, 100);
    relay = *from->channel->user;
    relay.input = relay_input;
    from->channel->user = &relay;
    guest_add_buffers(guest, 64, 4096);
    user_resume(from);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_assert_cmpuint(relay_to->written, ==, 100);
}

/* Ten connections with all the data in the world share scarce buffers evenly, and a newcomer is not passed over. */
GUEST_TEST("/vsock/fair-share", test_fair_share)
{
    enum { N = 10 };
    User *users[N + 1];

    for (guint i = 0; i < N; i++) {
        users[i] = guest_connect(guest, P + i, Q);
    }
    for (guint i = 0; i < N; i++) {
        users[i]->output = zeros;
        users[i]->output_len = sizeof zeros;
        guest_credit(guest, P + i, Q, 1 << 30, 0);
        g_assert_cmpuint(user_write(users[i], zeros, sizeof zeros), ==, 0);
    }
    for (guint i = 0; i < 16 * N; i++) {
        guest_add_buffers(guest, 3, 4096);
        guest_drop_packets(guest);
    }
    for (guint i = 0; i < N; i++) {
        g_assert_cmpuint(users[i]->written, >=, 3 * 16 * 4096 - 64 * 1024);
        g_assert_cmpuint(users[i]->written, <=, 3 * 16 * 4096 + 64 * 1024);
    }
    guest_add_buffers(guest, 16 * N, 4096); /* many at once are shared out as well */
    guest_drop_packets(guest);
    for (guint i = 0; i < N; i++) {
        g_assert_cmpuint(users[i]->written, >=, (3 + 1) * 16 * 4096 - 64 * 1024);
        g_assert_cmpuint(users[i]->written, <=, (3 + 1) * 16 * 4096 + 64 * 1024);
    }
    guest_op(guest, HELIX_VSOCK_OP_REQUEST, P + N, Q);
    users[N] = g_queue_peek_tail(&guest->accepted);
    for (guint i = 0;; i++) {
        g_autoptr(Packet) packet = NULL;

        g_assert_cmpuint(i, <=, N + 1);
        guest_add_buffers(guest, 1, 4096);
        packet = guest_take(guest);
        if (packet->header.op == HELIX_VSOCK_OP_RESPONSE) {
            break;
        }
    }
}

/* Firecracker: 100,000 connections and strays with no buffer to answer: bounded, and the one that works works on. */
TEST("/vsock/connection-storm", test_connection_storm)
{
    Guest *guest = guest_new(0, 64);
    User *user = guest_connect(guest, P, Q);
    guint resets = 0;
    Packet *packet;

    for (guint i = 0; i < 100000; i++) {
        guest_op(guest, HELIX_VSOCK_OP_REQUEST, 10000 + i, Q);
        guest_op(guest, HELIX_VSOCK_OP_RW, 200000 + i, Q);
        g_assert_cmpuint(helix_vsock_n_connections(guest->vsock), <=, 64);
    }
    g_assert_false(helix_vsock_can_receive(guest->vsock));
    guest_data(guest, P, Q, "alive", 5);
    g_assert_cmpuint(user->input->len, ==, 5);
    guest_add_buffers(guest, 400, 4096);
    g_assert_true(helix_vsock_can_receive(guest->vsock));
    while ((packet = guest_take(guest))) {
        resets += packet->header.op == HELIX_VSOCK_OP_RST;
        packet_free(packet);
    }
    g_assert_cmpuint(resets, ==, 256);
    for (guint i = 0; i < 63; i++) {
        guest_op(guest, HELIX_VSOCK_OP_RST, 10000 + i, Q);
    }
    g_assert_cmpuint(helix_vsock_n_connections(guest->vsock), ==, 1);
    g_assert_cmpuint(user_write(user, "yes", 3), ==, 3);
    guest_drop_packets(guest);
    guest_connect(guest, P + 1, Q);
    guest_free(guest);
}

static gboolean is_own_port(gpointer data, guint32 port)
{
    return port == Q;
}

/* Connections of other ports, of either side, cannot use up the places of the host's own one; nor can it have more than
 * there are. */
TEST("/vsock/reserved-places", test_reserved_places)
{
    Guest *guest = guest_new(0, 8);
    User *user = user_new();

    guest->vsock->config.reserved = 2;
    guest->vsock->config.is_reserved = is_own_port;
    guest_add_buffers(guest, 100, 4096);
    for (guint i = 0; i < 6; i++) {
        guest_connect(guest, P + i, Q + 1);
    }
    guest_op(guest, HELIX_VSOCK_OP_REQUEST, P + 6, Q + 1);
    guest_expect(guest, HELIX_VSOCK_OP_RST, Q + 1, P + 6);
    helix_vsock_connect(guest->vsock, 3, user_connected, user);
    g_assert_cmpuint(user->n_connected, ==, 1);
    g_assert_null(user->channel);
    guest_connect(guest, P, Q);
    guest_connect(guest, P + 1, Q);
    guest_op(guest, HELIX_VSOCK_OP_REQUEST, P + 2, Q);
    guest_expect(guest, HELIX_VSOCK_OP_RST, Q, P + 2);
    guest_op(guest, HELIX_VSOCK_OP_RST, P, Q + 1); /* a place that is free again can be had again */
    guest_connect(guest, P, Q + 1);
    guest_free(guest);
    user_free(user);
}
