/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-connection.c - connections come, talk, half-close and go, as virtio 1.2, clause 5.10.6, says.
 */
#include <string.h>

#include "guest.h"

TEST("/vsock/header-bytes", test_header_bytes)
{
    static const guint8 bytes[HELIX_VSOCK_HEADER_SIZE] = {
        3, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0,    0, 2, 0x11, 0x22, 0x33, 0x44, 0x88, 0x13,
        0, 0, 5, 6, 7, 8, 1, 0, 5, 0, 3, 0, 0, 0x80, 0, 0, 4,    0,    0xff, 0xfe, 0xfd, 0xfc,
    };
    guint8 written[HELIX_VSOCK_HEADER_SIZE];
    HelixVsockHeader header;

    helix_vsock_header_parse(&header, bytes);
    g_assert_cmphex(header.src_cid, ==, 0x0100000000000003u);
    g_assert_cmphex(header.dst_cid, ==, 0x0200000000000002u);
    g_assert_cmphex(header.src_port, ==, 0x44332211u);
    g_assert_cmpuint(header.dst_port, ==, 5000);
    g_assert_cmphex(header.len, ==, 0x08070605u);
    g_assert_cmpuint(header.type, ==, 1);
    g_assert_cmpuint(header.op, ==, 5);
    g_assert_cmphex(header.flags, ==, 0x80000003u);
    g_assert_cmphex(header.buf_alloc, ==, 0x00040000u);
    g_assert_cmphex(header.fwd_cnt, ==, 0xfcfdfeffu);
    helix_vsock_header_write(&header, written);
    g_assert_cmpmem(bytes, sizeof bytes, written, sizeof written);
}

TEST("/vsock/ring-wraps-and-is-bounded", test_ring_wraps_and_is_bounded)
{
    HelixVsockRing ring = { 0 };
    guint8 next_in = 0, next_out = 0;

    for (guint i = 0; i < 5000; i++) {
        guint8 bytes[700];
        gsize n = (i * 37) % sizeof bytes, len;
        const guint8 *data;

        for (gsize k = 0; k < n; k++) {
            bytes[k] = (guint8)(next_in + k);
        }
        if (helix_vsock_ring_append(&ring, bytes, n, 9000)) {
            next_in += (guint8)n;
        } else {
            g_assert_cmpuint(ring.used + n, >, 9000);
        }
        g_assert_cmpuint(ring.capacity, <=, 9000);
        data = helix_vsock_ring_peek(&ring, &len);
        len = MIN(len, (i * 29) % 650);
        for (gsize k = 0; k < len; k++) {
            g_assert_cmpuint(data[k], ==, next_out++);
        }
        helix_vsock_ring_drop(&ring, len);
    }
    helix_vsock_ring_clear(&ring);
    g_assert_null(ring.data);
}

GUEST_TEST("/vsock/echo-and-peer-name", test_echo_and_peer_name)
{
    User *user = guest_connect(guest, P, Q);
    g_autoptr(Packet) packet = NULL;

    g_assert_cmpuint(user->port, ==, Q);
    g_assert_cmpstr(user->channel->peer, ==, "vsock 3:1024");
    guest_data(guest, P, Q, "hello", 5);
    g_assert_cmpmem(user->input->data, user->input->len, "hello", 5);
    guest_add_buffers(guest, 1, 4096);
    g_assert_cmpuint(user_write(user, "world!", 6), ==, 6);
    packet = guest_take(guest);
    g_assert_cmpuint(packet->header.op, ==, HELIX_VSOCK_OP_RW);
    g_assert_cmpuint(packet->header.src_cid, ==, HELIX_VSOCK_HOST_CID);
    g_assert_cmpuint(packet->header.dst_cid, ==, GUEST_CID);
    g_assert_cmpuint(packet->header.type, ==, HELIX_VSOCK_TYPE_STREAM);
    g_assert_cmpuint(packet->header.fwd_cnt, ==, 5);
    g_assert_cmpuint(packet->header.buf_alloc, ==, 256 * 1024);
    g_assert_cmpmem(packet->payload->data, packet->payload->len, "world!", 6);
}

GUEST_TEST("/vsock/refused-port-is-reset", test_refused_port_is_reset)
{
    guest->refuse = TRUE;
    guest_add_buffers(guest, 2, 4096);
    guest_op(guest, HELIX_VSOCK_OP_REQUEST, P, 77);
    guest_expect(guest, HELIX_VSOCK_OP_RST, 77, P);
    guest_expect_nothing(guest);
    g_assert_cmpuint(helix_vsock_n_connections(guest->vsock), ==, 0);
}

