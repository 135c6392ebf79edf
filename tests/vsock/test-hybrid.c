/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-hybrid.c - guest ports as UNIX sockets on the host, with real sockets and a scripted guest.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <glib/gstdio.h>

#include "protocol/error.h"
#include "sockets.h"

TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/guest-reaches-listener", test_guest_reaches_listener)
{
    int server = server_new(f, Q, 4), peer;

    guest_add_buffers(f->guest, 16, 4096);
    guest_connect(f->guest, P, Q);
    peer = accept(server, NULL, NULL);
    guest_data(f->guest, P, Q, "to host", 7);
    expect_text(peer, "to host");
    g_assert_cmpint(write(peer, "to guest", 8), ==, 8);
    settle(20);
    expect_payload(f->guest, "to guest");
    guest_shutdown(f->guest, P, Q, HELIX_VSOCK_SHUTDOWN_SEND);
    settle(20);
    expect_text(peer, ""); /* end of stream */
    g_assert_cmpint(write(peer, "late", 4), ==, 4);
    close(peer);
    settle(20);
    expect_payload(f->guest, "late");
    {
        g_autoptr(Packet) packet = guest_take(f->guest);

        g_assert_cmpuint(packet->header.op, ==, HELIX_VSOCK_OP_SHUTDOWN);
    }
    server_free(f, Q, server);
}

TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/nobody-listens", test_nobody_listens)
{
    guest_add_buffers(f->guest, 4, 4096);
    guest_op(f->guest, HELIX_VSOCK_OP_REQUEST, P, Q);
    guest_expect(f->guest, HELIX_VSOCK_OP_RST, Q, P);
    g_assert_cmpuint(helix_vsock_n_connections(f->guest->vsock), ==, 0);
}

/* A UNIX socket's full backlog gives EAGAIN (XNU: ECONNREFUSED) and no event later: the guest is told at once. */
TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/full-backlog", test_full_backlog)
{
    int server = server_new(f, Q, 1);
    guint refused = 0;

    guest_add_buffers(f->guest, 16, 4096);
    for (guint i = 0; i < 5; i++) {
        g_autoptr(Packet) packet = NULL;

        guest_op(f->guest, HELIX_VSOCK_OP_REQUEST, P + i, Q);
        packet = guest_take(f->guest);
        g_assert_nonnull(packet);
        refused += packet->header.op == HELIX_VSOCK_OP_RST;
    }
    g_assert_cmpuint(refused, >=, 1);
    server_free(f, Q, server);
}

/* Data and end of stream that come with the CONNECT line wait for the guest's answer. */
TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/host-connects", test_host_connects)
{
    int client = client_connect(f, "CONNECT 22\nearly");
    char byte;

    g_assert_cmpint(shutdown(client, SHUT_WR), ==, 0);
    settle(20);
    guest_add_buffers(f->guest, 16, 4096);
    guest_expect(f->guest, HELIX_VSOCK_OP_REQUEST, FIRST_PORT, 22);
    g_assert_cmpint(recv(client, &byte, 1, MSG_DONTWAIT), ==, -1); /* no OK before the guest's */
    g_assert_cmpint(errno, ==, EAGAIN);
    guest_op(f->guest, HELIX_VSOCK_OP_RESPONSE, 22, FIRST_PORT);
    settle(20);
    expect_text(client, "OK 1073741824\n");
    expect_payload(f->guest, "early");
    guest_expect(f->guest, HELIX_VSOCK_OP_SHUTDOWN, FIRST_PORT, 22);
    guest_data(f->guest, 22, FIRST_PORT, "answer", 6);
    guest_shutdown(f->guest, 22, FIRST_PORT, HELIX_VSOCK_SHUTDOWN_BOTH);
    guest_expect(f->guest, HELIX_VSOCK_OP_RST, FIRST_PORT, 22);
    settle(20);
    expect_text(client, "answer");
    expect_text(client, "");
    close(client);
}

