/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unix-socket.h - a channel whose carrier is a stream socket, and what listener and client share.
 * helix_socket_connect() is in host.h.
 */
#ifndef HELIX_UNIX_SOCKET_H
#define HELIX_UNIX_SOCKET_H

#include <sys/un.h>

#include "../stream/host.h"

/* Non-blocking, closed on exec, no SIGPIPE where that is the socket's business. */
gboolean helix_socket_prepare(int fd, GError **error);
/* FALSE with HELIX_CODE_INVALID and its length if @path does not fit. */
gboolean helix_socket_address(struct sockaddr_un *address, const char *path, GError **error);
/*
 * A channel over the prepared and connected @fd, which it takes over. Attach before the loop of @context (NULL: the
 * default one) runs again; helix_channel_close() ends it in any case.
 */
HelixChannel *helix_socket_new(GMainContext *context, int fd, const char *peer);

#endif
