/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * receive.c - the guest's data: offered to the connection's user, and buffered until it takes it.
 */
#include "vsock-private.h"
#include "../loop/loop-budget.h"

static gboolean takes_input(const HelixVsockConnection *conn)
{
    return conn->channel.user && !(conn->host_shut & HELIX_VSOCK_SHUTDOWN_RCV) &&
        (conn->state == HELIX_VSOCK_OPEN || conn->state == HELIX_VSOCK_DRAINING);
}

/* Offer @len bytes to the user; returns how many it consumed. Sets paused unless it took all, or resumed meanwhile. */
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

void helix_vsock_connection_deliver(HelixVsockConnection *conn, gboolean last)
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
        helix_deferred_add(conn->vsock->deferred, &conn->resume);
    }
    if (takes_input(conn) && !conn->ring.used && (conn->guest_shut & HELIX_VSOCK_SHUTDOWN_SEND) && !conn->eof_told) {
        conn->eof_told = TRUE;
        conn->channel.user->input_eof(&conn->channel);
    }
    if (conn->state == HELIX_VSOCK_DRAINING && !(takes_input(conn) && !conn->eof_told)) {
        helix_vsock_connection_tell_closed(conn);
        helix_vsock_connection_remove_if_done(conn);
        return;
    }
    helix_vsock_connection_check_credit_update(conn); /* NOLINT(clang-analyzer-unix.Malloc): a reference is held */
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
        return; /* sent before the guest knew that the user closed or shut down reading */
    }
    helix_vsock_connection_ref(conn);
    if (takes_input(conn) && !conn->paused && !conn->ring.used && len) {
        gsize consumed = offer(conn, payload, len);

        payload += consumed;
        len -= consumed;
    }
    if (takes_input(conn) && !helix_vsock_ring_append(&conn->ring, payload, len, buf_alloc)) {
        helix_vsock_connection_reset(conn); /* out of memory: credit was checked above */
    } else {
        helix_vsock_connection_deliver(conn, FALSE);
    }
    helix_vsock_connection_unref(conn); /* NOLINT(clang-analyzer-unix.Malloc): a reference is held */
}

void helix_vsock_connection_resume(HelixTask *task)
{
    HelixVsockConnection *conn = (HelixVsockConnection *)(gpointer)((guint8 *)task -
                                                                    offsetof(HelixVsockConnection, resume));
    HelixVsock *vsock = conn->vsock;

    helix_vsock_connection_ref(conn);
    helix_vsock_enter(vsock, FALSE);
    helix_vsock_connection_deliver(conn, FALSE);
    helix_vsock_leave(vsock);
    helix_vsock_connection_unref(conn);
}

/* Deferred: a user is never called, and so never ended, inside its own call. */
void helix_vsock_connection_resume_input(HelixChannel *channel)
{
    HelixVsockConnection *conn = helix_vsock_from_channel(channel);

    conn->paused = FALSE;
    conn->resumed = TRUE;
    if (conn->ring.used && !conn->in_input) {
        helix_deferred_add(conn->vsock->deferred, &conn->resume);
    }
}
