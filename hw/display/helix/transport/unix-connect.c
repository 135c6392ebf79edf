/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unix-connect.c - a channel to a UNIX socket that another program listens on. */
#include <errno.h>
#include <unistd.h>

#include "../protocol/error.h"
#include "unix-address.h"
#include "unix-socket.h"

HelixChannel *helix_socket_connect(GMainContext *context, const char *path, GError **error)
{
    g_autofree char *peer = g_strdup_printf("unix %s", path);
    struct sockaddr_un address;
    int fd;

    if (!helix_socket_address(&address, path, error)) {
        return NULL;
    }
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL, "cannot make a UNIX socket: %s", g_strerror(errno));
        return NULL;
    }
    if (!helix_socket_prepare(fd, error)) {
        close(fd);
        return NULL;
    }
    /* A UNIX socket connects at once or not at all: EAGAIN is a full backlog, and no event reports room in it. */
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_FOUND, "cannot connect to %s: %s", path, g_strerror(errno));
        close(fd);
        return NULL;
    }
    return helix_socket_new(context, fd, peer);
}
