/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-credit.c - credit, both ways. Several of these were somebody's bug once; the comment says whose.
 */
#include "guest.h"

static const guint8 zeros[512 * 1024];

/* Firecracker CVE-2019-18960: lengths that the guest chooses. */
GUEST_TEST("/vsock/length-beyond-packet", test_length_beyond_packet)
{
    static const guint32 lengths[] = { 5, 6, 4096, 0x7fffffff, 0x80000000, 0xffffffff };

    for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
        User *user = guest_connect(guest, P, Q);
        HelixVsockHeader header = guest_header(HELIX_VSOCK_OP_RW, P, Q);

        guest_add_buffers(guest, 4, 4096);
        header.len = lengths[i];
        guest_send(guest, &header, "1234", 4);
        guest_expect(guest, HELIX_VSOCK_OP_RST, Q, P);
        g_assert_cmpuint(user->input->len, ==, 0);
        g_assert_cmpuint(user->n_closed, ==, 1);
        header.op = HELIX_VSOCK_OP_REQUEST; /* nor does it begin a connection */
        guest_send(guest, &header, "1234", 4);
        guest_expect(guest, HELIX_VSOCK_OP_RST, Q, P);
    }
}

/* Linux CVE-2026-23069: buf_alloc shrinks below what is in flight. */
GUEST_TEST("/vsock/credit-underflow-on-shrink", test_credit_underflow_on_shrink)
{
    User *user = guest_connect(guest, P, Q);
    HelixVsockConnection *conn = guest_connection(guest, P, Q);

    guest_add_buffers(guest, 64, 4096);
    g_assert_cmpuint(user_write(user, zeros, 10000), ==, 10000);
    guest_credit(guest, P, Q, 9999, 0);
    g_assert_cmpuint(helix_vsock_connection_credit(conn), ==, 0);
    g_assert_cmpuint(user_write(user, zeros, 1), ==, 0);
    guest_credit(guest, P, Q, 0, 10000);
    g_assert_cmpuint(user_write(user, zeros, 1), ==, 0);
    guest_credit(guest, P, Q, 0xffffffff, 10001); /* a count of bytes never sent: costs the guest its credit only */
    g_assert_cmpuint(helix_vsock_connection_credit(conn), ==, 0);
    guest_credit(guest, P, Q, 100, 9950);
    g_assert_cmpuint(helix_vsock_connection_credit(conn), ==, 50);
    g_assert_cmpuint(user_write(user, zeros, 100), ==, 50);
}

/* Linux CVE-2026-23086: a guest that says it has 4 GiB and reads nothing gets no host memory, in neither direction. */
GUEST_TEST("/vsock/huge-buf-alloc-slow-reader", test_huge_buf_alloc_slow_reader)
{
    User *user = guest_connect(guest, P, Q);
    HelixVsockConnection *conn = guest_connection(guest, P, Q);

    guest_credit(guest, P, Q, 0xffffffff, 0);
    guest_add_buffers(guest, 4, 4096);
    g_assert_cmpuint(user_write(user, zeros, sizeof zeros), ==, 4 * 4096); /* what the buffers take, no byte more */
    guest_drop_packets(guest);

    user->appetite = 0;
    for (guint i = 0; i < 4; i++) {
        guest_data(guest, P, Q, zeros, 64 * 1024);
        g_assert_cmpuint(user->n_closed, ==, 0);
        g_assert_cmpuint(conn->ring.capacity, <=, 256 * 1024);
    }
    guest_add_buffers(guest, 1, 4096);
    guest_drop_packets(guest);
    guest_data(guest, P, Q, zeros, 1); /* beyond the credit it has */
    guest_add_buffers(guest, 1, 4096);
    guest_expect(guest, HELIX_VSOCK_OP_RST, Q, P);
    g_assert_cmpuint(user->n_closed, ==, 1);
}

/* A guest that never has more than @window ahead of what it was told, and says that its own buffer is @buf_alloc. */
static void send_within(Guest *guest, guint32 window, guint32 buf_alloc)
{
    User *user = guest_connect(guest, P, Q);
    HelixVsockHeader header = guest_header(HELIX_VSOCK_OP_RW, P, Q);
    guint32 sent = 0, fwd_cnt = 0;

    guest_add_buffers(guest, 4096, 4096);
    header.buf_alloc = buf_alloc;
    while (sent < 20 * window) {
        Packet *packet;

        header.len = MIN(window - (sent - fwd_cnt), 64u * 1024);
        g_assert_cmpuint(header.len, >, 0); /* 0: the guest would wait without limit */
        guest_send(guest, &header, zeros, header.len);
        sent += header.len;
        while ((packet = guest_take(guest))) {
            g_assert_cmpuint(packet->header.op, ==, HELIX_VSOCK_OP_CREDIT_UPDATE);
            fwd_cnt = packet->header.fwd_cnt;
            packet_free(packet);
        }
    }
    g_assert_cmpuint(user->input->len, ==, sent);
}

