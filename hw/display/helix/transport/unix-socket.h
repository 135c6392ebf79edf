/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unix-socket.h - a channel whose carrier is a UNIX stream socket. Main loop only. */
#ifndef HELIX_UNIX_SOCKET_H
#define HELIX_UNIX_SOCKET_H

#include "channel.h"

/*
 * A channel over the connected @fd, which helix_socket_prepare() has seen and the channel takes over. Attach a user
 * before the loop of @context (NULL: the default one) runs again; helix_channel_close() ends the channel in any case.
 * @peer: its name in the log.
 */
HelixChannel *helix_socket_new(GMainContext *context, int fd, const char *peer);

/*
 * Connect to the UNIX socket at @path as a client, without blocking: a connection refused or a full backlog (EAGAIN)
 * gives NULL and HELIX_ERROR at once.
 */
HelixChannel *helix_socket_connect(GMainContext *context, const char *path, GError **error);

#endif