/* Every op but RST, to a connection that is not there, is answered with RST; RST with nothing. */
GUEST_TEST("/vsock/unknown-is-reset", test_unknown_is_reset)
{
    guest_add_buffers(guest, 32, 4096);
    for (guint op = 0; op < 12; op++) {
        if (op == HELIX_VSOCK_OP_REQUEST) {
            continue;
        }
        guest_op(guest, op, P, Q);
        if (op != HELIX_VSOCK_OP_RST) {
            guest_expect(guest, HELIX_VSOCK_OP_RST, Q, P);
        }
        guest_expect_nothing(guest);
    }
}

GUEST_TEST("/vsock/wrong-cid-or-type-is-reset", test_wrong_cid_or_type_is_reset)
{
    static const struct {
        guint64 src, dst;
        guint16 type;
    } wrong[] = {
        { 4, 2, 1 },           { 3, 3, 1 },           { 3, 0, 1 }, { 3, 1, 1 },
        { 3, 0x100000002, 1 }, { 0x100000003, 2, 1 }, { 3, 2, 2 }, { 3, 2, 0 },
    };

    guest_connect(guest, P, Q);
    guest_add_buffers(guest, 32, 4096);
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        HelixVsockHeader header = guest_header(i & 1 ? HELIX_VSOCK_OP_REQUEST : HELIX_VSOCK_OP_RW, P, Q);
        g_autoptr(Packet) packet = NULL;

        header.src_cid = wrong[i].src;
        header.dst_cid = wrong[i].dst;
        header.type = wrong[i].type;
        guest_send(guest, &header, NULL, 0);
        packet = guest_take(guest);
        g_assert_nonnull(packet);
        g_assert_cmpuint(packet->header.op, ==, HELIX_VSOCK_OP_RST);
        g_assert_cmpuint(packet->header.src_cid, ==, wrong[i].dst);
        g_assert_cmpuint(packet->header.dst_cid, ==, wrong[i].src);
        g_assert_cmpuint(packet->header.type, ==, wrong[i].type);
    }
    guest_data(guest, P, Q, "x", 1); /* the real connection never noticed */
    guest_expect_nothing(guest);
}

GUEST_TEST("/vsock/unknown-op-resets-connection", test_unknown_op_resets_connection)
{
    User *user = guest_connect(guest, P, Q);

    guest_add_buffers(guest, 4, 4096);
    guest_op(guest, 99, P, Q);
    guest_expect(guest, HELIX_VSOCK_OP_RST, Q, P);
    g_assert_cmpuint(user->n_closed, ==, 1);
    user = guest_connect(guest, P, Q);
    guest_op(guest, HELIX_VSOCK_OP_REQUEST, P, Q); /* a second one for the same ports */
    guest_expect(guest, HELIX_VSOCK_OP_RST, Q, P);
    g_assert_cmpuint(user->n_closed, ==, 1);
    g_assert_cmpuint(helix_vsock_n_connections(guest->vsock), ==, 0);
}

GUEST_TEST("/vsock/guest-half-close", test_guest_half_close)
{
    User *user = guest_connect(guest, P, Q);

    guest_add_buffers(guest, 8, 4096);
    user->appetite = 2;
    guest_data(guest, P, Q, "last", 4);
    guest_shutdown(guest, P, Q, HELIX_VSOCK_SHUTDOWN_SEND);
    g_assert_cmpuint(user->n_eof, ==, 0); /* not before every byte was consumed */
    user->appetite = G_MAXSIZE;
    user_resume(user);
    g_assert_cmpmem(user->input->data, user->input->len, "last", 4);
    g_assert_cmpuint(user->n_eof, ==, 1);
    g_assert_cmpuint(user->n_closed, ==, 0);
    g_assert_cmpuint(user_write(user, "answer", 6), ==, 6);
    guest_expect(guest, HELIX_VSOCK_OP_RW, Q, P);
    guest_shutdown(guest, P, Q, HELIX_VSOCK_SHUTDOWN_SEND);
    g_assert_cmpuint(user->n_eof, ==, 1);
    guest_data(guest, P, Q, "more", 4); /* after it said that there is no more */
    guest_expect(guest, HELIX_VSOCK_OP_RST, Q, P);
    g_assert_cmpuint(user->n_closed, ==, 1);
}

