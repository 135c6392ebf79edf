/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connect.h - the host's address, connecting to it, and the advice in the error when that fails. */
#ifndef HELIX_CLIENT_CONNECT_H
#define HELIX_CLIENT_CONNECT_H

#include "helix-client.h"

typedef struct ClientAddress {
    const char *socket_path; /* UNIX socket; NULL: vsock */
    guint cid, port;
} ClientAddress;

/* "vsock CID 2 port 5000" or "UNIX socket /path"; freed by the caller. */
char *client_address_name(const ClientAddress *address);
/* A non-blocking socket, connected or (@connecting set) about to be; -1 with HELIX_CLIENT_ERROR and the errno in @code.
 */
int client_connect(const ClientAddress *address, const char *name, gboolean *connecting, int *code, GError **error);
/* Whether connect()'s errno @code is worth another try. */
gboolean client_connect_is_transient(int code);
/* What connect()'s errno @code means here and what to do about it, as HELIX_CLIENT_ERROR. */
GError *client_connect_error(const ClientAddress *address, const char *name, int code);

#endif