/* libkrun: a guest that fills its credit and waits must hear of freed room, however empty our own buffer is. */
TEST("/vsock/credit-update-by-guests-view", test_credit_update_by_guests_view)
{
    static const guint32 sizes[] = { 1, 7, 4096, 240 * 1024, 256 * 1024 };

    for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
        Guest *guest = guest_new(sizes[s], 0);

        send_within(guest, sizes[s], 256 * 1024);
        guest_free(guest);
    }
}

/* A guest whose own buffer is smaller than the host's, and that sends no more ahead than that. */
TEST("/vsock/credit-update-of-small-guest", test_credit_update_of_small_guest)
{
    static const guint32 sizes[] = { 1, 7, 4096, 64 * 1024, 255 * 1024 };

    for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
        Guest *guest = guest_new(0, 0);

        send_within(guest, sizes[s], sizes[s]);
        guest_free(guest);
    }
}

/* What was little for the buffer that it had is all of the one it has now. */
TEST("/vsock/credit-update-when-guest-shrinks", test_credit_update_when_guest_shrinks)
{
    static const guint32 sizes[] = { 128 * 1024, 1, 0 };

    for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
        Guest *guest = guest_new(0, 0);
        g_autoptr(Packet) packet = NULL;

        guest_connect(guest, P, Q);
        guest_add_buffers(guest, 4, 4096);
        guest_data(guest, P, Q, zeros, 64 * 1024);
        guest_expect_nothing(guest);
        guest_credit(guest, P, Q, sizes[s], 0);
        packet = guest_take(guest);
        g_assert_nonnull(packet);
        g_assert_cmpuint(packet->header.op, ==, HELIX_VSOCK_OP_CREDIT_UPDATE);
        g_assert_cmpuint(packet->header.fwd_cnt, ==, 64 * 1024);
        guest_credit(guest, P, Q, sizes[s], 0); /* there is no more news */
        guest_expect_nothing(guest);
        guest_free(guest);
    }
}

/* The same with a user that takes its time: the update comes when it has consumed, though no packet arrives. */
TEST("/vsock/credit-update-after-resume", test_credit_update_after_resume)
{
    Guest *guest = guest_new(4096, 0);
    User *user = guest_connect(guest, P, Q);
    g_autoptr(Packet) packet = NULL;

    guest_add_buffers(guest, 4, 4096);
    user->appetite = 0;
    guest_data(guest, P, Q, zeros, 4096);
    guest_expect_nothing(guest);
    user->appetite = 1;
    user_resume(user);
    packet = guest_take(guest);
    g_assert_nonnull(packet);
    g_assert_cmpuint(packet->header.op, ==, HELIX_VSOCK_OP_CREDIT_UPDATE);
    g_assert_cmpuint(packet->header.fwd_cnt, ==, 1);
    guest_expect_nothing(guest);
    guest_free(guest);
}

GUEST_TEST("/vsock/resume-inside-input", test_resume_inside_input)
{
    User *user = guest_connect(guest, P, Q);

    user->bite = 10;
    user->resume_inside = TRUE;
    guest_data(guest, P, Q, zeros, 100);
    g_assert_cmpuint(user->input->len, ==, 100);
    g_assert_cmpuint(user->n_input, ==, 10);
}

/* Several devices kept one fwd_cnt for all connections. */
GUEST_TEST("/vsock/fwd-cnt-per-connection", test_fwd_cnt_per_connection)
{
    Packet *packet;

    guest_connect(guest, P, Q);
    guest_connect(guest, P + 1, Q);
    guest_data(guest, P, Q, zeros, 1000);
    guest_data(guest, P + 1, Q, zeros, 30);
    guest_data(guest, P, Q, zeros, 1);
    guest_add_buffers(guest, 8, 4096);
    guest_op(guest, HELIX_VSOCK_OP_CREDIT_REQUEST, P, Q);
    guest_op(guest, HELIX_VSOCK_OP_CREDIT_REQUEST, P + 1, Q);
    packet = guest_take(guest);
    g_assert_cmpuint(packet->header.dst_port, ==, P);
    g_assert_cmpuint(packet->header.fwd_cnt, ==, 1001);
    packet_free(packet);
    packet = guest_take(guest);
    g_assert_cmpuint(packet->header.dst_port, ==, P + 1);
    g_assert_cmpuint(packet->header.fwd_cnt, ==, 30);
    packet_free(packet);
}