/* The client's end of stream comes while nothing else is unread: it must not get lost either. */
TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/host-connects-and-ends", test_host_connects_and_ends)
{
    int client = client_connect(f, "CONNECT 22\n");

    guest_add_buffers(f->guest, 16, 4096);
    guest_expect(f->guest, HELIX_VSOCK_OP_REQUEST, FIRST_PORT, 22);
    g_assert_cmpint(shutdown(client, SHUT_WR), ==, 0);
    settle(20);
    guest_op(f->guest, HELIX_VSOCK_OP_RESPONSE, 22, FIRST_PORT);
    settle(20);
    expect_text(client, "OK 1073741824\n");
    guest_expect(f->guest, HELIX_VSOCK_OP_SHUTDOWN, FIRST_PORT, 22);
    guest_data(f->guest, 22, FIRST_PORT, "answer", 6);
    settle(20);
    expect_text(client, "answer");
    close(client);
}

/* The guest talks, and half-closes, right behind its RESPONSE. */
TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/guest-talks-first", test_guest_talks_first)
{
    int client = client_connect(f, "CONNECT 22\n");

    guest_add_buffers(f->guest, 16, 4096);
    guest_expect(f->guest, HELIX_VSOCK_OP_REQUEST, FIRST_PORT, 22);
    guest_op(f->guest, HELIX_VSOCK_OP_RESPONSE, 22, FIRST_PORT);
    guest_data(f->guest, 22, FIRST_PORT, "banner", 6);
    guest_shutdown(f->guest, 22, FIRST_PORT, HELIX_VSOCK_SHUTDOWN_SEND);
    settle(20);
    expect_text(client, "OK 1073741824\nbanner");
    expect_text(client, "");
    g_assert_cmpint(write(client, "still here", 10), ==, 10);
    settle(20);
    expect_payload(f->guest, "still here");
    close(client);
}

TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/line-in-pieces", test_line_in_pieces)
{
    static const char line[] = "CONNECT 4294967294\n";
    int client = client_connect(f, "");

    guest_add_buffers(f->guest, 4, 4096);
    for (guint i = 0; line[i]; i++) {
        g_assert_cmpint(write(client, line + i, 1), ==, 1);
        settle(20);
    }
    guest_expect(f->guest, HELIX_VSOCK_OP_REQUEST, FIRST_PORT, 4294967294u);
    guest_op(f->guest, HELIX_VSOCK_OP_RST, 4294967294u, FIRST_PORT);
    settle(20);
    expect_text(client, ""); /* refused: end, and no OK */
    close(client);
}

TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/bad-lines", test_bad_lines)
{
    static const char *const lines[] = {
        "\n",
        " \r\n",
        "CONNECT\n",
        "CONNECT \n",
        "CONNECT x\n",
        "CONNECT -1\n",
        "CONNECT +1\n",
        "CONNECT 4294967295\n",
        "CONNECT 22 23\n",
        "CONNECT22\n",
        "CONNECT 99999999999999999999\n",
        "HELLO 22\n",
        "CONNECTS 22\n",
        "CONNECT 000000000000000000000000000000000022",
    };

    guest_add_buffers(f->guest, 64, 4096);
    for (guint i = 0; i < G_N_ELEMENTS(lines); i++) {
        int client = client_connect(f, lines[i]);
        char byte;

        g_assert_cmpint(recv(client, &byte, 1, MSG_DONTWAIT), ==, 0);
        close(client);
        guest_expect_nothing(f->guest);
    }
}

/* What Firecracker and vhost-device take too: lower case, CR, several blanks. */
TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/other-spellings", test_other_spellings)
{
    static const char *const lines[] = {
        "connect 22\n", "Connect 22\n", "CONNECT 22\r\n", "CONNECT   22\n", "  CONNECT\t22 \n", "CONNECT 022\n",
    };

    guest_add_buffers(f->guest, 64, 4096);
    for (guint i = 0; i < G_N_ELEMENTS(lines); i++) {
        int client = client_connect(f, lines[i]);

        g_test_message("%s", lines[i]);
        guest_expect(f->guest, HELIX_VSOCK_OP_REQUEST, FIRST_PORT + i, 22);
        guest_op(f->guest, HELIX_VSOCK_OP_RST, 22, FIRST_PORT + i);
        close(client);
    }
}

