/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* framing.c - a connection's messages: written in order behind their fences, read whole; see connection-private.h. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "bytes.h"
#include "connection-private.h"

/* A fence that does not open in this time belongs to a GPU that hangs; the picture is sent as it is. */
#define FENCE_LIMIT_US (2 * G_TIME_SPAN_SECOND)
/* recv() calls in one turn: times are looked at and pictures written between turns, also where a host sends without
 * end. */
#define MAX_READS 256

ClientMessage *client_message_new(void)
{
    ClientMessage *outgoing = g_new0(ClientMessage, 1);

    outgoing->fence_fd = -1;
    outgoing->queued_us = g_get_monotonic_time();
    return outgoing;
}

void client_message_free(ClientMessage *outgoing)
{
    if (outgoing->release) {
        outgoing->release(outgoing->owner);
    }
    g_free(outgoing);
}

gsize client_message_size(const ClientMessage *outgoing)
{
    gsize size = outgoing->head_len;

    for (guint i = 0; i < outgoing->n_parts; i++) {
        size += outgoing->part[i].len;
    }
    return size;
}

void client_connection_clear(ClientConnection *self)
{
    GQueue queue = G_QUEUE_INIT;

    g_mutex_lock(&self->lock);
    queue = self->queue;
    g_queue_init(&self->queue);
    g_mutex_unlock(&self->lock);
    /* Outside the lock: that runs upstream's code. */
    g_queue_clear_full(&queue, (GDestroyNotify)client_message_free);
    g_clear_pointer(&self->current, client_message_free);
    g_clear_pointer(&self->payload, g_free);
    self->header_len = 0;
    self->fence = -1;
}

/* ---- writing ---- */

ClientMessage *client_connection_next(ClientConnection *self)
{
    ClientMessage *head;

    self->fence = -1;
    if (self->current) {
        return self->current;
    }
    g_mutex_lock(&self->lock);
    head = g_queue_peek_head(&self->queue);
    if (head && head->fence_fd >= 0 && head->fence_us == 0) {
        if (head->fence_wait_us == 0) {
            head->fence_wait_us = g_get_monotonic_time();
        }
        self->fence = head->fence_fd;
        self->fence_limit_us = head->fence_wait_us + FENCE_LIMIT_US;
        head = NULL;
    } else if (head) {
        g_queue_pop_head(&self->queue);
    }
    g_mutex_unlock(&self->lock);
    self->current = head;
    self->write_us = g_get_monotonic_time();
    self->written = 0;
    return head;
}

gboolean client_connection_has_unsent(ClientConnection *self)
{
    gboolean unsent;

    g_mutex_lock(&self->lock);
    unsent = self->current || !g_queue_is_empty(&self->queue);
    g_mutex_unlock(&self->lock);
    return unsent;
}

void client_connection_open_fence(ClientConnection *self, gboolean signalled)
{
    ClientMessage *head;

    g_mutex_lock(&self->lock);
    head = g_queue_peek_head(&self->queue);
    if (head && head->fence_fd >= 0 && head->fence_us == 0) {
        head->fence_us = g_get_monotonic_time();
    }
    g_mutex_unlock(&self->lock);
    if (!signalled) {
        self->events->fence_timed_out(self->user);
    }
}

static guint fill_iov(ClientConnection *self, struct iovec *iov)
{
    const ClientMessage *outgoing = self->current;
    gsize skip = self->written;
    guint n = 0;

    for (guint i = 0; i <= outgoing->n_parts; i++) {
        const guint8 *data = i == 0 ? outgoing->head : outgoing->part[i - 1].data;
        gsize len = i == 0 ? outgoing->head_len : outgoing->part[i - 1].len;

        if (skip >= len) {
            skip -= len;
            continue;
        }
        iov[n].iov_base = (void *)(data + skip);
        iov[n].iov_len = len - skip;
        skip = 0;
        n++;
    }
    return n;
}

