/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connection.c - one vsock connection: what the guest sends, input that waits for its user, half-close, reset. send.c
 * has what goes to the guest.
 */
#include "connection.h"
#include "../loop/loop-time.h"

static const HelixChannelCarrier connection_carrier;
static void resume(HelixTask *task);
static void expire(HelixTask *task);
static gboolean timed_out(gpointer data);

static HelixVsockConnection *from_channel(HelixChannel *channel)
{
    return (HelixVsockConnection *)channel;
}

HelixVsockConnection *helix_vsock_connection_new(HelixVsock *vsock, guint32 guest_port, guint32 host_port,
                                                 HelixVsockState state)
{
    HelixVsockConnection *conn = g_new0(HelixVsockConnection, 1);

    conn->channel.carrier = &connection_carrier;
    conn->channel.peer = g_strdup_printf("vsock %" G_GUINT64_FORMAT ":%u", vsock->config.guest_cid, guest_port);
    conn->channel.peer_port = guest_port;
    conn->resume.run = resume;
    conn->expire.run = expire;
    conn->vsock = vsock;
    conn->refs = 1;
    conn->state = state;
    conn->guest_port = guest_port;
    conn->host_port = host_port;
    conn->key = (guint64)host_port << 32 | guest_port;
    g_hash_table_insert(vsock->by_key, &conn->key, conn);
    g_hash_table_add(vsock->all, conn);
    return conn;
}

HelixVsockConnection *helix_vsock_connection_ref(HelixVsockConnection *conn)
{
    conn->refs++;
    return conn;
}

void helix_vsock_connection_unref(HelixVsockConnection *conn)
{
    if (--conn->refs) { /* NOLINT(clang-analyzer-unix.Malloc): each caller holds a reference */
        return;
    }
    helix_vsock_ring_clear(&conn->ring);
    g_free(conn->channel.peer);
    g_free(conn);
}

void helix_vsock_connection_owe(HelixVsockConnection *conn, guint bits)
{
    conn->owes |= bits;
    helix_vsock_queue(conn);
}

void helix_vsock_connection_start_timer(HelixVsockConnection *conn, guint ms)
{
    conn->timer = g_timeout_add(ms, timed_out, conn);
}

void helix_vsock_connection_stop_timer(HelixVsockConnection *conn)
{
    if (conn->timer) {
        g_source_remove(conn->timer);
        conn->timer = 0;
    }
    helix_deferred_remove(conn->vsock->later, &conn->expire);
}

/* ---- the end ---- */

/* The connection's user hears that it is gone, once. */
static void tell_gone(HelixVsockConnection *conn)
{
    const HelixChannelUser *user = conn->channel.user;
    HelixVsockConnected connected = conn->connected;

    conn->channel.user = NULL;
    conn->connected = NULL;
    conn->wants_write = FALSE;
    if (connected) {
        connected(conn->connected_data, NULL, conn->host_port);
    } else if (user) {
        user->closed(&conn->channel);
    }
}

void helix_vsock_connection_remove_if_done(HelixVsockConnection *conn)
{
    if ((conn->state == HELIX_VSOCK_RESETTING || conn->state == HELIX_VSOCK_DRAINING) &&
        !(conn->owes & HELIX_VSOCK_OWES_RST) && !conn->channel.user) {
        helix_vsock_connection_end(conn);
    }
}

void helix_vsock_connection_end(HelixVsockConnection *conn)
{
    if (conn->state == HELIX_VSOCK_DEAD) {
        return;
    }
    helix_vsock_connection_ref(conn);
    conn->state = HELIX_VSOCK_DEAD;
    conn->owes = 0;
    helix_vsock_connection_stop_timer(conn);
    helix_deferred_remove(conn->vsock->later, &conn->resume);
    helix_vsock_ring_clear(&conn->ring);
    helix_vsock_remove(conn);
    tell_gone(conn);
    helix_vsock_connection_unref(conn);
}

void helix_vsock_connection_reset(HelixVsockConnection *conn)
{
    gboolean unknown_to_guest = (conn->owes & HELIX_VSOCK_OWES_REQUEST) != 0;

    if (conn->state == HELIX_VSOCK_RESETTING || conn->state == HELIX_VSOCK_DEAD) {
        return;
    }
    if (unknown_to_guest) {
        helix_vsock_connection_end(conn);
        return;
    }
    helix_vsock_connection_ref(conn);
    conn->state = HELIX_VSOCK_RESETTING;
    conn->owes = 0;
    helix_vsock_connection_stop_timer(conn);
    helix_vsock_ring_clear(&conn->ring);
    helix_vsock_connection_owe(conn, HELIX_VSOCK_OWES_RST);
    tell_gone(conn);
    helix_vsock_connection_unref(conn);
}