static gboolean is_closed(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

/* More clients that say nothing than are waited for: the first of them makes way, and only for one that waits. */
TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/silent-clients", test_silent_clients)
{
    int silent[64], client;

    for (guint i = 0; i < G_N_ELEMENTS(silent); i++) {
        silent[i] = client_connect(f, "");
    }
    guest_add_buffers(f->guest, 4, 4096);
    client = client_connect(f, "CONNECT 22\n");
    while (g_queue_is_empty(&f->guest->packets)) {
        g_main_context_iteration(NULL, TRUE);
    }
    guest_expect(f->guest, HELIX_VSOCK_OP_REQUEST, FIRST_PORT, 22);
    g_assert_true(is_closed(silent[0]));
    for (guint i = 1; i < G_N_ELEMENTS(silent); i++) {
        g_assert_false(is_closed(silent[i]));
    }
    g_assert_cmpint(write(silent[1], "CONNECT 23\n", 11), ==, 11);
    settle(20);
    guest_expect(f->guest, HELIX_VSOCK_OP_REQUEST, FIRST_PORT + 1, 23);
    for (guint i = 0; i < G_N_ELEMENTS(silent); i++) {
        close(silent[i]);
    }
    close(client);
}

/* More at once than are asked for at once: the others wait in the backlog, and each gets its answer. */
TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/many-clients", test_many_clients)
{
    int clients[150];
    guint answered = 0;

    f->guest->vsock->config.connect_timeout_ms = 60000;
    guest_add_buffers(f->guest, 400, 4096);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++) {
        clients[i] = client_connect(f, "CONNECT 22\n");
        g_assert_false(is_closed(clients[i]));
    }
    while (answered < G_N_ELEMENTS(clients)) {
        g_autoptr(Packet) packet = guest_take(f->guest);

        g_assert_nonnull(packet);
        g_assert_cmpuint(packet->header.op, ==, HELIX_VSOCK_OP_REQUEST);
        g_assert_cmpuint(f->guest->packets.length, <, 64);
        guest_op(f->guest, HELIX_VSOCK_OP_RESPONSE, 22, packet->header.src_port);
        settle(20);
        answered++;
    }
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++) {
        g_autofree char *answer = g_strdup_printf("OK %u\n", FIRST_PORT + i);

        expect_text(clients[i], answer);
        close(clients[i]);
    }
}

/* The client is gone when the guest answers, and nobody has noticed yet: the guest sees a connection that ends. */
TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/client-leaves-unnoticed", test_client_leaves_unnoticed)
{
    int client = client_connect(f, "CONNECT 22\n");

    guest_add_buffers(f->guest, 16, 4096);
    guest_expect(f->guest, HELIX_VSOCK_OP_REQUEST, FIRST_PORT, 22);
    close(client);
    guest_op(f->guest, HELIX_VSOCK_OP_RESPONSE, 22, FIRST_PORT);
    settle(20);
    guest_expect(f->guest, HELIX_VSOCK_OP_SHUTDOWN, FIRST_PORT, 22);
    guest_shutdown(f->guest, 22, FIRST_PORT, HELIX_VSOCK_SHUTDOWN_BOTH);
    settle(20);
    g_assert_cmpuint(helix_vsock_n_connections(f->guest->vsock), ==, 0);
}

TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/client-leaves-early", test_client_leaves_early)
{
    int client = client_connect(f, "CONNECT 22\n");

    guest_add_buffers(f->guest, 16, 4096);
    guest_expect(f->guest, HELIX_VSOCK_OP_REQUEST, FIRST_PORT, 22);
    close(client);
    settle(20);
    guest_op(f->guest, HELIX_VSOCK_OP_RESPONSE, 22, FIRST_PORT);
    settle(20);
    {
        g_autoptr(Packet) packet = guest_take(f->guest);

        g_assert_nonnull(packet);
        g_assert_true(packet->header.op == HELIX_VSOCK_OP_RST || packet->header.op == HELIX_VSOCK_OP_SHUTDOWN);
    }
}

