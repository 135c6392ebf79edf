/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unix-address.h - what everything that opens a UNIX socket needs: its address, and the flags of its descriptor. */
#ifndef HELIX_UNIX_ADDRESS_H
#define HELIX_UNIX_ADDRESS_H

#include <sys/socket.h>
#include <sys/un.h>
#include <glib.h>

/* Makes @fd non-blocking and close-on-exec, without SIGPIPE where the socket decides that. FALSE with
 * HELIX_CODE_INTERNAL. */
gboolean helix_socket_prepare(int fd, GError **error);
/* FALSE with HELIX_CODE_INVALID and the length of @path if it does not fit. */
gboolean helix_socket_address(struct sockaddr_un *address, const char *path, GError **error);

#endif
