/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ready.c - see ready.h. */
#include <poll.h>
#include <unistd.h>
#include "../client/helix-client.h"
#include "ready.h"

static struct {
    GMutex lock;
    pid_t process; /* that made them: a child of fork() does not use its parent's */
    char *socket;  /* their address */
    guint cid, port;
    int fd[HVA_MAX_CONNECTIONS];
    guint n;
} ready;

/* All with the lock. */

static gboolean are_to(const HvaSettings *settings)
{
    return ready.process == getpid() && g_strcmp0(ready.socket, settings->socket) == 0 && ready.cid == settings->cid &&
        ready.port == settings->port;
}

/* Or on the way there. */
static gboolean is_connected(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLRDHUP };

    return poll(&poll_fd, 1, 0) == 0;
}

/* Those are closed that the host has closed, or with @all all. */
static void drop(gboolean all)
{
    guint kept = 0;

    for (guint i = 0; i < ready.n; i++) {
        if (!all && is_connected(ready.fd[i])) {
            ready.fd[kept++] = ready.fd[i];
        } else {
            close(ready.fd[i]);
        }
    }
    ready.n = kept;
}

static void set_address(const HvaSettings *settings)
{
    ready.process = getpid();
    g_free(ready.socket);
    ready.socket = g_strdup(settings->socket);
    ready.cid = settings->cid;
    ready.port = settings->port;
}

void hva_ready_fill(const HvaSettings *settings)
{
    HelixClient *client = helix_client_new();
    int fd = 0;

    helix_client_set_vsock_address(client, settings->cid, settings->port);
    helix_client_set_socket_path(client, settings->socket);
    g_mutex_lock(&ready.lock);
    drop(!are_to(settings));
    set_address(settings);
    while (ready.n < settings->connections && (fd = helix_client_open_socket(client, NULL)) >= 0) {
        ready.fd[ready.n++] = fd;
    }
    g_mutex_unlock(&ready.lock);
    helix_client_unref(client);
}

int hva_ready_take(const HvaSettings *settings)
{
    int fd = -1;

    g_mutex_lock(&ready.lock);
    if (are_to(settings)) {
        drop(FALSE);
        fd = ready.n ? ready.fd[--ready.n] : -1;
    }
    g_mutex_unlock(&ready.lock);
    return fd;
}
