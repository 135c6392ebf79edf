/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unix-address.c - the address of a UNIX socket, and the flags of its descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "../protocol/error.h"
#include "unix-address.h"

gboolean helix_socket_prepare(int fd, GError **error)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL, "cannot make a socket non-blocking: %s",
                    g_strerror(errno));
        return FALSE;
    }
#ifdef SO_NOSIGPIPE
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &(int){ 1 }, sizeof(int));
#endif
    return TRUE;
}

gboolean helix_socket_address(struct sockaddr_un *address, const char *path, GError **error)
{
    size_t len = strlen(path);

    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (len == 0 || len >= sizeof address->sun_path) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID,
                    "the socket path \"%s\" has %zu bytes: 1 to %zu fit a UNIX socket's "
                    "address",
                    path, len, sizeof address->sun_path - 1);
        return FALSE;
    }
    memcpy(address->sun_path, path, len);
    return TRUE;
}
