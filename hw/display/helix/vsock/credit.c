/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * credit.c - credit-based flow control in both directions (virtio 1.2, 5.10.6.3).
 */
#include "vsock-private.h"

guint32 helix_vsock_connection_credit(const HelixVsockConnection *conn)
{
    guint32 in_flight = conn->tx_cnt - conn->peer_fwd_cnt;

    return in_flight < conn->peer_buf_alloc ? conn->peer_buf_alloc - in_flight : 0;
}

/*
 * Announce consumed bytes before the guest runs out of credit. The guest computes its credit from the last fwd_cnt that
 * we sent: a buffer that is empty here may still look full to it. Newer Linux also limits the data in flight to its
 * own buf_alloc, however large ours is.
 */
void helix_vsock_connection_check_credit_update(HelixVsockConnection *conn)
{
    guint32 window = MIN(conn->vsock->config.buf_alloc, conn->peer_buf_alloc);
    guint32 unacknowledged = conn->rx_cnt - conn->last_sent_fwd_cnt;

    if (conn->state == HELIX_VSOCK_OPEN && !(conn->guest_shut & HELIX_VSOCK_SHUTDOWN_SEND) &&
        conn->fwd_cnt != conn->last_sent_fwd_cnt && unacknowledged >= window - window / 2) {
        helix_vsock_connection_send_control(conn, HELIX_VSOCK_SEND_CREDIT_UPDATE);
    }
}

void helix_vsock_connection_update_credit(HelixVsockConnection *conn, const HelixVsockHeader *header)
{
    conn->peer_buf_alloc = header->buf_alloc;
    conn->peer_fwd_cnt = header->fwd_cnt;
    if (helix_vsock_connection_credit(conn)) {
        conn->credit_requested = FALSE;
        if (conn->wants_write) {
            helix_vsock_enqueue(conn);
        }
    }
    helix_vsock_connection_check_credit_update(conn); /* the guest may have lowered its buf_alloc */
}
