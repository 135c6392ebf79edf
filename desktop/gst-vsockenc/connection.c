/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connection.c - a connection's thread, times and reconnecting; see connection.h. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include "address.h"
#include "connection-private.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* Silence after which a waiting client asks whether the host is there. */
#define PING_AFTER_US G_USEC_PER_SEC
/* Between tries to connect again: doubled from the first to the last. */
#define RETRY_FIRST_US (G_TIME_SPAN_SECOND / 10)
#define RETRY_LAST_US (2 * G_TIME_SPAN_SECOND)

static void wake(VsockConnection *self)
{
    guint64 one = 1;

    /* Fails only when the counter is full, and then the thread is awake anyway. */
    while (write(self->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

/* ---- the thread ---- */

static void send_ping(VsockConnection *self)
{
    VsockOutgoing *ping = vsock_outgoing_new();

    ping->head_len = vsock_wire_ping(ping->head, 0);
    ping->urgent = TRUE;
    self->ping_us = ping->queued_us;
    vsock_connection_send(self, ping);
}

/* Milliseconds until something is due, -1 for never. FALSE with @error: the host is gone. */
static gboolean check_time(VsockConnection *self, int *timeout, GError **error)
{
    gint64 now = g_get_monotonic_time();
    gint64 due = self->fence >= 0 ? self->fence_limit_us : G_MAXINT64;

    if (self->timeout_us > 0 && (self->connecting || self->events->waiting(self->user))) {
        gint64 ping_after = MIN(PING_AFTER_US, self->timeout_us);

        if (!self->connecting && self->ping_us == 0 && now - self->alive_us >= ping_after) {
            send_ping(self);
        }
        if (self->ping_us || self->connecting) {
            gint64 gone = MAX(self->alive_us, self->ping_us) + self->timeout_us;

            if (now >= gone) {
                self->gone = TRUE;
                g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ,
                            "The host on %s has not answered for %" G_GINT64_FORMAT " ms. Is the VM's frame export "
                            "hung, or is timeout= too short for this host?", self->name,
                            (now - MAX(self->alive_us, self->ping_us)) / 1000);
                return FALSE;
            }
            due = MIN(due, gone);
        } else {
            due = MIN(due, self->alive_us + ping_after);
        }
    } else {
        /* Silence counts from when somebody waits. */
        self->ping_us = 0;
        self->alive_us = now;
    }
    *timeout = due == G_MAXINT64 ? -1 : (int)CLAMP((due - now) / 1000 + 1, 0, G_MAXINT);
    return TRUE;
}

static void is_connected(VsockConnection *self)
{
    self->connecting = FALSE;
    self->alive_us = g_get_monotonic_time();
    self->ping_us = 0;
    if (self->retry_after_us) {
        self->retry_after_us = 0;
        self->events->connected(self->user);
    }
}

static gboolean finish_connect(VsockConnection *self, GError **error)
{
    int code = 0;
    socklen_t len = sizeof(code);

    if (getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0) {
        code = errno;
    }
    if (code) {
        self->gone = vsock_address_may_come(code);
        g_propagate_error(error, vsock_address_error(self->address.socket_path != NULL, self->name, code));
        return FALSE;
    }
    is_connected(self);
    return TRUE;
}

static gboolean serve_socket(VsockConnection *self, short revents, GError **error)
{
    if (self->connecting) {
        return !(revents & (POLLOUT | POLLERR | POLLHUP)) || finish_connect(self, error);
    }
    /* Read first: a host that says why before it closes is heard, even if writing fails already. */
    if (revents & (POLLIN | POLLHUP | POLLERR) && !vsock_connection_read(self, error)) {
        return FALSE;
    }
    if (!vsock_connection_write(self)) {
        int code = errno;

        self->gone = TRUE;
        if (vsock_connection_read(self, error)) {
            g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE, "Writing to the host on %s failed: %s.",
                        self->name, g_strerror(code));
        }
        return FALSE;
    }
    return TRUE;
}

static gboolean turn(VsockConnection *self, GError **error)
{
    struct pollfd fds[3] = { { .fd = self->wake_fd, .events = POLLIN }, { .fd = self->fd, .events = POLLIN } };
    int timeout;
    guint64 count;

    if (self->connecting) {
        fds[1].events = POLLOUT;
    } else if (vsock_connection_next(self)) {
        fds[1].events |= POLLOUT;
    }
    if (!check_time(self, &timeout, error)) {
        return FALSE;
    }
    fds[2].fd = self->fence;
    fds[2].events = POLLIN;
    if (poll(fds, G_N_ELEMENTS(fds), timeout) < 0 && errno != EINTR) {
        g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_FAILED, "poll: %s", g_strerror(errno));
        return FALSE;
    }
    if (fds[0].revents && read(self->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN) {
        GST_DEBUG("wake-up: %s", g_strerror(errno));
    }
    if (self->fence >= 0 && (fds[2].revents || g_get_monotonic_time() >= self->fence_limit_us)) {
        vsock_connection_open_fence(self, fds[2].revents != 0);
    }
    return serve_socket(self, fds[1].revents, error);
}

/* ---- connecting again ---- */

static gboolean open_socket(VsockConnection *self, GError **error)
{
    int code = 0;

    self->fd = vsock_address_connect(&self->address, self->name, &self->connecting, &code, error);
    self->gone = self->fd < 0 && vsock_address_may_come(code);
    return self->fd >= 0;
}

/* The host is gone: say so (@error is taken over), and try again later. */
static void lose(VsockConnection *self, GError *error)
{
    self->gone = FALSE;
    if (self->fd >= 0) {
        close(self->fd);
        self->fd = -1;
    }
    self->events->lost(self->user, error);
    vsock_connection_clear(self);
    self->retry_after_us = CLAMP(2 * self->retry_after_us, RETRY_FIRST_US, RETRY_LAST_US);
    self->retry_us = g_get_monotonic_time() + self->retry_after_us;
}

/* Sleep until it is time, and try. */
static gboolean retry(VsockConnection *self, GError **error)
{
    struct pollfd wake_up = { .fd = self->wake_fd, .events = POLLIN };
    gint64 left = self->retry_us - g_get_monotonic_time();
    guint64 count;

    if (left > 0) {
        if (poll(&wake_up, 1, (int)(left / 1000) + 1) > 0 && read(self->wake_fd, &count, sizeof(count)) < 0) {
            GST_DEBUG("wake-up: %s", g_strerror(errno));
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
    VsockConnection *self = data;
    GError *error = NULL;

    self->alive_us = g_get_monotonic_time();
    while (!g_atomic_int_get(&self->quit)) {
        if (self->fd >= 0 ? turn(self, &error) : retry(self, &error)) {
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

VsockConnection *vsock_connection_new(const VsockAddress *address, guint timeout_ms, gboolean reconnect,
                                      const VsockConnectionEvents *events, gpointer user, GError **error)
{
    VsockConnection *self = g_new0(VsockConnection, 1);
    GError *why = NULL;

    g_mutex_init(&self->lock);
    g_queue_init(&self->queue);
    self->events = events;
    self->user = user;
    self->address = *address;
    self->address.socket_path = self->socket_path = g_strdup(address->socket_path);
    self->reconnect = reconnect;
    self->fence = -1;
    self->timeout_us = (gint64)timeout_ms * 1000;
    self->name = vsock_address_name(address);
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->wake_fd < 0) {
        self->fd = -1;
        g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_FAILED, "eventfd: %s", g_strerror(errno));
        vsock_connection_free(self);
        return NULL;
    }
    if (!open_socket(self, &why)) {
        if (!reconnect || !self->gone) {
            g_propagate_error(error, why);
            vsock_connection_free(self);
            return NULL;
        }
        lose(self, why);
    }
    self->thread = g_thread_new("vsockenc-io", connection_thread, self);
    return self;
}

void vsock_connection_send(VsockConnection *self, VsockOutgoing *outgoing)
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

void vsock_connection_free(VsockConnection *self)
{
    if (self->thread) {
        g_atomic_int_set(&self->quit, 1);
        wake(self);
        g_thread_join(self->thread);
    }
    vsock_connection_clear(self);
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
