/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-close.c - connections through UNIX sockets that end: nothing that was sent before is lost, nothing that is sent
 * afterwards is taken, and a stream that is cut off does not look like one that ended.
 */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <glib-unix.h>

#include "sockets.h"

/* ---- a program of the host that acts the moment it sees the end of stream ---- */

static int eager = -1;  /* its end */
static int eager_wrote; /* errno of its write; 0: it was taken */

int shutdown(int fd, int how)
{
    int (*real)(int, int) = dlsym(RTLD_NEXT, "shutdown");
    int result = real(fd, how);
    char byte;

    if (eager >= 0 && recv(eager, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0) {
        eager_wrote = send(eager, "late", 4, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
        eager = -1;
    }
    return result;
}

/* ---- a kernel that gives a socket no larger buffer ---- */

static gboolean stingy;

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    int (*real)(int, int, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "setsockopt");

    return stingy && option == SO_SNDBUF ? 0 : real(fd, level, option, value, len);
}

/* ---- both ends ---- */

static int connect_guest(Fixture *f, guint32 port, int server)
{
    int peer;

    guest_connect(f->guest, port, Q);
    peer = accept(server, NULL, NULL);
    g_assert_true(g_unix_set_fd_nonblocking(peer, TRUE, NULL));
    return peer;
}

static void expect_write(int fd, int error)
{
    ssize_t sent = send(fd, "more", 4, MSG_DONTWAIT | MSG_NOSIGNAL);

    g_assert_cmpint(sent, ==, error ? -1 : 4);
    if (error) {
        g_assert_cmpint(errno, ==, error);
    }
}

/* Flags of the next packet, a SHUTDOWN. */
static guint32 expect_shutdown(Guest *guest)
{
    g_autoptr(Packet) packet = guest_take(guest);

    g_assert_nonnull(packet);
    g_assert_cmpuint(packet->header.op, ==, HELIX_VSOCK_OP_SHUTDOWN);
    return packet->header.flags;
}

static guint8 byte_at(gsize position)
{
    return (guint8)(position * 7 / 3);
}

/* The guest sends @size bytes, as far as its credit goes; returns how many. */
static gsize guest_sends(Guest *guest, guint32 port, gsize size)
{
    static guint8 chunk[4096];
    guint32 fwd_cnt = 0;
    gsize sent = 0;

    while (sent < size && sent - fwd_cnt + sizeof chunk <= 256 * 1024) {
        gsize n = MIN(size - sent, sizeof chunk);
        Packet *packet;

        for (gsize i = 0; i < n; i++) {
            chunk[i] = byte_at(sent + i);
        }
        guest_data(guest, port, Q, chunk, n);
        sent += n;
        while ((packet = guest_take(guest))) {
            fwd_cnt = packet->header.fwd_cnt;
            packet_free(packet);
        }
    }
    return sent;
}

/* Read what is there. */
static gsize host_reads(int fd, gsize position)
{
    static guint8 buffer[65536];
    ssize_t got;

    while ((got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            g_assert_cmpuint(buffer[i], ==, byte_at(position + (gsize)i));
        }
        position += (gsize)got;
    }
    return position;
}

/* ---- the guest ends it ---- */

TEST_WITH(Fixture, setup, teardown, "/vsock/close/guest-closes", test_guest_closes)
{
    int server = server_new(f, Q, 4);

    guest_add_buffers(f->guest, 16, 4096);
    eager = connect_guest(f, P, server);
    eager_wrote = -1;
    guest_shutdown(f->guest, P, Q, HELIX_VSOCK_SHUTDOWN_BOTH);
    guest_expect(f->guest, HELIX_VSOCK_OP_RST, Q, P);
    g_assert_cmpint(eager_wrote, ==, EPIPE);
    server_free(f, Q, server);
}

/* The end of stream waits for a slow reader; that the guest reads no more does not. */
TEST_WITH(Fixture, setup, teardown, "/vsock/close/guest-closes-behind-data", test_guest_closes_behind_data)
{
    int server = server_new(f, Q, 4), peer;
    gsize sent;
    char byte;

    stingy = TRUE;
    guest_add_buffers(f->guest, 200, 4096);
    peer = connect_guest(f, P, server);
    sent = guest_sends(f->guest, P, G_MAXSIZE);
    guest_shutdown(f->guest, P, Q, HELIX_VSOCK_SHUTDOWN_BOTH);
    expect_write(peer, EPIPE);
    settle(20);
    g_assert_cmpuint(helix_vsock_n_connections(f->guest->vsock), ==, 1);
    guest_reset(f->guest); /* another guest's, by now */
    for (gsize got = 0, before = G_MAXSIZE; got != before; settle(20)) {
        before = got;
        got = host_reads(peer, got);
        g_assert_true(got > before || before == G_MAXSIZE || got == sent);
    }
    g_assert_cmpint(recv(peer, &byte, 1, MSG_DONTWAIT), ==, 0);
    close(peer);
    g_assert_cmpuint(helix_vsock_n_connections(f->guest->vsock), ==, 0);
    server_free(f, Q, server);
    stingy = FALSE;
}

/* A program that never reads keeps it, without an iteration of the main loop, until it closes. */
TEST_WITH(Fixture, setup, teardown, "/vsock/close/nobody-reads", test_nobody_reads)
{
    int server = server_new(f, Q, 4), peer;

    stingy = TRUE;
    guest_add_buffers(f->guest, 200, 4096);
    peer = connect_guest(f, P, server);
    guest_sends(f->guest, P, G_MAXSIZE);
    guest_shutdown(f->guest, P, Q, HELIX_VSOCK_SHUTDOWN_BOTH);
    settle(20);
    g_assert_cmpuint(helix_vsock_n_connections(f->guest->vsock), ==, 1);
    g_assert_false(g_main_context_iteration(NULL, FALSE));
    close(peer);
    settle(20);
    g_assert_cmpuint(helix_vsock_n_connections(f->guest->vsock), ==, 0);
    server_free(f, Q, server);
    stingy = FALSE;
}

TEST_WITH(Fixture, setup, teardown, "/vsock/close/guest-reads-no-more", test_guest_reads_no_more)
{
    int server = server_new(f, Q, 4), peer;

    guest_add_buffers(f->guest, 16, 4096);
    peer = connect_guest(f, P, server);
    expect_write(peer, 0);
    settle(20);
    expect_payload(f->guest, "more");
    guest_shutdown(f->guest, P, Q, HELIX_VSOCK_SHUTDOWN_RCV);
    expect_write(peer, EPIPE);
    settle(20);
    guest_data(f->guest, P, Q, "still", 5); /* the other direction goes on */
    expect_text(peer, "still");
    guest_expect_nothing(f->guest);
    guest_shutdown(f->guest, P, Q, HELIX_VSOCK_SHUTDOWN_SEND);
    guest_expect(f->guest, HELIX_VSOCK_OP_RST, Q, P);
    settle(20);
    expect_text(peer, "");
    g_assert_cmpuint(helix_vsock_n_connections(f->guest->vsock), ==, 0);

    close(peer);
    peer = connect_guest(f, P + 1, server); /* and one whose host goes first */
    guest_shutdown(f->guest, P + 1, Q, HELIX_VSOCK_SHUTDOWN_RCV);
    settle(20);
    close(peer);
    settle(20);
    g_assert_cmpuint(expect_shutdown(f->guest), ==, HELIX_VSOCK_SHUTDOWN_BOTH);
    server_free(f, Q, server);
}

/* A full connection, and a UNIX socket of Linux's default size before it; on XNU the credit ends it earlier. */
#define MUCH 420000

/*
 * The guest closes, the host's program reads when it likes: all of it, then the end. What the connection held is the
 * kernel's by then, so its place is free.
 */
TEST_WITH(Fixture, setup, teardown, "/vsock/close/late-reader", test_late_reader)
{
    int server = server_new(f, Q, 4), peer;
    gsize sent;
    char byte;

    guest_add_buffers(f->guest, 200, 4096);
    peer = connect_guest(f, P, server);
    sent = guest_sends(f->guest, P, MUCH);
    g_assert_cmpuint(sent, >=, 256 * 1024);
    guest_shutdown(f->guest, P, Q, HELIX_VSOCK_SHUTDOWN_BOTH);
    settle(20);
    g_assert_cmpuint(helix_vsock_n_connections(f->guest->vsock), ==, 0);
    g_assert_cmpuint(host_reads(peer, 0), ==, sent);
    g_assert_cmpint(recv(peer, &byte, 1, MSG_DONTWAIT), ==, 0);
    close(peer);
    server_free(f, Q, server);
}

/* A guest that crashes, or says RST: what it sent before is there. */
TEST_WITH(Fixture, setup, teardown, "/vsock/close/guest-is-gone", test_guest_is_gone)
{
    int server = server_new(f, Q, 4);

    for (guint how = 0; how < 3; how++) {
        gsize sent;
        int peer;

        guest_add_buffers(f->guest, 200, 4096);
        guest_drop_packets(f->guest);
        peer = connect_guest(f, P + how, server);
        sent = guest_sends(f->guest, P + how, MUCH);
        g_assert_cmpuint(sent, >=, 256 * 1024);
        if (how == 0) {
            guest_op(f->guest, HELIX_VSOCK_OP_RST, P, Q);
        } else if (how == 1) {
            guest_reset(f->guest);
        } else { /* the device goes */
            helix_vsock_free(f->guest->vsock);
            f->guest->vsock = NULL;
        }
        g_assert_cmpuint(host_reads(peer, 0), ==, sent);
        close(peer);
    }
    server_free(f, Q, server);
}

/* What the host's program wrote never reached the guest: it gets an error, behind all that the guest had sent. */
TEST_WITH(Fixture, setup, teardown, "/vsock/close/guest-cuts", test_guest_cuts)
{
    static const guint8 zeros[150000];
    int server = server_new(f, Q, 4), peer;
    char byte;

    guest_add_buffers(f->guest, 16, 4096);
    peer = connect_guest(f, P, server);
    guest_data(f->guest, P, Q, "last", 4);
    guest_credit(f->guest, P, Q, 0, 0);
    while (send(peer, zeros, sizeof zeros, MSG_DONTWAIT) > 0) {
        settle(20);
    }
    guest_op(f->guest, HELIX_VSOCK_OP_RST, P, Q);
    settle(20);
    expect_text(peer, "last");
#ifdef __linux__ /* unp_disconnect() of XNU ends the stream, whatever is unread */
    g_assert_cmpint(recv(peer, &byte, 1, MSG_DONTWAIT), ==, -1);
    g_assert_cmpint(errno, ==, ECONNRESET);
#else
    g_assert_cmpint(recv(peer, &byte, 1, MSG_DONTWAIT), ==, 0);
#endif
    close(peer);
    server_free(f, Q, server);
}

/* ---- the host's program ends it ---- */

/* The first that the guest hears is that nobody reads what it sends. */
TEST_WITH(Fixture, setup, teardown, "/vsock/close/host-closes", test_host_closes)
{
    int server = server_new(f, Q, 4), peer;

    guest_add_buffers(f->guest, 16, 4096);
    peer = connect_guest(f, P, server);
    g_assert_cmpint(write(peer, "last", 4), ==, 4);
    close(peer);
    settle(20);
    expect_payload(f->guest, "last");
    g_assert_cmpuint(expect_shutdown(f->guest) & HELIX_VSOCK_SHUTDOWN_RCV, !=, 0);
    g_assert_cmpuint(expect_shutdown(f->guest), ==, HELIX_VSOCK_SHUTDOWN_BOTH);
    guest_expect_nothing(f->guest);
    guest_data(f->guest, P, Q, "under way", 9);
    guest_expect_nothing(f->guest);
    guest_op(f->guest, HELIX_VSOCK_OP_RST, P, Q);
    g_assert_cmpuint(helix_vsock_n_connections(f->guest->vsock), ==, 0);
    server_free(f, Q, server);
}

TEST_WITH(Fixture, setup, teardown, "/vsock/close/host-reads-no-more", test_host_reads_no_more)
{
    int server = server_new(f, Q, 4), peer;

    guest_add_buffers(f->guest, 16, 4096);
    peer = connect_guest(f, P, server);
    g_assert_cmpint(shutdown(peer, SHUT_RD), ==, 0);
    guest_data(f->guest, P, Q, "to nobody", 9);
    settle(20);
    g_assert_cmpuint(expect_shutdown(f->guest), ==, HELIX_VSOCK_SHUTDOWN_RCV);
    guest_data(f->guest, P, Q, "under way", 9);
    expect_write(peer, 0); /* the other direction goes on */
    settle(20);
    expect_payload(f->guest, "more");
    close(peer);
    settle(20);
    g_assert_cmpuint(expect_shutdown(f->guest), ==, HELIX_VSOCK_SHUTDOWN_BOTH);
    guest_expect_nothing(f->guest);
    server_free(f, Q, server);
}

/* It closes with more to be sent than the guest takes, and the guest talks meanwhile: all arrives. */
TEST_WITH(Fixture, setup, teardown, "/vsock/close/host-closes-behind-data", test_host_closes_behind_data)
{
    static guint8 bytes[200000];
    const int room = 256 * 1024; /* XNU's default is 8192 bytes */
    int server = server_new(f, Q, 4), peer;
    gsize got = 0;

    for (gsize i = 0; i < sizeof bytes; i++) {
        bytes[i] = byte_at(i);
    }
    guest_add_buffers(f->guest, 4, 4096);
    peer = connect_guest(f, P, server);
    g_assert_cmpint(setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &room, sizeof room), ==, 0);
    g_assert_cmpint(send(peer, bytes, sizeof bytes, MSG_DONTWAIT), ==, sizeof bytes);
    close(peer);
    settle(20);
    guest_data(f->guest, P, Q, "to nobody", 9);
    settle(20);
    while (got < sizeof bytes) {
        gsize before = got;
        Packet *packet;

        guest_add_buffers(f->guest, 8, 4096);
        settle(40);
        while ((packet = guest_take(f->guest))) {
            g_assert_cmpuint(packet->header.op, !=, HELIX_VSOCK_OP_RST);
            g_assert_cmpmem(packet->payload->data, packet->payload->len, bytes + got, packet->payload->len);
            got += packet->payload->len;
            packet_free(packet);
        }
        g_assert_cmpuint(got, >, before);
        guest_credit(f->guest, P, Q, 256 * 1024, (guint32)got);
    }
    server_free(f, Q, server);
}