GUEST_TEST("/vsock/host-half-close", test_host_half_close)
{
    User *user = guest_connect(guest, P, Q);
    g_autoptr(Packet) packet = NULL;

    guest_add_buffers(guest, 8, 4096);
    user->channel->carrier->shutdown_write(user->channel);
    user->channel->carrier->shutdown_write(user->channel);
    packet = guest_take(guest);
    g_assert_cmpuint(packet->header.op, ==, HELIX_VSOCK_OP_SHUTDOWN);
    g_assert_cmpuint(packet->header.flags, ==, HELIX_VSOCK_SHUTDOWN_SEND);
    guest_expect_nothing(guest);
    g_assert_cmpuint(user_write(user, "late", 4), ==, 0);
    guest_expect_nothing(guest);
    guest_data(guest, P, Q, "still", 5);
    g_assert_cmpuint(user->input->len, ==, 5);
    guest_shutdown(guest, P, Q, HELIX_VSOCK_SHUTDOWN_BOTH);
    guest_expect(guest, HELIX_VSOCK_OP_RST, Q, P);
    g_assert_cmpuint(user->n_eof, ==, 1);
    g_assert_cmpuint(user->n_closed, ==, 1);
}

/* Two SHUTDOWNs, one direction each, count as both; RST comes at once, for Linux lingers 8 s without it. */
GUEST_TEST("/vsock/shutdown-flags-add-up", test_shutdown_flags_add_up)
{
    User *user = guest_connect(guest, P, Q);

    guest_add_buffers(guest, 8, 4096);
    guest_shutdown(guest, P, Q, HELIX_VSOCK_SHUTDOWN_RCV);
    guest_expect_nothing(guest);
    guest_shutdown(guest, P, Q, 0x100);
    guest_expect_nothing(guest);
    guest_shutdown(guest, P, Q, HELIX_VSOCK_SHUTDOWN_SEND);
    guest_expect(guest, HELIX_VSOCK_OP_RST, Q, P);
    g_assert_cmpuint(user->n_eof, ==, 1);
    g_assert_cmpuint(user->n_closed, ==, 1);
    g_assert_cmpuint(helix_vsock_n_connections(guest->vsock), ==, 0);
}

/* The guest closes with bytes still in our buffer: RST at once, and the user gets them all the same. */
GUEST_TEST("/vsock/buffered-input-survives-close", test_buffered_input_survives_close)
{
    User *user = guest_connect(guest, P, Q), *again;

    guest_add_buffers(guest, 8, 4096);
    user->appetite = 0;
    guest_data(guest, P, Q, "precious", 8);
    guest_shutdown(guest, P, Q, HELIX_VSOCK_SHUTDOWN_BOTH);
    guest_expect(guest, HELIX_VSOCK_OP_RST, Q, P);
    g_assert_cmpuint(user->n_closed, ==, 0);
    again = guest_connect(guest, P, Q); /* the guest may use the port again */
    g_assert_true(again != user);
    g_assert_cmpuint(user_write(user, "to nobody", 9), ==, 9);
    guest_expect_nothing(guest);
    guest_reset(guest); /* not even a reset takes them away */
    g_assert_cmpuint(again->n_closed, ==, 1);
    user->appetite = G_MAXSIZE;
    user_resume(user);
    g_assert_cmpmem(user->input->data, user->input->len, "precious", 8);
    g_assert_cmpuint(user->n_eof, ==, 1);
    g_assert_cmpuint(user->n_closed, ==, 1);
    g_assert_cmpuint(helix_vsock_n_connections(guest->vsock), ==, 0);
}

/* The guest reads no more: what waits to be written must not wait without limit. */
GUEST_TEST("/vsock/guest-stops-reading", test_guest_stops_reading)
{
    User *user = guest_connect(guest, P, Q);

    guest_credit(guest, P, Q, 0, 0);
    g_assert_cmpuint(user_write(user, "stuck", 5), ==, 0);
    user->output = (const guint8 *)"stuck";
    user->output_len = 5;
    guest_shutdown(guest, P, Q, HELIX_VSOCK_SHUTDOWN_RCV);
    g_assert_cmpuint(user->n_writable, ==, 1);
    g_assert_cmpuint(user->written, ==, 5);
    guest_data(guest, P, Q, "up", 2); /* the other direction goes on */
    g_assert_cmpuint(user->input->len, ==, 2);
}

GUEST_TEST("/vsock/user-closes", test_user_closes)
{
    User *user = guest_connect(guest, P, Q);
    g_autoptr(Packet) packet = NULL;

    guest_add_buffers(guest, 8, 4096);
    g_assert_cmpuint(user_write(user, "bye", 3), ==, 3);
    user_close(user, FALSE);
    guest_expect(guest, HELIX_VSOCK_OP_RW, Q, P);
    packet = guest_take(guest);
    g_assert_cmpuint(packet->header.op, ==, HELIX_VSOCK_OP_SHUTDOWN);
    g_assert_cmpuint(packet->header.flags, ==, HELIX_VSOCK_SHUTDOWN_BOTH);
    guest_data(guest, P, Q, "in flight", 9); /* sent before the guest saw it: no harm */
    guest_expect_nothing(guest);
    guest_op(guest, HELIX_VSOCK_OP_RST, P, Q);
    guest_expect_nothing(guest);
    g_assert_cmpuint(helix_vsock_n_connections(guest->vsock), ==, 0);
    g_assert_cmpuint(user->n_closed, ==, 0); /* it knew */
}

