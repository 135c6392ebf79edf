/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unix-socket.c - a channel whose carrier is a UNIX stream socket.
 *
 * One GSource per socket, on the loop's context. Output is not buffered: bytes that the socket does not take stay with
 * the user, and the kernel delivers bytes taken before close(). One buffer holds input that the user did not consume;
 * nothing more is read until it has.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <glib-unix.h>

#include "../loop/deferred.h"
#include "../loop/loop-budget.h"
#include "../protocol/error.h"
#include "unix-address.h"
#include "unix-socket.h"

#define BUFFER_SIZE ((gsize)64 * 1024)
#define DISCARD_LIMIT ((gsize)1024 * 1024)

/*
 * The kernel's send buffer for the rest of a stream whose sender is gone: the buffer of a vsock connection (256 KiB)
 * fits behind a full send buffer of the default size. Linux doubles the figure, up to twice net.core.wmem_max.
 */
#define LAST_BUFFER_SIZE (256 * 1024)

typedef struct HelixSocket {
    GSource source; /* first: the socket is its source */
    HelixChannel channel;
    HelixDeferredQueue *deferred; /* of its context */
    HelixTask task;    /* in the queue: waits for an iteration with time left; the socket is not polled meanwhile */
    GIOCondition seen; /* what poll said before */
    int fd;
    gpointer tag;        /* of fd in the source; NULL while there is nothing to wait for */
    GIOCondition wanted; /* what tag waits for */
    gboolean paused;     /* the user takes no input */
    gboolean resumed;    /* resume_input() was called inside input() */
    gboolean want_write; /* the user waits for writable() */
    gboolean eof;
    gboolean failed; /* closed() is due */
    gboolean dispatching;
    gboolean write_shut;  /* by the user */
    gboolean read_shut;   /* by the user: it takes no input */
    gboolean unread;      /* a write failed: the peer reads no longer */
    gboolean unread_told; /* write_closed() was called */
    guint8 *buffer;
    gsize start, end; /* what was read and not yet consumed */
} HelixSocket;

static HelixSocket *socket_of(HelixChannel *channel)
{
    return (HelixSocket *)(gpointer)((guint8 *)channel - offsetof(HelixSocket, channel));
}

static HelixSocket *socket_of_task(HelixTask *task)
{
    return (HelixSocket *)(gpointer)((guint8 *)task - offsetof(HelixSocket, task));
}

/* Poll only for events that can be acted on. poll() always reports a hang-up, so a socket that waits for nothing is not
 * polled, except after end of stream, when the hang-up is the event. */
static void rearm(HelixSocket *self)
{
    gboolean ended = self->eof || self->read_shut;
    GIOCondition wanted = (self->want_write ? G_IO_OUT : 0) | (!self->paused && !ended ? G_IO_IN : 0);
    gboolean poll_it = !self->failed && !self->task.link.data && (wanted != 0 || (ended && !self->write_shut));

    if (!poll_it) {
        if (self->tag) {
            g_source_remove_unix_fd(&self->source, self->tag);
            self->tag = NULL;
        }
    } else if (self->tag) {
        if (wanted != self->wanted) { /* each change wakes the loop, from which this is mostly called */
            g_source_modify_unix_fd(&self->source, self->tag, wanted);
        }
    } else {
        self->tag = g_source_add_unix_fd(&self->source, self->fd, wanted);
    }
    self->wanted = wanted;
}

/* Serve the socket in a later iteration, behind all that wait. */
static void serve_later(HelixSocket *self)
{
    helix_deferred_add(self->deferred, &self->task);
    rearm(self);
}

/* Have the loop call dispatch() soon. */
static void kick(HelixSocket *self)
{
    g_source_set_ready_time(&self->source, 0);
}

static void fail(HelixSocket *self)
{
    self->failed = TRUE;
    kick(self);
}

/* ---- carrier ---- */

