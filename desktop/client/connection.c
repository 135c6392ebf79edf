/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connection.c - a connection's thread, times and reconnecting; see connection.h. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <glib-unix.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include "connect.h"
#include "connection-private.h"

/* Silence after which a waiting client asks whether the host is there. */
#define PING_AFTER_US G_USEC_PER_SEC
/* A host that answers pings may take that many timeouts for an answer: its encoder may be slow, and shared. */
#define ANSWER_TIMEOUTS 6
/* Bytes a second that a host takes at least of a message, beside the timeout: pictures of 142 MB may go over the
 * connection. */
#define SLOWEST_WRITE ((gint64)1024 * 1024)
/* Between tries to connect again: doubled from the first to the last. */
#define RETRY_FIRST_US (G_TIME_SPAN_SECOND / 10)
#define RETRY_LAST_US (2 * G_TIME_SPAN_SECOND)

static void wake(ClientConnection *self)
{
    guint64 one = 1;

    /* Fails only when the counter is full, and then the thread is awake anyway. */
    while (write(self->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

static void reset_wake(ClientConnection *self)
{
    guint64 count;

    while (read(self->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR) {
    }
}

/* ---- the thread ---- */

static void send_ping(ClientConnection *self)
{
    ClientMessage *ping = client_message_new();

    ping->head_len = client_wire_ping(ping->head, 0);
    ping->urgent = TRUE;
    self->pinging = TRUE;
    self->ping_us = 0;
    client_connection_send(self, ping);
}

/* The time by which something has to be done, and what is said if it is not. */
typedef struct Deadline {
    gint64 since, at;
    const char *text; /* "The host on ADDRESS ... for N ms." */
} Deadline;

static void hasten(Deadline *deadline, gint64 since, gint64 allowed, const char *text)
{
    if (since + allowed < deadline->at) {
        *deadline = (Deadline){ since, since + allowed, text };
    }
}

/*
 * Bytes alone are no progress: a host may feed them by drops. A message has to be whole in time, a PING answered, and
 * the oldest request, however many PINGs are.
 */
static Deadline find_deadline(ClientConnection *self, gint64 waiting_since)
{
    Deadline deadline = { 0, G_MAXINT64, NULL };
    gint64 timeout = self->timeout_us;

    if (self->connecting) {
        hasten(&deadline, self->alive_us, timeout, "has not answered");
        return deadline;
    }
    if (self->ping_us) {
        hasten(&deadline, self->ping_us, timeout, "has not answered");
    }
    if (self->header_len) {
        hasten(&deadline, MAX(self->read_us, waiting_since), timeout, "has not finished a message");
    }
    if (self->current) {
        gint64 allowed = (gint64)client_message_size(self->current) * G_USEC_PER_SEC / SLOWEST_WRITE;

        hasten(&deadline, self->write_us, timeout + allowed, "has not taken the whole of a message");
    }
    if (!client_connection_has_unsent(self)) {
        hasten(&deadline, waiting_since, ANSWER_TIMEOUTS * timeout, "answers pings, but has not answered a request");
    }
    return deadline;
}

/* Milliseconds until something is due, -1 for never. FALSE with @error: the host is gone. */
static gboolean check_time(ClientConnection *self, int *timeout, GError **error)
{
    gint64 now = g_get_monotonic_time(), due = self->fence >= 0 ? self->fence_limit_us : G_MAXINT64;
    gint64 waiting_since = self->connecting ? 0 : self->events->waiting(self->user);

    if (self->timeout_us > 0 && (self->connecting || waiting_since)) {
        gint64 ping_at = self->alive_us + MIN(PING_AFTER_US, self->timeout_us);
        Deadline deadline;

        if (!self->connecting && !self->pinging && now >= ping_at) {
            send_ping(self);
        }
        deadline = find_deadline(self, waiting_since);
        if (now >= deadline.at) {
            self->gone = TRUE;
            g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_TIMEOUT,
                        "The host on %s %s for %" G_GINT64_FORMAT
                        " ms. Is the VM's frame export hung, or is the timeout too short for "
                        "this host?",
                        self->name, deadline.text, (now - deadline.since) / 1000);
            return FALSE;
        }
        due = MIN(due, deadline.at);
        due = self->connecting || self->pinging ? due : MIN(due, ping_at);
    } else {
        /* Silence counts from when somebody waits. */
        self->pinging = FALSE;
        self->ping_us = 0;
        self->alive_us = now;
    }
    *timeout = due == G_MAXINT64 ? -1 : (int)CLAMP((due - now) / 1000 + 1, 0, G_MAXINT);
    return TRUE;
}

static void is_connected(ClientConnection *self)
{
    self->connecting = FALSE;
    self->alive_us = g_get_monotonic_time();
    self->pinging = FALSE;
    self->ping_us = 0;
    if (self->lost) {
        self->lost = FALSE;
        self->events->connected(self->user);
    }
}

static gboolean finish_connect(ClientConnection *self, GError **error)
{
    int code = 0;
    socklen_t len = sizeof(code);

    if (getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0) {
        code = errno;
    }
    if (code) {
        self->gone = client_connect_is_transient(code);
        g_propagate_error(error, client_connect_error(&self->address, self->name, code));
        return FALSE;
    }
    is_connected(self);
    return TRUE;
}

static gboolean serve_socket(ClientConnection *self, short revents, GError **error)
{
    if (self->connecting) {
        return !(revents & (POLLOUT | POLLERR | POLLHUP)) || finish_connect(self, error);
    }
    /* Read first: a host that says why before it closes is heard, even if writing fails already. */
    if (revents & (POLLIN | POLLHUP | POLLERR) && !client_connection_read(self, error)) {
        return FALSE;
    }
    if (!client_connection_write(self)) {
        int code = errno;

        self->gone = TRUE;
        if (client_connection_read(self, error)) {
            g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_WRITE, "Writing to the host on %s failed: %s.",
                        self->name, g_strerror(code));
        }
        return FALSE;
    }
    return TRUE;
}

static gboolean poll_once(ClientConnection *self, GError **error)
{
    struct pollfd fds[3] = { { .fd = self->wake_fd, .events = POLLIN }, { .fd = self->fd, .events = POLLIN } };
    int timeout;

    if (self->connecting) {
        fds[1].events = POLLOUT;
    } else if (client_connection_next(self)) {
        fds[1].events |= POLLOUT;
    }
    if (!check_time(self, &timeout, error)) {
        return FALSE;
    }
    fds[2].fd = self->fence;
    fds[2].events = POLLIN;
    if (poll(fds, G_N_ELEMENTS(fds), timeout) < 0 && errno != EINTR) {
        g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_FAILED, "poll: %s", g_strerror(errno));
        return FALSE;
    }
    if (fds[0].revents) {
        reset_wake(self);
    }
    if (self->fence >= 0 && (fds[2].revents || g_get_monotonic_time() >= self->fence_limit_us)) {
        client_connection_open_fence(self, fds[2].revents != 0);
    }
    return serve_socket(self, fds[1].revents, error);
}

/* ---- connecting again ---- */

static gboolean open_socket(ClientConnection *self, GError **error)
{
    int code = 0;

    self->fd = client_connect(&self->address, self->name, &self->connecting, &code, error);
    self->gone = self->fd < 0 && client_connect_is_transient(code);
    return self->fd >= 0;
}

/* Whether it is connected shows when it can be written. */
static gboolean use_socket(ClientConnection *self, GError **error)
{
    self->connecting = TRUE;
    if (g_unix_set_fd_nonblocking(self->fd, TRUE, NULL)) {
        return TRUE;
    }
    g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_ADDRESS, "Descriptor %d cannot be a socket: %s.",
                self->fd, g_strerror(errno));
    return FALSE;
}

