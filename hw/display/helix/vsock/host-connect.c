/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host-connect.c - connections that the host opens.
 */
#include "vsock-private.h"

/* The next port that is unused with @guest_port. There is one: ports outnumber connections. */
static guint32 take_port(HelixVsock *vsock, guint32 guest_port)
{
    guint32 port;

    do {
        port = vsock->next_port;
        vsock->next_port = port == HELIX_VSOCK_LAST_PORT ? HELIX_VSOCK_FIRST_PORT : port + 1;
    } while (helix_vsock_find(vsock, guest_port, port));
    return port;
}

void helix_vsock_connect(HelixVsock *vsock, guint32 port, HelixVsockConnected connected, gpointer data)
{
    HelixVsockConnection *conn;

    if (helix_vsock_limit_reached(vsock, TRUE)) {
        connected(data, NULL, 0);
        return;
    }
    helix_vsock_enter(vsock, TRUE);
    conn = helix_vsock_connection_new(vsock, port, take_port(vsock, port), HELIX_VSOCK_REQUESTED);
    helix_vsock_limit_count(conn);
    conn->connected = connected;
    conn->connected_data = data;
    helix_vsock_connection_start_timer(conn, vsock->config.connect_timeout_ms);
    conn->pending = HELIX_VSOCK_SEND_REQUEST;
    helix_vsock_enqueue(conn);
    helix_vsock_leave(vsock);
}
