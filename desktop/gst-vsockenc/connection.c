/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connection.c - see connection.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <gst/gst.h>
#include "address.h"
#include "bytes.h"
#include "connection.h"

GST_DEBUG_CATEGORY_EXTERN(vsockenc_debug);
#define GST_CAT_DEFAULT vsockenc_debug

/* A fence that does not open in this time belongs to a GPU that hangs; the picture is sent as it is. */
#define FENCE_LIMIT_US (2 * G_USEC_PER_SEC)
/* Silence after which a waiting client asks whether the host is there. */
#define PING_AFTER_US G_USEC_PER_SEC

struct VsockConnection {
    const VsockConnectionEvents *events;
    gpointer user;
    char *name;                 /* for messages: "vsock CID 2 port 5000" */
    gboolean is_unix;
    gint64 timeout_us;
    GThread *thread;
    int fd, wake_fd;
    gint quit;                  /* atomic */

    GMutex lock;                /* queue only */
    GQueue queue;               /* VsockOutgoing */

    /* The connection's thread only. */
    gboolean connecting;
    VsockOutgoing *current;     /* being written */
    gsize written;              /* of current */
    int fence;                  /* what the next message waits for, or -1; */
    gint64 fence_limit_us;      /* and until when */
    guint8 header[HELIX_WIRE_HEADER_SIZE];
    gsize header_len;
    guint8 *payload;
    gsize payload_len, payload_size;
    gint64 alive_us;            /* last byte read or written */
    gint64 ping_us;             /* PING without an answer since; 0: none */
};

VsockOutgoing *vsock_outgoing_new(void)
{
    VsockOutgoing *outgoing = g_new0(VsockOutgoing, 1);

    outgoing->fence_fd = -1;
    outgoing->queued_us = g_get_monotonic_time();
    return outgoing;
}

static void outgoing_free(VsockOutgoing *outgoing)
{
    if (outgoing->release) {
        outgoing->release(outgoing->owner);
    }
    g_free(outgoing);
}

static gsize outgoing_size(const VsockOutgoing *outgoing)
{
    gsize size = outgoing->head_len;

    for (guint i = 0; i < outgoing->n_parts; i++) {
        size += outgoing->part[i].len;
    }
    return size;
}

