/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connection-limit.c - how many connections a guest may have, and those that are reserved for some ports.
 */
#include "vsock-private.h"

gboolean helix_vsock_limit_reached(HelixVsock *vsock, gboolean common)
{
    return g_hash_table_size(vsock->all) >= vsock->config.max_connections ||
        (common && vsock->n_common >= vsock->config.max_connections - vsock->config.reserved);
}

/* @conn takes one of the places that are not reserved. */
void helix_vsock_limit_count(HelixVsockConnection *conn)
{
    conn->common = TRUE;
    conn->vsock->n_common++;
}