/* libkrun: the host's program is gone and the guest still sends: no signal, and the guest learns of it. */
TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/sigpipe-on-host-socket", test_sigpipe_on_host_socket)
{
    int server = server_new(f, Q, 4), peer;

    guest_add_buffers(f->guest, 16, 4096);
    guest_connect(f->guest, P, Q);
    peer = accept(server, NULL, NULL);
    close(peer);
    for (guint i = 0; i < 10; i++) {
        guest_data(f->guest, P, Q, "into the void", 13);
    }
    settle(20);
    for (guint flags = 0; flags != HELIX_VSOCK_SHUTDOWN_BOTH;) {
        g_autoptr(Packet) packet = guest_take(f->guest);

        g_assert_nonnull(packet);
        g_assert_cmpuint(packet->header.op, ==, HELIX_VSOCK_OP_SHUTDOWN);
        flags |= packet->header.flags;
    }
    server_free(f, Q, server);
}

/* Firecracker, vhost-device: a host that has much to say to a guest that gives no buffers: the loop rests. */
TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/no-spin-on-host-input", test_no_spin_on_host_input)
{
    g_autofree char *much = g_malloc0(1 << 20);
    int server = server_new(f, Q, 4), peer;
    gsize got = 0;

    guest_connect(f->guest, P, Q);
    peer = accept(server, NULL, NULL);
    while (send(peer, much, 1 << 20, MSG_DONTWAIT) > 0) { /* as much as anyone takes */
        settle(20);
    }
    g_assert_false(g_main_context_iteration(NULL, FALSE));
    while (got < 100000) {
        Packet *packet;

        (void)!send(peer, much, 1 << 20, MSG_DONTWAIT);
        guest_add_buffers(f->guest, 4, 4096);
        settle(20);
        while ((packet = guest_take(f->guest))) {
            got += packet->payload->len;
            packet_free(packet);
        }
        guest_credit(f->guest, P, Q, 256 * 1024, (guint32)got);
    }
    close(peer);
    server_free(f, Q, server);
}

/* The guest sends and the host's program does not read: credit runs out, nothing spins, then all arrives. */
TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/slow-host", test_slow_host)
{
    static guint8 chunk[4096], back[65536];
    int server = server_new(f, Q, 4), peer;
    guint32 sent = 0, fwd_cnt = 0;
    gsize got = 0;
    Packet *packet;

    guest_add_buffers(f->guest, 4096, 4096);
    guest_connect(f->guest, P, Q);
    peer = accept(server, NULL, NULL);
    for (;;) {
        while (sent - fwd_cnt + sizeof chunk <= 256 * 1024 && sent < 4000 * 1024) {
            for (guint i = 0; i < sizeof chunk; i++) {
                chunk[i] = (guint8)((sent + i) * 7 / 3);
            }
            guest_data(f->guest, P, Q, chunk, sizeof chunk);
            sent += sizeof chunk;
            while ((packet = guest_take(f->guest))) {
                fwd_cnt = packet->header.fwd_cnt;
                packet_free(packet);
            }
        }
        settle(20);
        for (ssize_t n; (n = recv(peer, back, 5000, MSG_DONTWAIT)) > 0; got += (gsize)n) {
            for (ssize_t i = 0; i < n; i++) {
                g_assert_cmpuint(back[i], ==, (guint8)((got + (gsize)i) * 7 / 3));
            }
        }
        settle(20);
        while ((packet = guest_take(f->guest))) {
            fwd_cnt = packet->header.fwd_cnt;
            packet_free(packet);
        }
        if (got == 4000 * 1024) {
            break;
        }
    }
    close(peer);
    server_free(f, Q, server);
}

TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/socket-is-private", test_socket_is_private)
{
    GStatBuf st;

    g_assert_cmpint(g_stat(f->path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0600);
}

TEST_WITH(Fixture, setup, teardown, "/vsock/hybrid/unusable-paths", test_unusable_paths)
{
    g_autofree char *name = g_strnfill(120, 'x');
    g_autofree char *longest = g_strdup_printf("%s/%s", f->folder, name);
    g_autofree char *second = g_build_filename(f->folder, "w", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_null(helix_hybrid_new(NULL, f->guest->vsock, longest, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_INVALID);
    g_assert_nonnull(strstr(error->message, "bytes"));
    g_clear_error(&error);
    g_chmod(f->folder, 0770);
    g_assert_null(helix_hybrid_new(NULL, f->guest->vsock, second, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_INVALID);
    g_chmod(f->folder, 0700);
}