/* The user closed, and before its RST comes the guest connects from the same port again. */
GUEST_TEST("/vsock/port-used-again-while-closing", test_port_used_again_while_closing)
{
    User *user = guest_connect(guest, P, Q), *again;

    guest_add_buffers(guest, 8, 4096);
    user_close(user, FALSE);
    guest_expect(guest, HELIX_VSOCK_OP_SHUTDOWN, Q, P);
    again = guest_connect(guest, P, Q);
    guest_data(guest, P, Q, "new", 3);
    g_assert_cmpmem(again->input->data, again->input->len, "new", 3);
    g_assert_cmpuint(user->input->len, ==, 0);
    g_assert_cmpuint(helix_vsock_n_connections(guest->vsock), ==, 1);
}

/* A guest that never answers a SHUTDOWN does not keep the connection: RST after a while. */
GUEST_TEST("/vsock/close-times-out", test_close_times_out)
{
    User *user = guest_connect(guest, P, Q);

    guest_add_buffers(guest, 8, 4096);
    user_close(user, FALSE);
    guest_expect(guest, HELIX_VSOCK_OP_SHUTDOWN, Q, P);
    while (helix_vsock_n_connections(guest->vsock)) {
        g_main_context_iteration(NULL, TRUE);
    }
    guest_expect(guest, HELIX_VSOCK_OP_RST, Q, P);
}

GUEST_TEST("/vsock/user-aborts", test_user_aborts)
{
    User *user = guest_connect(guest, P, Q);

    user_close(user, TRUE); /* no receive buffer is there: the RST is owed */
    g_assert_cmpuint(helix_vsock_n_connections(guest->vsock), ==, 1);
    guest_data(guest, P, Q, "x", 1);
    guest_expect_nothing(guest);
    guest_add_buffers(guest, 4, 0);
    guest_expect(guest, HELIX_VSOCK_OP_RST, Q, P);
    guest_expect_nothing(guest);
    g_assert_cmpuint(helix_vsock_n_connections(guest->vsock), ==, 0);
}

GUEST_TEST("/vsock/guest-resets", test_guest_resets)
{
    User *user = guest_connect(guest, P, Q);

    guest_add_buffers(guest, 4, 4096);
    guest_op(guest, HELIX_VSOCK_OP_RST, P, Q);
    g_assert_cmpuint(user->n_closed, ==, 1);
    g_assert_cmpuint(user->n_eof, ==, 0);
    guest_expect_nothing(guest);
}

GUEST_TEST("/vsock/device-reset-drops-all", test_device_reset_drops_all)
{
    User *users[20], *connecting = user_new();

    for (guint i = 0; i < G_N_ELEMENTS(users); i++) {
        users[i] = guest_connect(guest, P + i, Q);
    }
    user_write(users[3], "waits for buffers", 17);
    helix_vsock_connect(guest->vsock, 80, user_connected, connecting);
    guest_op(guest, HELIX_VSOCK_OP_RW, 9, 9); /* a RST is owed */
    guest_reset(guest);
    for (guint i = 0; i < G_N_ELEMENTS(users); i++) {
        g_assert_cmpuint(users[i]->n_closed, ==, 1);
    }
    g_assert_cmpuint(connecting->n_connected, ==, 1);
    g_assert_null(connecting->channel);
    g_assert_cmpuint(helix_vsock_n_connections(guest->vsock), ==, 0);
    guest_add_buffers(guest, 8, 4096);
    guest_expect_nothing(guest);
    guest_connect(guest, P, Q);
    user_free(connecting);
}

TEST("/vsock/close-inside-input", test_close_inside_input)
{
    for (guint how = 0; how < 4; how++) {
        Guest *guest = guest_new(0, 0);
        User *user = guest_connect(guest, P, Q);

        guest_add_buffers(guest, 4, 4096);
        if (how & 2) { /* from the buffer */
            user->appetite = 0;
            guest_data(guest, P, Q, "abcdef", 6);
            user->appetite = 3;
        }
        user->abort_inside = how & 1;
        user->close_inside = !(how & 1);
        if (how & 2) {
            user_resume(user);
        } else {
            guest_data(guest, P, Q, "abcdef", 6);
        }
        guest_expect(guest, how & 1 ? HELIX_VSOCK_OP_RST : HELIX_VSOCK_OP_SHUTDOWN, Q, P);
        guest_data(guest, P, Q, "g", 1);
        g_assert_cmpuint(user->n_input, ==, how & 2 ? 2 : 1);
        guest_free(guest);
    }
}
