/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rx-queue.c - the guest's receive buffers: which connection gets the next one, and what one call may use up.
 */
#include "vsock-private.h"
#include "../loop/loop-budget.h"

/* Packets to the guest in one call: a guest that refills its queue as fast as it is used would block the main loop. */
#define BURST_PACKETS 1024u

static gssize device_room(HelixVsock *vsock)
{
    return vsock->closing ? -1 : vsock->config.ops->rx_room(vsock->config.device);
}

gssize helix_vsock_room(HelixVsock *vsock)
{
    return vsock->burst_left ? device_room(vsock) : -1;
}

void helix_vsock_put(HelixVsock *vsock, const HelixVsockHeader *header, const guint8 *payload, gsize len)
{
    vsock->config.ops->rx_put(vsock->config.device, header, payload, len);
    vsock->placed = TRUE;
    vsock->burst_left--;
}

void helix_vsock_send(HelixVsockConnection *conn, guint op, guint32 flags, const guint8 *payload, gsize len)
{
    HelixVsock *vsock = conn->vsock;
    HelixVsockHeader header = {
        .src_cid = HELIX_VSOCK_HOST_CID,
        .dst_cid = vsock->config.guest_cid,
        .src_port = conn->host_port,
        .dst_port = conn->guest_port,
        .len = (guint32)len,
        .type = HELIX_VSOCK_TYPE_STREAM,
        .op = (guint16)op,
        .flags = flags,
        .buf_alloc = vsock->config.buf_alloc,
        .fwd_cnt = conn->fwd_cnt,
    };

    conn->last_sent_fwd_cnt = conn->fwd_cnt;
    helix_vsock_put(vsock, &header, payload, len);
}

void helix_vsock_enqueue(HelixVsockConnection *conn)
{
    if (!conn->queue_link.data) {
        conn->queue_link.data = conn;
        g_queue_push_tail_link(&conn->vsock->queue, &conn->queue_link);
    }
}

void helix_vsock_unqueue(HelixVsockConnection *conn)
{
    if (conn->queue_link.data) {
        g_queue_unlink(&conn->vsock->queue, &conn->queue_link);
        conn->queue_link.data = NULL;
    }
}

gsize helix_vsock_allowance(HelixVsockConnection *conn)
{
    HelixVsock *vsock = conn->vsock;
    const guint harmless = HELIX_VSOCK_SEND_CREDIT_UPDATE | HELIX_VSOCK_SEND_CREDIT_REQUEST;

    if (vsock->serving == conn) {
        return vsock->quantum;
    }
    if (conn->pending & ~harmless) {
        return 0; /* no data before RESPONSE */
    }
    return !vsock->queue.length || (vsock->queue.length == 1 && vsock->queue.head->data == conn) ? G_MAXSIZE : 0;
}

/*
 * Use receive buffers: an unmatched RST, then the next connection, and so on, so that neither starves the other.
 * Without @callbacks (the outermost call came from a user) only control packets are sent: no user is called from inside
 * a user's call.
 */
static void serve_queue(HelixVsock *vsock, gboolean callbacks)
{
    guint turns = vsock->queue.length;

    while ((vsock->n_unmatched || vsock->queue.length) && helix_vsock_room(vsock) >= 0) {
        if (vsock->n_unmatched) {
            helix_vsock_send_unmatched_reset(vsock);
            if (helix_vsock_room(vsock) < 0) {
                break;
            }
        }
        if (!callbacks && !turns--) {
            break;
        }
        if (vsock->queue.length) {
            HelixVsockConnection *conn = vsock->queue.head->data;

            helix_vsock_unqueue(conn);
            helix_vsock_connection_serve(conn, callbacks);
        }
        if (helix_loop_budget_is_spent()) {
            break;
        }
    }
}

void helix_vsock_enter(HelixVsock *vsock, gboolean by_user)
{
    if (!vsock->depth++) {
        vsock->by_user = by_user;
        vsock->burst_left = BURST_PACKETS;
    }
}

void helix_vsock_serve_again(HelixTask *task)
{
    helix_vsock_rx_available((HelixVsock *)(gpointer)((guint8 *)task - offsetof(HelixVsock, serve)));
}

void helix_vsock_leave(HelixVsock *vsock)
{
    if (vsock->depth == 1) {
        serve_queue(vsock, !vsock->by_user);
        if ((vsock->n_unmatched || vsock->queue.length) && device_room(vsock) >= 0) {
            /* Buffers are left, so the device will not call; but this call was a user's, or other connections wait. */
            helix_deferred_add(vsock->deferred, &vsock->serve);
        }
        if (vsock->placed) {
            vsock->placed = FALSE;
            vsock->config.ops->rx_notify(vsock->config.device);
        }
    }
    vsock->depth--;
}