/* ---- the guest's data ---- */

/*
 * Tell the guest about freed buffer before it runs dry. What counts is the guest's own view, from the last fwd_cnt it
 * was sent, not how full our buffer is: an empty buffer here can still look full over there. And newer Linux sends no
 * more ahead than it has announced as its own buffer, however large ours is.
 */
static void check_credit_update(HelixVsockConnection *conn)
{
    guint32 window = MIN(conn->vsock->config.buf_alloc, conn->peer_buf_alloc);
    guint32 unacknowledged = conn->rx_cnt - conn->told_fwd_cnt;

    if (conn->state == HELIX_VSOCK_OPEN && !(conn->guest_shut & HELIX_VSOCK_SHUTDOWN_SEND) &&
        conn->fwd_cnt != conn->told_fwd_cnt && unacknowledged >= window - window / 2) {
        helix_vsock_connection_owe(conn, HELIX_VSOCK_OWES_CREDIT_UPDATE);
    }
}

static gboolean takes_input(const HelixVsockConnection *conn)
{
    return conn->channel.user && !(conn->host_shut & HELIX_VSOCK_SHUTDOWN_RCV) &&
        (conn->state == HELIX_VSOCK_OPEN || conn->state == HELIX_VSOCK_DRAINING);
}

/* Offer @len bytes to the user; returns what it consumed. Sets paused unless it took all or resumed meanwhile. */
static gsize offer(HelixVsockConnection *conn, const guint8 *data, gsize len)
{
    gsize consumed;

    conn->in_input = TRUE;
    conn->resumed = FALSE;
    consumed = conn->channel.user->input(&conn->channel, data, len);
    conn->in_input = FALSE;
    g_assert(consumed <= len);
    if (takes_input(conn)) {
        conn->fwd_cnt += (guint32)consumed;
        conn->paused = consumed < len && !conn->resumed;
    }
    return consumed;
}

/*
 * Offer what is buffered until the user stops taking or the turn is over, which does not count if it is the @last
 * chance; then end of stream, if this was it.
 */
static void deliver(HelixVsockConnection *conn, gboolean last)
{
    if (conn->in_input) {
        return;
    }
    while (takes_input(conn) && !conn->paused && conn->ring.used) {
        gsize len;
        const guint8 *data = helix_vsock_ring_peek(&conn->ring, &len);
        gsize consumed = offer(conn, data, len);

        if (takes_input(conn)) {
            helix_vsock_ring_drop(&conn->ring, consumed);
        }
        if (!last && helix_loop_budget_is_spent()) {
            break;
        }
    }
    if (takes_input(conn) && !conn->paused && conn->ring.used) {
        helix_deferred_add(conn->vsock->later, &conn->resume);
    }
    if (takes_input(conn) && !conn->ring.used && (conn->guest_shut & HELIX_VSOCK_SHUTDOWN_SEND) && !conn->eof_told) {
        conn->eof_told = TRUE;
        conn->channel.user->input_eof(&conn->channel);
    }
    if (conn->state == HELIX_VSOCK_DRAINING && !(takes_input(conn) && !conn->eof_told)) {
        tell_gone(conn);
        helix_vsock_connection_remove_if_done(conn);
        return;
    }
    check_credit_update(conn); /* NOLINT(clang-analyzer-unix.Malloc): a reference is held */
}

void helix_vsock_connection_data(HelixVsockConnection *conn, const guint8 *payload, gsize len)
{
    guint32 buf_alloc = conn->vsock->config.buf_alloc;
    guint32 held = conn->rx_cnt - conn->fwd_cnt;

    if ((conn->state != HELIX_VSOCK_OPEN && conn->state != HELIX_VSOCK_CLOSING) ||
        (conn->guest_shut & HELIX_VSOCK_SHUTDOWN_SEND) || len > buf_alloc - held) {
        helix_vsock_connection_reset(conn);
        return;
    }
    conn->rx_cnt += (guint32)len;
    if (conn->host_shut & HELIX_VSOCK_SHUTDOWN_RCV) {
        conn->fwd_cnt += (guint32)len;
        return; /* was on its way when the user closed, or read no more */
    }
    helix_vsock_connection_ref(conn);
    if (takes_input(conn) && !conn->paused && !conn->ring.used && len) {
        gsize consumed = offer(conn, payload, len);

        payload += consumed;
        len -= consumed;
    }
    if (takes_input(conn) && !helix_vsock_ring_append(&conn->ring, payload, len, buf_alloc)) {
        helix_vsock_connection_reset(conn); /* short of memory: credit was checked above */
    } else {
        deliver(conn, FALSE);
    }
    helix_vsock_connection_unref(conn); /* NOLINT(clang-analyzer-unix.Malloc): a reference is held */
}