/* The host is gone: say so (@error is taken over), and try again later. */
static void lose(ClientConnection *self, GError *error)
{
    self->gone = FALSE;
    self->lost = TRUE;
    if (self->fd >= 0) {
        close(self->fd);
        self->fd = -1;
    }
    self->events->lost(self->user, error);
    client_connection_clear(self);
    self->retry_after_us = CLAMP(2 * self->retry_after_us, RETRY_FIRST_US, RETRY_LAST_US);
    self->retry_us = g_get_monotonic_time() + self->retry_after_us;
}

/* Sleep until it is time, and try. */
static gboolean retry(ClientConnection *self, GError **error)
{
    struct pollfd wake_up = { .fd = self->wake_fd, .events = POLLIN };
    gint64 left = self->retry_us - g_get_monotonic_time();

    if (left > 0) {
        if (poll(&wake_up, 1, (int)(left / 1000) + 1) > 0) {
            reset_wake(self);
        }
        return TRUE;
    }
    if (!open_socket(self, error)) {
        return FALSE;
    }
    self->alive_us = g_get_monotonic_time();
    if (!self->connecting) {
        is_connected(self);
    }
    return TRUE;
}

static gpointer connection_thread(gpointer data)
{
    ClientConnection *self = data;
    GError *error = NULL;

    self->alive_us = g_get_monotonic_time();
    while (!g_atomic_int_get(&self->quit)) {
        if (self->fd >= 0 ? poll_once(self, &error) : retry(self, &error)) {
            continue;
        }
        if (!self->reconnect || !self->gone) {
            self->events->failed(self->user, error);
            break;
        }
        lose(self, g_steal_pointer(&error));
    }
    return NULL;
}

