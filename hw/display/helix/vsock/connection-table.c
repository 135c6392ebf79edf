/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connection-table.c - the connections by their two ports.
 */
#include "vsock-private.h"

void helix_vsock_unlist(HelixVsockConnection *conn)
{
    if (g_hash_table_lookup(conn->vsock->by_key, &conn->key) == conn) {
        g_hash_table_remove(conn->vsock->by_key, &conn->key);
    }
}

void helix_vsock_remove(HelixVsockConnection *conn)
{
    helix_vsock_unqueue(conn);
    helix_vsock_unlist(conn);
    if (g_hash_table_remove(conn->vsock->all, conn)) {
        conn->vsock->n_common -= conn->common;
        helix_vsock_connection_unref(conn);
    }
}

HelixVsockConnection *helix_vsock_find(HelixVsock *vsock, guint32 guest_port, guint32 host_port)
{
    guint64 key = (guint64)host_port << 32 | guest_port;

    return g_hash_table_lookup(vsock->by_key, &key);
}

guint helix_vsock_n_connections(HelixVsock *vsock)
{
    return g_hash_table_size(vsock->all);
}