/* printf 'CONNECT 1111\ntest\n', and gone before the guest has answered. */
TEST_WITH(Fixture, setup, teardown, "/vsock/close/last-words", test_last_words)
{
    int client = client_connect(f, "CONNECT 1111\ntest\n");
    guint32 flags = 0;
    gboolean arrived = FALSE;

    close(client);
    settle(20);
    guest_add_buffers(f->guest, 16, 4096);
    guest_expect(f->guest, HELIX_VSOCK_OP_REQUEST, FIRST_PORT, 1111);
    guest_op(f->guest, HELIX_VSOCK_OP_RESPONSE, 1111, FIRST_PORT);
    settle(20);
    while (flags != HELIX_VSOCK_SHUTDOWN_BOTH) {
        g_autoptr(Packet) packet = guest_take(f->guest);

        g_assert_nonnull(packet);
        if (packet->header.op == HELIX_VSOCK_OP_RW) {
            g_assert_cmpmem(packet->payload->data, packet->payload->len, "test\n", 5);
            arrived = TRUE;
        } else {
            g_assert_cmpuint(packet->header.op, ==, HELIX_VSOCK_OP_SHUTDOWN);
            flags |= packet->header.flags;
        }
    }
    g_assert_true(arrived);
}

#ifdef __linux__ /* XNU tells a reader of the end of the stream alone */
/* It goes without having read what the guest sent: for the guest the connection is reset. */
TEST_WITH(Fixture, setup, teardown, "/vsock/close/host-cuts", test_host_cuts)
{
    int server = server_new(f, Q, 4), peer;

    guest_add_buffers(f->guest, 16, 4096);
    peer = connect_guest(f, P, server);
    guest_data(f->guest, P, Q, "unread", 6);
    g_assert_cmpint(write(peer, "last", 4), ==, 4);
    close(peer);
    settle(20);
    expect_payload(f->guest, "last");
    guest_expect(f->guest, HELIX_VSOCK_OP_RST, Q, P);
    g_assert_cmpuint(helix_vsock_n_connections(f->guest->vsock), ==, 0);
    server_free(f, Q, server);
}
#endif