static gsize carrier_write(HelixChannel *channel, const guint8 *data, gsize len)
{
    HelixSocket *self = socket_of(channel);
    gsize taken = 0;

    while (taken < len && !self->failed && !self->unread) {
        ssize_t sent = send(self->fd, data + taken, len - taken,
#ifdef MSG_NOSIGNAL
                            MSG_NOSIGNAL);
#else
                            0);
#endif
        if (sent >= 0) {
            taken += (gsize)sent;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
            self->want_write = TRUE;
            break;
        } else if (errno != EINTR) {
            self->unread = TRUE; /* input that the peer sent before may still be unread */
            self->want_write = FALSE;
            kick(self);
        }
    }
    rearm(self);
    return taken;
}

static void carrier_shutdown_write(HelixChannel *channel)
{
    HelixSocket *self = socket_of(channel);

    shutdown(self->fd, SHUT_WR);
    self->write_shut = TRUE;
    rearm(self); /* with both directions shut a hang-up tells nothing: the user closes */
}

/* The peer's next write fails with EPIPE. The rest of the output may be read late, after its sender has gone. */
static void carrier_shutdown_read(HelixChannel *channel)
{
    HelixSocket *self = socket_of(channel);
    int size = LAST_BUFFER_SIZE;

    shutdown(self->fd, SHUT_RD);
    setsockopt(self->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    self->read_shut = TRUE;
    self->start = self->end = 0;
    rearm(self);
}

static void carrier_resume_input(HelixChannel *channel)
{
    HelixSocket *self = socket_of(channel);

    self->paused = FALSE;
    self->resumed = TRUE;
    if (self->start < self->end) {
        serve_later(self);
    } else {
        kick(self);
    }
}

static void end(HelixSocket *self)
{
    helix_deferred_remove(self->deferred, &self->task);
    g_source_destroy(&self->source);
    g_source_unref(&self->source);
}

static void carrier_close(HelixChannel *channel, gboolean abort_it)
{
    HelixSocket *self = socket_of(channel);

    if (!abort_it && !self->failed) {
        gsize discarded = 0;
        ssize_t got;

        /* Both directions at once: after the end of stream the peer must not be able to write into the void. */
        shutdown(self->fd, SHUT_RDWR);
        /* Input left unread would turn the end of stream into a reset, which may overtake the last answer. */
        while (discarded < DISCARD_LIMIT && (got = recv(self->fd, self->buffer, BUFFER_SIZE, 0)) > 0) {
            discarded += (gsize)got;
        }
    }
    end(self);
}

static const HelixChannelCarrier socket_carrier = {
    .write = carrier_write,
    .shutdown_write = carrier_shutdown_write,
    .shutdown_read = carrier_shutdown_read,
    .resume_input = carrier_resume_input,
    .close = carrier_close,
};

/* ---- source ---- */

static gboolean user_is_there(const HelixSocket *self)
{
    return self->channel.user != NULL;
}

/* Offer what was read. Returns FALSE if the user took less than all, or is gone. */
static gboolean offer(HelixSocket *self)
{
    gsize used;

    if (self->start == self->end) {
        return TRUE;
    }
    self->resumed = FALSE;
    used = self->channel.user->input(&self->channel, self->buffer + self->start, self->end - self->start);
    if (!user_is_there(self) || self->read_shut) {
        return FALSE;
    }
    self->start += used;
    if (self->start == self->end) {
        helix_deferred_remove(self->deferred, &self->task); /* resumed inside input(): there is nothing to wait for */
        return TRUE;
    }
    self->paused = !self->resumed;
    return FALSE;
}

/* The peer reads no longer. A user without write_closed() gets closed() once there is no more input. */
static void tell_unread(HelixSocket *self)
{
    if (self->unread_told || !user_is_there(self)) {
        return;
    }
    self->unread_told = TRUE;
    if (self->channel.user->write_closed) {
        self->channel.user->write_closed(&self->channel);
    } else {
        self->failed = TRUE;
    }
}

/* End of stream. If the peer has closed both directions, its hang-up is told first, so that nothing is written in
 * between. */
static void end_input(HelixSocket *self)
{
    struct pollfd seen = { .fd = self->fd,
                           .events = POLLOUT }; /* XNU: POLLIN would see any end of stream as a hang-up */
    gboolean gone = poll(&seen, 1, 0) > 0 && (seen.revents & POLLHUP);

    self->eof = TRUE;
    if (gone && !self->write_shut && self->channel.user->write_closed) {
        tell_unread(self);
    }
    if (user_is_there(self)) {
        self->channel.user->input_eof(&self->channel);
    }
}

static void read_input(HelixSocket *self)
{
    ssize_t got;

    if (!offer(self)) {
        return;
    }
    do {
        got = recv(self->fd, self->buffer, BUFFER_SIZE, 0);
    } while (got < 0 && errno == EINTR);

    if (got > 0) {
        self->start = 0;
        self->end = (gsize)got;
        offer(self);
    } else if (got == 0) {
        end_input(self);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
        fail(self);
    }
}

static void serve(HelixSocket *self)
{
    GIOCondition seen = self->seen;

    self->seen = 0;
    if (!user_is_there(self)) {
        return; /* attached later, or closed */
    }
    if (self->want_write && (seen & (G_IO_OUT | G_IO_ERR | G_IO_HUP))) {
        self->want_write = FALSE;
        self->channel.user->writable(&self->channel);
    }
    if (self->unread) {
        tell_unread(self);
    }
    if (user_is_there(self) && !self->paused && !self->eof && !self->read_shut) {
        read_input(self);
    } else if (user_is_there(self) && (self->eof || self->read_shut) && (seen & (G_IO_ERR | G_IO_HUP))) {
        self->failed = TRUE; /* no reader is left */
    }
    if (user_is_there(self) && self->failed) {
        const HelixChannelUser *user = self->channel.user;

        self->channel.user = NULL;
        user->closed(&self->channel);
        end(self);
    } else if (user_is_there(self)) {
        rearm(self);
    }
}

/* Never from inside its own callbacks, in which a nested loop may run. */
static void serve_once(HelixSocket *self)
{
    g_source_ref(&self->source);
    self->dispatching = TRUE;
    serve(self);
    self->dispatching = FALSE;
    g_source_unref(&self->source);
}

static void run(HelixTask *task)
{
    HelixSocket *self = socket_of_task(task);

    if (self->dispatching) {
        helix_deferred_add(self->deferred, task);
    } else {
        serve_once(self);
    }
}

/*
 * The source declares that it can recurse; else GLib would take its descriptor out of the loop and put it back around
 * each call, and wake the loop for an empty iteration both times. It does not recurse: a nested loop inside a callback
 * skips it.
 */
static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    HelixSocket *self = (HelixSocket *)source;
    HELIX_LOOP_SCOPE;

    if (self->dispatching) {
        return G_SOURCE_CONTINUE;
    }
    g_source_set_ready_time(source, -1);
    self->seen |= self->tag ? g_source_query_unix_fd(source, self->tag) : 0;
    if (self->task.link.data || helix_loop_budget_is_spent()) {
        serve_later(self);
    } else {
        serve_once(self);
    }
    return G_SOURCE_CONTINUE; /* no effect if it was destroyed */
}

static void finalize(GSource *source)
{
    HelixSocket *self = (HelixSocket *)source;

    close(self->fd);
    helix_deferred_unref(self->deferred);
    g_free(self->buffer);
    g_free(self->channel.peer);
}

static GSourceFuncs socket_funcs = { .dispatch = dispatch, .finalize = finalize };

HelixChannel *helix_socket_new(GMainContext *context, int fd, const char *peer)
{
    HelixSocket *self = (HelixSocket *)g_source_new(&socket_funcs, sizeof(HelixSocket));

    self->fd = fd;
    self->deferred = helix_deferred_ref(context);
    self->task.run = run;
    self->buffer = g_malloc(BUFFER_SIZE);
    self->channel.carrier = &socket_carrier;
    self->channel.peer = g_strdup(peer);
    rearm(self);
    g_source_set_can_recurse(&self->source, TRUE);
    g_source_attach(&self->source, context);
    return &self->channel;
}
