/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* address.h - where the host is, how to open it, and what to tell a user when that fails. */
#ifndef HELIX_CLIENT_ADDRESS_H
#define HELIX_CLIENT_ADDRESS_H

#include "helix-client.h"

typedef struct ClientAddress {
    const char *socket_path; /* UNIX socket; NULL: vsock */
    guint cid, port;
} ClientAddress;

/* "vsock CID 2 port 5000" or "UNIX socket /path"; freed by the caller. */
char *client_address_name(const ClientAddress *address);
/* A non-blocking socket, connected or (@connecting set) about to be; -1 with HELIX_CLIENT_ERROR and the errno in @code.
 */
int client_address_connect(const ClientAddress *address, const char *name, gboolean *connecting, int *code,
                           GError **error);
/* Is connect()'s errno @code one that may be gone at the next try? */
gboolean client_address_may_come(int code);
/* What connect()'s errno @code means here and what to do about it, as HELIX_CLIENT_ERROR. */
GError *client_address_error(const ClientAddress *address, const char *name, int code);

#endif