static void wake(VsockConnection *self)
{
    guint64 one = 1;

    /* Fails only when the counter is full, and then the thread is awake anyway. */
    while (write(self->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

/* ---- writing ---- */

/* Is the next message free to go? If not for its fence, that goes to self->fence. */
static VsockOutgoing *next_outgoing(VsockConnection *self)
{
    VsockOutgoing *head;

    self->fence = -1;
    if (self->current) {
        return self->current;
    }
    g_mutex_lock(&self->lock);
    head = g_queue_peek_head(&self->queue);
    if (head && head->fence_fd >= 0 && head->fence_us == 0) {
        if (head->gated_us == 0) {
            head->gated_us = g_get_monotonic_time();
        }
        self->fence = head->fence_fd;
        self->fence_limit_us = head->gated_us + FENCE_LIMIT_US;
        head = NULL;
    } else if (head) {
        g_queue_pop_head(&self->queue);
    }
    g_mutex_unlock(&self->lock);
    self->current = head;
    self->written = 0;
    return head;
}

static void open_fence(VsockConnection *self, gboolean signalled)
{
    VsockOutgoing *head;

    g_mutex_lock(&self->lock);
    head = g_queue_peek_head(&self->queue);
    if (head && head->fence_fd >= 0 && head->fence_us == 0) {
        head->fence_us = g_get_monotonic_time();
    }
    g_mutex_unlock(&self->lock);
    if (!signalled) {
        GST_WARNING("a picture's write fence did not open within 2 s; sent unfinished");
    }
}

static guint fill_iov(VsockConnection *self, struct iovec *iov)
{
    const VsockOutgoing *outgoing = self->current;
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

/* Writes until the socket takes no more. FALSE with errno. */
static gboolean write_some(VsockConnection *self)
{
    while (next_outgoing(self)) {
        struct iovec iov[G_N_ELEMENTS(self->current->part) + 1];
        struct msghdr msg = { .msg_iov = iov, .msg_iovlen = fill_iov(self, iov) };
        gsize size = outgoing_size(self->current);
        gssize n = sendmsg(self->fd, &msg, MSG_NOSIGNAL);

        if (n < 0) {
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        }
        self->written += (gsize)n;
        self->alive_us = g_get_monotonic_time();
        if (self->written == size) {
            VsockOutgoing *done = g_steal_pointer(&self->current);

            self->events->sent(self->user, done, size);
            outgoing_free(done);
        }
    }
    return TRUE;
}

/* ---- reading ---- */

static GError *not_helix(VsockConnection *self, const char *what)
{
    return g_error_new(GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ,
                       "What answers on %s does not speak the frame protocol (%s). Check cid, port and socket-path: "
                       "the host's port is helix-vsock-port= of its virtio-gpu, 5000 unless set.", self->name, what);
}

static GError *begin_payload(VsockConnection *self)
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
        return g_error_new(GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT,
                           "No memory for an answer of %u bytes from the host.", size);
    }
    return NULL;
}

static void deliver(VsockConnection *self)
{
    GBytes *payload = g_bytes_new_take(g_steal_pointer(&self->payload), self->payload_size);

    self->header_len = 0;
    self->ping_us = 0;
    self->events->message(self->user, self->header[HELIX_WIRE_HEADER_TYPE], self->header[HELIX_WIRE_HEADER_FLAGS],
                          get_u16(self->header + HELIX_WIRE_HEADER_SESSION), payload);
    g_bytes_unref(payload);
}

/* Reads until there is no more. Sets @error at the end of the stream too. */
static gboolean read_some(VsockConnection *self, GError **error)
{
    while (!g_atomic_int_get(&self->quit)) {
        gboolean in_header = self->payload == NULL;
        gpointer to = in_header ? self->header + self->header_len : self->payload + self->payload_len;
        gsize want = in_header ? sizeof(self->header) - self->header_len : self->payload_size - self->payload_len;
        gssize n = want == 0 ? 0 : recv(self->fd, to, want, 0);

        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
            return TRUE;
        }
        if (n < 0 || (n == 0 && want > 0)) {
            int code = n < 0 ? errno : 0;

            g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ,
                        "The host closed the connection on %s (%s). Was the VM's frame export stopped or restarted? "
                        "Start the pipeline again.", self->name, code ? g_strerror(code) : "end of stream");
            return FALSE;
        }
        self->alive_us = g_get_monotonic_time();
        if (in_header) {
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

static gboolean finish_connect(VsockConnection *self, GError **error)
{
    int code = 0;
    socklen_t len = sizeof(code);

    if (getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0) {
        code = errno;
    }
    if (code) {
        g_propagate_error(error, vsock_address_error(self->is_unix, self->name, code));
        return FALSE;
    }
    self->connecting = FALSE;
    self->alive_us = g_get_monotonic_time();
    return TRUE;
}

static gboolean serve_socket(VsockConnection *self, short revents, GError **error)
{
    if (self->connecting) {
        return !(revents & (POLLOUT | POLLERR | POLLHUP)) || finish_connect(self, error);
    }
    /* Read first: a host that says why before it closes is heard, even if writing fails already. */
    if (revents & (POLLIN | POLLHUP | POLLERR) && !read_some(self, error)) {
        return FALSE;
    }
    if (!write_some(self)) {
        int code = errno;

        if (read_some(self, error)) {
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
    } else if (next_outgoing(self)) {
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
        open_fence(self, fds[2].revents != 0);
    }
    return serve_socket(self, fds[1].revents, error);
}

static gpointer connection_thread(gpointer data)
{
    VsockConnection *self = data;
    GError *error = NULL;

    self->alive_us = g_get_monotonic_time();
    while (!g_atomic_int_get(&self->quit)) {
        if (!turn(self, &error)) {
            self->events->failed(self->user, error);
            break;
        }
    }
    return NULL;
}

/* ---- public ---- */

VsockConnection *vsock_connection_new(const VsockAddress *address, guint timeout_ms,
                                      const VsockConnectionEvents *events, gpointer user, GError **error)
{
    VsockConnection *self = g_new0(VsockConnection, 1);

    g_mutex_init(&self->lock);
    g_queue_init(&self->queue);
    self->events = events;
    self->user = user;
    self->is_unix = address->socket_path != NULL;
    self->fence = -1;
    self->timeout_us = (gint64)timeout_ms * 1000;
    self->name = vsock_address_name(address);
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->fd = vsock_address_connect(address, self->name, &self->connecting, error);
    if (self->fd < 0 || self->wake_fd < 0) {
        if (self->fd >= 0) {
            g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_FAILED, "eventfd: no more file descriptors");
        }
        vsock_connection_free(self);
        return NULL;
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
    g_clear_pointer(&self->current, outgoing_free);
    g_queue_clear_full(&self->queue, (GDestroyNotify)outgoing_free);
    if (self->fd >= 0) {
        close(self->fd);
    }
    if (self->wake_fd >= 0) {
        close(self->wake_fd);
    }
    g_free(self->payload);
    g_free(self->name);
    g_mutex_clear(&self->lock);
    g_free(self);
}