/* The guest reads no more: writes go nowhere from now on, but must not hang. */
static void tell_write_closed(HelixVsockConnection *conn)
{
    const HelixChannelUser *user = conn->channel.user;
    gboolean waits = conn->wants_write;

    conn->wants_write = FALSE;
    if (user && user->write_closed) {
        user->write_closed(&conn->channel);
    } else if (user && waits) {
        user->writable(&conn->channel);
    }
}

void helix_vsock_connection_shutdown(HelixVsockConnection *conn, guint32 flags)
{
    guint32 news;

    if (conn->state == HELIX_VSOCK_REQUESTED) {
        helix_vsock_connection_reset(conn);
        return;
    }
    helix_vsock_connection_ref(conn);
    news = flags & HELIX_VSOCK_SHUTDOWN_BOTH & ~conn->guest_shut;
    conn->guest_shut |= news;
    if (conn->guest_shut == HELIX_VSOCK_SHUTDOWN_BOTH) {
        /* RST at once: Linux lingers 8 s for it otherwise. The user still gets what came before. */
        helix_vsock_connection_stop_timer(conn);
        conn->state = conn->state == HELIX_VSOCK_CLOSING ? HELIX_VSOCK_RESETTING : HELIX_VSOCK_DRAINING;
        conn->owes = 0;
        helix_vsock_connection_owe(conn, HELIX_VSOCK_OWES_RST);
    }
    if (news & HELIX_VSOCK_SHUTDOWN_RCV) {
        tell_write_closed(conn); /* ahead of the end of stream: a program that sees that may write */
    }
    deliver(conn, FALSE);
    helix_vsock_connection_unref(conn); /* NOLINT(clang-analyzer-unix.Malloc): a reference is held */
}

void helix_vsock_connection_forgotten(HelixVsockConnection *conn)
{
    helix_vsock_connection_ref(conn);
    conn->owes = 0;
    helix_vsock_unlist(conn);
    if (conn->state == HELIX_VSOCK_OPEN && conn->channel.user && conn->channel.user->write_closed) {
        /* Cut off, without an end of stream, but what came before is not lost if it is taken at once. */
        if (!(conn->guest_shut & HELIX_VSOCK_SHUTDOWN_RCV)) {
            conn->guest_shut |= HELIX_VSOCK_SHUTDOWN_RCV;
            tell_write_closed(conn);
        }
        deliver(conn, TRUE);
    }
    if (conn->state != HELIX_VSOCK_DRAINING || !conn->channel.user) {
        helix_vsock_connection_end(conn);
    }
    helix_vsock_connection_unref(conn); /* NOLINT(clang-analyzer-unix.Malloc): a reference is held */
}

void helix_vsock_connection_note_credit(HelixVsockConnection *conn, const HelixVsockHeader *header)
{
    conn->peer_buf_alloc = header->buf_alloc;
    conn->peer_fwd_cnt = header->fwd_cnt;
    if (helix_vsock_connection_credit(conn)) {
        conn->credit_requested = FALSE;
        if (conn->wants_write) {
            helix_vsock_queue(conn);
        }
    }
    check_credit_update(conn); /* its own buffer may have become smaller */
}

/* ---- the carrier's side of the channel ---- */

static gsize carrier_write(HelixChannel *channel, const guint8 *data, gsize len)
{
    HelixVsockConnection *conn = from_channel(channel);
    gsize taken;

    if (!conn->channel.user || (conn->host_shut & HELIX_VSOCK_SHUTDOWN_SEND)) {
        return 0;
    }
    if ((conn->guest_shut & HELIX_VSOCK_SHUTDOWN_RCV) || conn->state != HELIX_VSOCK_OPEN) {
        return len;
    }
    helix_vsock_connection_ref(conn);
    helix_vsock_enter(conn->vsock, TRUE);
    taken = helix_vsock_connection_place(conn, data, len);
    conn->wants_write = taken < len;
    helix_vsock_leave(conn->vsock);
    helix_vsock_connection_unref(conn);
    return taken;
}