gboolean client_connection_write(ClientConnection *self)
{
    while (client_connection_next(self)) {
        struct iovec iov[G_N_ELEMENTS(self->current->part) + 1];
        struct msghdr msg = { .msg_iov = iov, .msg_iovlen = fill_iov(self, iov) };
        gsize size = client_message_size(self->current);
        gssize n = sendmsg(self->fd, &msg, MSG_NOSIGNAL);

        if (n < 0) {
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        }
        self->written += (gsize)n;
        self->alive_us = g_get_monotonic_time();
        if (self->written == size) {
            ClientMessage *done = g_steal_pointer(&self->current);

            self->ping_us = done->urgent ? self->alive_us : self->ping_us;
            self->events->sent(self->user, done, size);
            client_message_free(done);
        }
    }
    return TRUE;
}

/* ---- reading ---- */

static GError *not_helix(ClientConnection *self, const char *what)
{
    self->gone = FALSE;
    return g_error_new(
        HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_NOT_A_HOST,
        "The peer on %s does not speak the frame protocol (%s). Check CID and port, or the path of the socket: "
        "the host's port is helix-vsock-port= of its virtio-gpu, 5000 unless set.",
        self->name, what);
}

static GError *begin_payload(ClientConnection *self)
{
    guint32 size = get_u32(self->header + HELIX_WIRE_HEADER_PAYLOAD);

    if (get_u32(self->header + HELIX_WIRE_HEADER_MAGIC) != HELIX_WIRE_MAGIC) {
        return not_helix(self, "wrong magic");
    }
    if (size > HELIX_MAX_RESPONSE_PAYLOAD) {
        return not_helix(self, "message of more than 16 MiB");
    }
    self->payload_size = size;
    self->payload_len = 0;
    self->payload = g_try_malloc(MAX(size, 1));
    if (!self->payload) {
        return g_error_new(HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_NO_MEMORY,
                           "No memory for an answer of %u bytes from the host.", size);
    }
    return NULL;
}

static void deliver(ClientConnection *self)
{
    GBytes *payload = g_bytes_new_take(g_steal_pointer(&self->payload), self->payload_size);

    self->header_len = 0;
    self->pinging = FALSE;
    self->ping_us = 0;
    self->events->message(self->user, self->header[HELIX_WIRE_HEADER_TYPE], self->header[HELIX_WIRE_HEADER_FLAGS],
                          get_u16(self->header + HELIX_WIRE_HEADER_SESSION), payload);
    g_bytes_unref(payload);
}

gboolean client_connection_read(ClientConnection *self, GError **error)
{
    for (guint reads = 0; reads < MAX_READS && !g_atomic_int_get(&self->quit); reads++) {
        gboolean in_header = self->payload == NULL;
        gpointer to = in_header ? self->header + self->header_len : self->payload + self->payload_len;
        gsize want = in_header ? sizeof(self->header) - self->header_len : self->payload_size - self->payload_len;
        gssize n = want == 0 ? 0 : recv(self->fd, to, want, 0);

        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
            return TRUE;
        }
        if (n < 0 || (n == 0 && want > 0)) {
            int code = n < 0 ? errno : 0;

            self->gone = TRUE;
            g_set_error(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_CLOSED,
                        "The host closed the connection on %s (%s). Was the VM's frame export stopped or restarted? "
                        "Connect again, or have the client reconnect (vsockenc: reconnect=true).",
                        self->name, code ? g_strerror(code) : "end of stream");
            return FALSE;
        }
        self->alive_us = g_get_monotonic_time();
        if (in_header) {
            self->read_us = self->header_len ? self->read_us : self->alive_us;
            self->header_len += (gsize)n;
            if (self->header_len == sizeof(self->header)) {
                GError *wrong = begin_payload(self);

                if (wrong) {
                    g_propagate_error(error, wrong);
                    return FALSE;
                }
            }
        } else {
            self->payload_len += (gsize)n;
        }
        if (self->payload && self->payload_len == self->payload_size) {
            deliver(self);
        }
    }
    return TRUE;
}