/* ---- public ---- */

static ClientConnection *connection_new(const ClientAddress *address, guint timeout_ms, gboolean reconnect,
                                        const ClientConnectionEvents *events, gpointer user)
{
    ClientConnection *self = g_new0(ClientConnection, 1);

    g_mutex_init(&self->lock);
    g_queue_init(&self->queue);
    self->events = events;
    self->user = user;
    self->address = *address;
    self->address.socket_path = self->socket_path = g_strdup(address->socket_path);
    self->reconnect = reconnect;
    self->fd = self->fence = -1;
    self->timeout_us = (gint64)timeout_ms * 1000;
    self->name = client_address_name(address);
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return self;
}

gboolean client_connection_open(ClientConnection **connection, const ClientAddress *address, int fd, guint timeout_ms,
                                gboolean reconnect, const ClientConnectionEvents *events, gpointer user, GError **error)
{
    ClientConnection *self = *connection = connection_new(address, timeout_ms, reconnect, events, user);
    GError *why = NULL;

    self->fd = fd;

    if (self->wake_fd < 0) {
        g_set_error(&why, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_FAILED, "eventfd: %s", g_strerror(errno));
    } else if (!(fd < 0 ? open_socket(self, &why) : use_socket(self, &why)) && reconnect && self->gone) {
        lose(self, g_steal_pointer(&why));
    }
    if (why) {
        g_propagate_error(error, why);
        g_clear_pointer(connection, client_connection_free);
        return FALSE;
    }
    self->thread = g_thread_new("helix-client-io", connection_thread, self);
    return TRUE;
}

void client_connection_send(ClientConnection *self, ClientMessage *outgoing)
{
    g_mutex_lock(&self->lock);
    if (outgoing->urgent) {
        g_queue_push_head(&self->queue, outgoing);
    } else {
        g_queue_push_tail(&self->queue, outgoing);
    }
    g_mutex_unlock(&self->lock);
    wake(self);
}

void client_connection_reset_backoff(ClientConnection *self)
{
    self->retry_after_us = 0;
}

void client_connection_free(ClientConnection *self)
{
    if (self->thread) {
        g_atomic_int_set(&self->quit, 1);
        wake(self);
        g_thread_join(self->thread);
    }
    client_connection_clear(self);
    if (self->fd >= 0) {
        close(self->fd);
    }
    if (self->wake_fd >= 0) {
        close(self->wake_fd);
    }
    g_free(self->socket_path);
    g_free(self->name);
    g_mutex_clear(&self->lock);
    g_free(self);
}