static void carrier_shutdown_write(HelixChannel *channel)
{
    HelixVsockConnection *conn = from_channel(channel);

    if (conn->state != HELIX_VSOCK_OPEN || (conn->host_shut & HELIX_VSOCK_SHUTDOWN_SEND)) {
        return;
    }
    helix_vsock_enter(conn->vsock, TRUE);
    conn->host_shut |= HELIX_VSOCK_SHUTDOWN_SEND;
    conn->wants_write = FALSE;
    helix_vsock_connection_owe(conn, HELIX_VSOCK_OWES_SHUTDOWN);
    helix_vsock_leave(conn->vsock);
}

static void resume(HelixTask *task)
{
    HelixVsockConnection *conn = (HelixVsockConnection *)(gpointer)((guint8 *)task -
                                                                    offsetof(HelixVsockConnection, resume));
    HelixVsock *vsock = conn->vsock;

    helix_vsock_connection_ref(conn);
    helix_vsock_enter(vsock, FALSE);
    deliver(conn, FALSE);
    helix_vsock_leave(vsock);
    helix_vsock_connection_unref(conn);
}

static void carrier_shutdown_read(HelixChannel *channel)
{
    HelixVsockConnection *conn = from_channel(channel);

    if (conn->host_shut & HELIX_VSOCK_SHUTDOWN_RCV) {
        return;
    }
    helix_vsock_enter(conn->vsock, TRUE);
    conn->host_shut |= HELIX_VSOCK_SHUTDOWN_RCV;
    helix_vsock_ring_clear(&conn->ring);
    conn->fwd_cnt = conn->rx_cnt;
    if (conn->state == HELIX_VSOCK_OPEN) {
        helix_vsock_connection_owe(conn, HELIX_VSOCK_OWES_SHUTDOWN);
    } else if (conn->state == HELIX_VSOCK_DRAINING) {
        helix_deferred_add(conn->vsock->later, &conn->resume); /* nothing is left to drain */
    }
    helix_vsock_leave(conn->vsock);
}

/* From the loop, not from here: a user is never called, and so never ended, inside its own call. */
static void carrier_resume_input(HelixChannel *channel)
{
    HelixVsockConnection *conn = from_channel(channel);

    conn->paused = FALSE;
    conn->resumed = TRUE;
    if (conn->ring.used && !conn->in_input) {
        helix_deferred_add(conn->vsock->later, &conn->resume);
    }
}

static void expire(HelixTask *task)
{
    HelixVsockConnection *conn = (HelixVsockConnection *)(gpointer)((guint8 *)task -
                                                                    offsetof(HelixVsockConnection, expire));
    HelixVsock *vsock = conn->vsock;

    helix_vsock_enter(vsock, FALSE);
    helix_vsock_connection_reset(conn);
    helix_vsock_leave(vsock);
}

/* Many may be due at once: each waits for its turn of the main loop. */
static gboolean timed_out(gpointer data)
{
    HelixVsockConnection *conn = data;

    conn->timer = 0;
    helix_deferred_add(conn->vsock->later, &conn->expire);
    return G_SOURCE_REMOVE;
}

static void carrier_close(HelixChannel *channel, gboolean abort)
{
    HelixVsockConnection *conn = from_channel(channel);
    HelixVsock *vsock = conn->vsock;

    helix_vsock_enter(vsock, TRUE);
    conn->wants_write = FALSE;
    helix_vsock_ring_clear(&conn->ring);
    if (conn->state == HELIX_VSOCK_OPEN && abort) {
        helix_vsock_connection_reset(conn);
    } else if (conn->state == HELIX_VSOCK_OPEN) {
        conn->state = HELIX_VSOCK_CLOSING;
        if (conn->host_shut != HELIX_VSOCK_SHUTDOWN_BOTH) { /* else it went out, or is owed */
            conn->host_shut = HELIX_VSOCK_SHUTDOWN_BOTH;
            helix_vsock_connection_owe(conn, HELIX_VSOCK_OWES_SHUTDOWN);
        }
        helix_vsock_connection_start_timer(conn, vsock->config.close_timeout_ms);
    } else {
        helix_vsock_connection_remove_if_done(conn);
    }
    helix_vsock_leave(vsock);
}

static const HelixChannelCarrier connection_carrier = {
    .write = carrier_write,
    .shutdown_write = carrier_shutdown_write,
    .shutdown_read = carrier_shutdown_read,
    .resume_input = carrier_resume_input,
    .close = carrier_close,
};
