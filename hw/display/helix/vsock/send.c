/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * send.c - packets of one connection: data within its credit, and pending control packets.
 *
 * Data for the guest is never buffered here: it is placed in the guest's receive buffers at once, or stays with the
 * user. So a guest that announces large buffers costs the host no memory.
 */
#include "vsock-private.h"

/* Payload of the largest packet that Linux accepts; larger receive buffers are filled up to it. */
#define PACKET_LARGEST ((gsize)64 * 1024)
/* Bytes that a connection may write at a time while others wait for receive buffers. */
#define QUANTUM ((gsize)64 * 1024)

void helix_vsock_connection_send_control(HelixVsockConnection *conn, guint bits)
{
    conn->pending |= bits;
    helix_vsock_enqueue(conn);
}

gsize helix_vsock_connection_place(HelixVsockConnection *conn, const guint8 *data, gsize len)
{
    HelixVsock *vsock = conn->vsock;
    gsize taken = 0;

    while (taken < len) {
        gsize credit = helix_vsock_connection_credit(conn);
        gsize allowance = helix_vsock_allowance(conn);
        gssize room;
        gsize n;

        if (!credit) {
            if (!conn->credit_requested) {
                conn->credit_requested = TRUE;
                helix_vsock_connection_send_control(conn, HELIX_VSOCK_SEND_CREDIT_REQUEST);
            }
            break;
        }
        room = allowance ? helix_vsock_room(vsock) : -1;
        if (room < 0) {
            helix_vsock_enqueue(conn);
            break;
        }
        n = MIN(MIN(len - taken, credit), MIN((gsize)room, MIN(allowance, PACKET_LARGEST)));
        if (!n) {
            /* The buffer has room for a header only: use it up, or data would wait behind it. */
            helix_vsock_send(conn, HELIX_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
            continue;
        }
        conn->tx_cnt += (guint32)n;
        helix_vsock_send(conn, HELIX_VSOCK_OP_RW, 0, data + taken, n);
        taken += n;
        if (vsock->serving == conn) {
            vsock->quantum -= n;
        }
    }
    return taken;
}

static guint packet_op(guint bit)
{
    switch (bit) {
    case HELIX_VSOCK_SEND_REQUEST:
        return HELIX_VSOCK_OP_REQUEST;
    case HELIX_VSOCK_SEND_RESPONSE:
        return HELIX_VSOCK_OP_RESPONSE;
    case HELIX_VSOCK_SEND_CREDIT_UPDATE:
        return HELIX_VSOCK_OP_CREDIT_UPDATE;
    case HELIX_VSOCK_SEND_CREDIT_REQUEST:
        return HELIX_VSOCK_OP_CREDIT_REQUEST;
    case HELIX_VSOCK_SEND_SHUTDOWN:
        return HELIX_VSOCK_OP_SHUTDOWN;
    default:
        return HELIX_VSOCK_OP_RST;
    }
}

void helix_vsock_connection_serve(HelixVsockConnection *conn, gboolean callbacks)
{
    HelixVsock *vsock = conn->vsock;

    helix_vsock_connection_ref(conn);
    while (conn->pending && helix_vsock_room(vsock) >= 0) {
        guint bit = conn->pending & -conn->pending;

        conn->pending &= ~bit;
        helix_vsock_send(conn, packet_op(bit), bit == HELIX_VSOCK_SEND_SHUTDOWN ? conn->host_shut : 0, NULL, 0);
        if (bit == HELIX_VSOCK_SEND_RST) {
            helix_vsock_unlist(conn);
        }
    }
    if (callbacks && !conn->pending && conn->wants_write && conn->channel.user && helix_vsock_connection_credit(conn)) {
        conn->wants_write = FALSE;
        vsock->serving = conn;
        vsock->quantum = QUANTUM;
        conn->channel.user->writable(&conn->channel);
        vsock->serving = NULL;
    }
    if (conn->pending || (conn->wants_write && helix_vsock_connection_credit(conn))) {
        helix_vsock_enqueue(conn);
    }
    helix_vsock_connection_remove_if_done(conn);
    helix_vsock_connection_unref(conn); /* NOLINT(clang-analyzer-unix.Malloc): a reference is held */
}
