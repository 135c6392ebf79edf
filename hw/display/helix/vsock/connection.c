/* SPDX-License-Identifier: GPL-2.0-or-later */
/* connection.c - a connection's life: creation, timeouts, reset, end. */
#include "vsock-private.h"
#include "../loop/loop-budget.h"

static const HelixChannelCarrier connection_carrier;
static void expire(HelixTask *task);
static gboolean timed_out(gpointer data);

HelixVsockConnection *helix_vsock_connection_new(HelixVsock *vsock, guint32 guest_port, guint32 host_port,
                                                 HelixVsockState state)
{
    HelixVsockConnection *conn = g_new0(HelixVsockConnection, 1);

    conn->channel.carrier = &connection_carrier;
    conn->channel.peer = g_strdup_printf("vsock %" G_GUINT64_FORMAT ":%u", vsock->config.guest_cid, guest_port);
    conn->channel.peer_port = guest_port;
    conn->resume.run = helix_vsock_connection_resume;
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
    helix_deferred_remove(conn->vsock->deferred, &conn->expire);
}

/* ---- the end ---- */

/* Tell the user, once. */
void helix_vsock_connection_tell_closed(HelixVsockConnection *conn)
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
        !(conn->pending & HELIX_VSOCK_SEND_RST) && !conn->channel.user) {
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
    conn->pending = 0;
    helix_vsock_connection_stop_timer(conn);
    helix_deferred_remove(conn->vsock->deferred, &conn->resume);
    helix_vsock_ring_clear(&conn->ring);
    helix_vsock_remove(conn);
    helix_vsock_connection_tell_closed(conn);
    helix_vsock_connection_unref(conn);
}

void helix_vsock_connection_reset(HelixVsockConnection *conn)
{
    gboolean unknown_to_guest = (conn->pending & HELIX_VSOCK_SEND_REQUEST) != 0;

    if (conn->state == HELIX_VSOCK_RESETTING || conn->state == HELIX_VSOCK_DEAD) {
        return;
    }
    if (unknown_to_guest) {
        helix_vsock_connection_end(conn);
        return;
    }
    helix_vsock_connection_ref(conn);
    conn->state = HELIX_VSOCK_RESETTING;
    conn->pending = 0;
    helix_vsock_connection_stop_timer(conn);
    helix_vsock_ring_clear(&conn->ring);
    helix_vsock_connection_send_control(conn, HELIX_VSOCK_SEND_RST);
    helix_vsock_connection_tell_closed(conn);
    helix_vsock_connection_unref(conn);
}

void helix_vsock_connection_peer_reset(HelixVsockConnection *conn)
{
    helix_vsock_connection_ref(conn);
    conn->pending = 0;
    helix_vsock_unlist(conn);
    if (conn->state == HELIX_VSOCK_OPEN && conn->channel.user && conn->channel.user->write_closed) {
        /* The user gets no end of stream, but earlier input that it takes at once. */
        if (!(conn->guest_shut & HELIX_VSOCK_SHUTDOWN_RCV)) {
            conn->guest_shut |= HELIX_VSOCK_SHUTDOWN_RCV;
            helix_vsock_connection_tell_write_closed(conn);
        }
        helix_vsock_connection_deliver(conn, TRUE);
    }
    if (conn->state != HELIX_VSOCK_DRAINING || !conn->channel.user) {
        helix_vsock_connection_end(conn);
    }
    helix_vsock_connection_unref(conn); /* NOLINT(clang-analyzer-unix.Malloc): a reference is held */
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

/* Many may fire at once: each is deferred until an iteration has time for it. */
static gboolean timed_out(gpointer data)
{
    HelixVsockConnection *conn = data;

    conn->timer = 0;
    helix_deferred_add(conn->vsock->deferred, &conn->expire);
    return G_SOURCE_REMOVE;
}

static gsize carrier_write(HelixChannel *channel, const guint8 *data, gsize len)
{
    HelixVsockConnection *conn = helix_vsock_from_channel(channel);
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

static void carrier_close(HelixChannel *channel, gboolean abort)
{
    HelixVsockConnection *conn = helix_vsock_from_channel(channel);
    HelixVsock *vsock = conn->vsock;

    helix_vsock_enter(vsock, TRUE);
    conn->wants_write = FALSE;
    helix_vsock_ring_clear(&conn->ring);
    if (conn->state == HELIX_VSOCK_OPEN && abort) {
        helix_vsock_connection_reset(conn);
    } else if (conn->state == HELIX_VSOCK_OPEN) {
        conn->state = HELIX_VSOCK_CLOSING;
        if (conn->host_shut != HELIX_VSOCK_SHUTDOWN_BOTH) { /* else it was sent or is pending */
            conn->host_shut = HELIX_VSOCK_SHUTDOWN_BOTH;
            helix_vsock_connection_send_control(conn, HELIX_VSOCK_SEND_SHUTDOWN);
        }
        helix_vsock_connection_start_timer(conn, vsock->config.close_timeout_ms);
    } else {
        helix_vsock_connection_remove_if_done(conn);
    }
    helix_vsock_leave(vsock);
}

static const HelixChannelCarrier connection_carrier = {
    .write = carrier_write,
    .shutdown_write = helix_vsock_connection_shutdown_write,
    .shutdown_read = helix_vsock_connection_shutdown_read,
    .resume_input = helix_vsock_connection_resume_input,
    .close = carrier_close,
};