/* hyperkit: a CREDIT_REQUEST when nothing changed or nothing can be sent yet. */
GUEST_TEST("/vsock/credit-request-always-answered", test_credit_request_always_answered)
{
    guest_connect(guest, P, Q);
    guest_op(guest, HELIX_VSOCK_OP_CREDIT_REQUEST, P, Q);
    guest_op(guest, HELIX_VSOCK_OP_CREDIT_REQUEST, P, Q);
    guest_expect_nothing(guest);
    guest_add_buffers(guest, 8, 4096);
    guest_expect(guest, HELIX_VSOCK_OP_CREDIT_UPDATE, Q, P);
    guest_expect_nothing(guest); /* owed once, however often asked */
    guest_op(guest, HELIX_VSOCK_OP_CREDIT_REQUEST, P, Q);
    guest_expect(guest, HELIX_VSOCK_OP_CREDIT_UPDATE, Q, P);
}

/* Out of credit, the host asks once, and writes on when credit comes. */
GUEST_TEST("/vsock/host-waits-for-credit", test_host_waits_for_credit)
{
    User *user = guest_connect(guest, P, Q);

    guest_add_buffers(guest, 64, 4096);
    guest_credit(guest, P, Q, 100, 0);
    user->output = zeros;
    user->output_len = 150;
    user->written = user_write(user, zeros, 150);
    g_assert_cmpuint(user->written, ==, 100);
    guest_expect(guest, HELIX_VSOCK_OP_RW, Q, P);
    guest_expect(guest, HELIX_VSOCK_OP_CREDIT_REQUEST, Q, P);
    guest_credit(guest, P, Q, 100, 0);
    g_assert_cmpuint(user_write(user, zeros, 1), ==, 0);
    guest_expect_nothing(guest);
    g_assert_cmpuint(user->n_writable, ==, 0);
    guest_credit(guest, P, Q, 100, 20);
    g_assert_cmpuint(user->written, ==, 120);
    guest_expect(guest, HELIX_VSOCK_OP_RW, Q, P);
    guest_expect(guest, HELIX_VSOCK_OP_CREDIT_REQUEST, Q, P);
    guest_credit(guest, P, Q, 100, 120);
    g_assert_cmpuint(user->written, ==, 150);
    guest_expect(guest, HELIX_VSOCK_OP_RW, Q, P);
    guest_expect_nothing(guest);
}

TEST("/vsock/counters-wrap", test_counters_wrap)
{
    Guest *guest = guest_new(4096, 0);
    User *user = guest_connect(guest, P, Q);
    HelixVsockConnection *conn = guest_connection(guest, P, Q);

    conn->tx_cnt = conn->peer_fwd_cnt = 0xffffffff - 10;
    conn->rx_cnt = conn->fwd_cnt = conn->last_sent_fwd_cnt = 0xffffffff - 10;
    guest_add_buffers(guest, 64, 4096);
    guest_credit(guest, P, Q, 1000, 0xffffffff - 10);
    g_assert_cmpuint(user_write(user, zeros, 2000), ==, 1000);
    guest_credit(guest, P, Q, 1000, 989); /* all of it */
    g_assert_cmpuint(helix_vsock_connection_credit(conn), ==, 1000);
    guest_drop_packets(guest);
    user->appetite = 3000;
    guest_data(guest, P, Q, zeros, 4096);
    g_assert_cmpuint(user->n_closed, ==, 0);
    g_assert_cmpuint(conn->fwd_cnt, ==, 3000 - 11);
    guest_expect(guest, HELIX_VSOCK_OP_CREDIT_UPDATE, Q, P);
    guest_data(guest, P, Q, zeros, 3001); /* one beyond */
    guest_expect(guest, HELIX_VSOCK_OP_RST, Q, P);
    guest_free(guest);
}

/* A user that eats everything is no reason to take more than the guest was promised. */
TEST("/vsock/more-than-credit", test_more_than_credit)
{
    Guest *guest = guest_new(1000, 0);
    User *user = guest_connect(guest, P, Q);

    guest_add_buffers(guest, 8, 4096);
    guest_data(guest, P, Q, zeros, 1000);
    g_assert_cmpuint(user->input->len, ==, 1000);
    guest_drop_packets(guest);
    guest_data(guest, P, Q, zeros, 1001);
    guest_expect(guest, HELIX_VSOCK_OP_RST, Q, P);
    g_assert_cmpuint(user->input->len, ==, 1000);
    guest_free(guest);
}
