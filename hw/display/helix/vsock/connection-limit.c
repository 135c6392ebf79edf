/* SPDX-License-Identifier: GPL-2.0-or-later */
/* connection-limit.c - the limit of vsock connections, and the places of it reserved for some host ports. */
#include "vsock-private.h"

gboolean helix_vsock_limit_reached(HelixVsock *vsock, gboolean common)
{
    return g_hash_table_size(vsock->all) >= vsock->config.max_connections ||
        (common && vsock->n_common >= vsock->config.max_connections - vsock->config.reserved);
}

void helix_vsock_limit_count(HelixVsockConnection *conn)
{
    conn->common = TRUE;
    conn->vsock->n_common++;
}
