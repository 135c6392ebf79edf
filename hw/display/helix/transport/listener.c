/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listener.c - a UNIX socket that only this user can reach.
 *
 * The folder and those above it are checked first: in one that others may write, the socket could be replaced. The
 * path's lock says that no other program listens there. bind() makes the file with mode 0600 and no peer can connect
 * before listen().
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>
#include <glib-unix.h>

#include "../protocol/error.h"
#include "../loop/loop-budget.h"
#include "listener.h"
#include "socket-lock.h"
#include "trusted-path.h"
#include "unix-address.h"
#include "unix-socket.h"

#define BACKLOG 128     /* a non-blocking connect() gets EAGAIN beyond it */
#define RETRY_SECONDS 1 /* after running out of descriptors: the event would come again at once */

struct HelixListener {
    GMainContext *context;
    int fd;
    char *path;
    HelixSocketLock *lock;
    GSource *source; /* NULL: not ready for another connection */
    HelixChannelAccept accept;
    gboolean (*ready)(gpointer data); /* may be NULL */
    gpointer data;
};

static gboolean fail(const HelixListener *listener, GError **error)
{
    g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID, "cannot listen on %s: %s", listener->path, g_strerror(errno));
    return FALSE;
}

/* After a failure helix_listener_free() removes what was created. */
static gboolean listen_at(HelixListener *listener, const struct sockaddr_un *address, GError **error)
{
    listener->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener->fd < 0) {
        return fail(listener, error);
    }
    if (!helix_socket_prepare(listener->fd, error)) {
        return FALSE;
    }
    fchmod(listener->fd, S_IRUSR | S_IWUSR); /* Linux: the mode the file is made with */
    if (bind(listener->fd, (const struct sockaddr *)address, sizeof *address) < 0) {
        return fail(listener, error);
    }
    if (!helix_socket_lock_made(listener->lock, error)) {
        return FALSE;
    }
    if (chmod(listener->path, S_IRUSR | S_IWUSR) < 0 || listen(listener->fd, BACKLOG) < 0) {
        return fail(listener, error);
    }
    return TRUE;
}

/* The uid and pid of the peer; FALSE if the system does not tell. */
static gboolean peer_of(int fd, uid_t *uid, long *pid)
{
#ifdef SO_PEERCRED
    struct ucred peer;
    socklen_t len = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
        return FALSE;
    }
    *uid = peer.uid;
    *pid = peer.pid;
    return TRUE;
#else
    gid_t gid;

    *pid = 0;
    return getpeereid(fd, uid, &gid) == 0;
#endif
}

static void accept_one(HelixListener *listener, int fd)
{
    g_autofree char *peer = NULL;
    HelixChannel *channel;
    uid_t uid;
    long pid;

    if (!peer_of(fd, &uid, &pid) || uid != geteuid() || !helix_socket_prepare(fd, NULL)) {
        close(fd);
        return;
    }
    peer = pid ? g_strdup_printf("unix pid %ld", pid) : g_strdup("unix");
    channel = helix_socket_new(listener->context, fd, peer);
    if (!listener->accept(channel, listener->data)) {
        helix_channel_close(channel, TRUE);
    }
}

static void watch(HelixListener *listener);

static gboolean retry(gpointer data)
{
    HelixListener *listener = data;

    g_clear_pointer(&listener->source, g_source_unref);
    watch(listener);
    return G_SOURCE_REMOVE;
}

static gboolean on_connection(gint fd, GIOCondition condition, gpointer data)
{
    HelixListener *listener = data;
    HELIX_LOOP_SCOPE;
    int accepted;

    if (listener->ready && !listener->ready(listener->data)) {
        g_source_destroy(listener->source);
        g_clear_pointer(&listener->source, g_source_unref);
        return G_SOURCE_REMOVE;
    }
    accepted = accept(fd, NULL, NULL);
    if (accepted >= 0) {
        accept_one(listener, accepted);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        g_source_destroy(listener->source);
        g_source_unref(listener->source);
        listener->source = g_timeout_source_new_seconds(RETRY_SECONDS);
        g_source_set_callback(listener->source, retry, listener, NULL);
        g_source_attach(listener->source, listener->context);
    }
    return G_SOURCE_CONTINUE;
}

static void watch(HelixListener *listener)
{
    listener->source = g_unix_fd_source_new(listener->fd, G_IO_IN);
    g_source_set_callback(listener->source, G_SOURCE_FUNC(on_connection), listener, NULL);
    g_source_attach(listener->source, listener->context);
}

void helix_listener_set_ready(HelixListener *listener, gboolean (*ready)(gpointer data))
{
    listener->ready = ready;
}

void helix_listener_resume(HelixListener *listener)
{
    if (!listener->source) {
        watch(listener);
    }
}

HelixListener *helix_listener_new(GMainContext *context, const char *address, HelixChannelAccept accept_cb,
                                  gpointer data, GError **error)
{
    g_autofree char *folder = NULL;
    struct sockaddr_un unix_address;
    HelixListener *listener;
    HelixSocketLock *lock;
    const char *path;

    if (!g_str_has_prefix(address, "unix:")) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID, "\"%s\" is not an address to listen on: use unix:PATH",
                    address);
        return NULL;
    }
    path = address + strlen("unix:");
    folder = g_path_get_dirname(path);
    if (!helix_socket_address(&unix_address, path, error) || !helix_trusted_folder(folder, error)) {
        return NULL;
    }
    lock = helix_socket_lock_new(path, error);
    if (!lock) {
        return NULL;
    }
    listener = g_new0(HelixListener, 1);
    listener->context = context ? g_main_context_ref(context) : NULL;
    listener->path = g_strdup(path);
    listener->lock = lock;
    listener->accept = accept_cb;
    listener->data = data;
    if (!listen_at(listener, &unix_address, error)) {
        helix_listener_free(listener);
        return NULL;
    }
    watch(listener);
    return listener;
}

void helix_listener_free(HelixListener *listener)
{
    if (!listener) {
        return;
    }
    if (listener->source) {
        g_source_destroy(listener->source);
        g_source_unref(listener->source);
    }
    if (listener->fd >= 0) {
        close(listener->fd);
    }
    helix_socket_lock_free(listener->lock);
    g_clear_pointer(&listener->context, g_main_context_unref);
    g_free(listener->path);
    g_free(listener);
}
