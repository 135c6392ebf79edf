/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * half-close.c - one direction of a connection ends (SHUTDOWN; virtio 1.2, 5.10.6.5), from either side.
 */
#include "vsock-private.h"

void helix_vsock_connection_tell_write_closed(HelixVsockConnection *conn)
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
        /* RST at once: otherwise Linux waits for it for 8 s. The user still gets earlier input. */
        helix_vsock_connection_stop_timer(conn);
        conn->state = conn->state == HELIX_VSOCK_CLOSING ? HELIX_VSOCK_RESETTING : HELIX_VSOCK_DRAINING;
        conn->pending = 0;
        helix_vsock_connection_send_control(conn, HELIX_VSOCK_SEND_RST);
    }
    if (news & HELIX_VSOCK_SHUTDOWN_RCV) {
        helix_vsock_connection_tell_write_closed(
            conn); /* before the end of stream: a user may write when it sees that */
    }
    helix_vsock_connection_deliver(conn, FALSE);
    helix_vsock_connection_unref(conn); /* NOLINT(clang-analyzer-unix.Malloc): a reference is held */
}

void helix_vsock_connection_shutdown_write(HelixChannel *channel)
{
    HelixVsockConnection *conn = helix_vsock_from_channel(channel);

    if (conn->state != HELIX_VSOCK_OPEN || (conn->host_shut & HELIX_VSOCK_SHUTDOWN_SEND)) {
        return;
    }
    helix_vsock_enter(conn->vsock, TRUE);
    conn->host_shut |= HELIX_VSOCK_SHUTDOWN_SEND;
    conn->wants_write = FALSE;
    helix_vsock_connection_send_control(conn, HELIX_VSOCK_SEND_SHUTDOWN);
    helix_vsock_leave(conn->vsock);
}

void helix_vsock_connection_shutdown_read(HelixChannel *channel)
{
    HelixVsockConnection *conn = helix_vsock_from_channel(channel);

    if (conn->host_shut & HELIX_VSOCK_SHUTDOWN_RCV) {
        return;
    }
    helix_vsock_enter(conn->vsock, TRUE);
    conn->host_shut |= HELIX_VSOCK_SHUTDOWN_RCV;
    helix_vsock_ring_clear(&conn->ring);
    conn->fwd_cnt = conn->rx_cnt;
    if (conn->state == HELIX_VSOCK_OPEN) {
        helix_vsock_connection_send_control(conn, HELIX_VSOCK_SEND_SHUTDOWN);
    } else if (conn->state == HELIX_VSOCK_DRAINING) {
        helix_deferred_add(conn->vsock->deferred, &conn->resume); /* nothing is left to deliver */
    }
    helix_vsock_leave(conn->vsock);
}
