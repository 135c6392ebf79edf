/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-connect.c - connections that the host begins, and their ports.
 */
#include "guest.h"

GUEST_TEST("/vsock/host-connects", test_host_connects)
{
    User *user = user_new();

    guest_add_buffers(guest, 8, 4096);
    helix_vsock_connect(guest->vsock, 22, user_connected, user);
    guest_expect(guest, HELIX_VSOCK_OP_REQUEST, 0x40000000, 22);
    g_assert_cmpuint(user->n_connected, ==, 0);
    guest_op(guest, HELIX_VSOCK_OP_RESPONSE, 22, 0x40000000);
    g_assert_nonnull(user->channel);
    g_assert_cmpuint(user->port, ==, 0x40000000);
    g_assert_cmpuint(user_write(user, "hi", 2), ==, 2);
    guest_expect(guest, HELIX_VSOCK_OP_RW, 0x40000000, 22);
    guest_data(guest, 22, 0x40000000, "ho", 2);
    g_assert_cmpuint(user->input->len, ==, 2);
    guest_op(guest, HELIX_VSOCK_OP_RESPONSE, 22, 0x40000000); /* a second one is wrong */
    guest_expect(guest, HELIX_VSOCK_OP_RST, 0x40000000, 22);
    g_assert_cmpuint(user->n_closed, ==, 1);
    user_free(user);
}

TEST("/vsock/host-is-refused", test_host_is_refused)
{
    Guest *guest = guest_new(0, 1);
    User *user = user_new();

    guest_add_buffers(guest, 8, 4096);
    helix_vsock_connect(guest->vsock, 22, user_connected, user);
    helix_vsock_connect(guest->vsock, 23, user_connected, user); /* over the limit: at once */
    g_assert_cmpuint(user->n_connected, ==, 1);
    guest_expect(guest, HELIX_VSOCK_OP_REQUEST, 0x40000000, 22);
    guest_op(guest, HELIX_VSOCK_OP_RST, 22, 0x40000000);
    g_assert_cmpuint(user->n_connected, ==, 2);
    g_assert_null(user->channel);
    guest_expect_nothing(guest);

    helix_vsock_connect(guest->vsock, 22, user_connected, user); /* data before RESPONSE */
    guest_expect(guest, HELIX_VSOCK_OP_REQUEST, 0x40000001, 22);
    guest_data(guest, 22, 0x40000001, "x", 1);
    guest_expect(guest, HELIX_VSOCK_OP_RST, 0x40000001, 22);
    g_assert_cmpuint(user->n_connected, ==, 3);
    g_assert_null(user->channel);
    user_free(user);
    guest_free(guest);
}

TEST("/vsock/host-connect-times-out", test_host_connect_times_out)
{
    for (guint buffers = 0; buffers < 3; buffers++) {
        Guest *guest = guest_new(0, 0);
        User *user = user_new();

        guest_add_buffers(guest, buffers, 4096);
        helix_vsock_connect(guest->vsock, 22, user_connected, user);
        while (!user->n_connected) {
            g_main_context_iteration(NULL, TRUE);
        }
        g_assert_null(user->channel);
        if (buffers) {
            guest_expect(guest, HELIX_VSOCK_OP_REQUEST, 0x40000000, 22);
        }
        if (buffers == 2) {
            guest_expect(guest, HELIX_VSOCK_OP_RST, 0x40000000, 22);
        }
        guest_expect_nothing(guest);
        g_assert_cmpuint(helix_vsock_n_connections(guest->vsock), ==, buffers == 1 ? 1 : 0);
        user_free(user);
        guest_free(guest);
    }
}

/* vhost-device: ports of the host run out or are used twice after 2^30 connections. */
TEST("/vsock/local-port-wraps", test_local_port_wraps)
{
    Guest *guest = guest_new(0, 0);
    User *first = user_new(), *others = user_new();

    guest_add_buffers(guest, 64, 4096);
    helix_vsock_connect(guest->vsock, 22, user_connected, first);
    guest_op(guest, HELIX_VSOCK_OP_RESPONSE, 22, 0x40000000);
    g_assert_nonnull(first->channel);
    guest_drop_packets(guest);
    guest->vsock->next_port = 0xfffffffe;
    helix_vsock_connect(guest->vsock, 22, user_connected, others);
    guest_expect(guest, HELIX_VSOCK_OP_REQUEST, 0xfffffffe, 22);
    helix_vsock_connect(guest->vsock, 22, user_connected, others);
    guest_expect(guest, HELIX_VSOCK_OP_REQUEST, 0x40000001, 22); /* 0x40000000 is taken, 0xffffffff is no port */
    user_close(first, TRUE);
    guest_free(guest);
    g_assert_cmpuint(others->n_connected, ==, 2);
    user_free(first);
    user_free(others);
}
