/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vsock.c - packets of the guest, dispatched to their connections. */
#include "vsock-private.h"
#include "../loop/loop-budget.h"

#define DEFAULT_BUF_ALLOC (256u * 1024u)
#define DEFAULT_MAX_CONNECTIONS 1024u
#define DEFAULT_CONNECT_TIMEOUT_MS 5000u
#define DEFAULT_CLOSE_TIMEOUT_MS 8000u

/* ---- packets of the guest ---- */

static void receive_request(HelixVsock *vsock, const HelixVsockHeader *header)
{
    gboolean common = !vsock->config.reserved ||
        !vsock->config.is_reserved(vsock->config.accept_data, header->dst_port);
    HelixVsockConnection *conn;

    if (helix_vsock_limit_reached(vsock, common)) {
        helix_vsock_queue_unmatched_reset(vsock, header);
        return;
    }
    conn = helix_vsock_connection_new(vsock, header->src_port, header->dst_port, HELIX_VSOCK_OPEN);
    if (common) {
        helix_vsock_limit_count(conn);
    }
    helix_vsock_connection_update_credit(conn, header);
    conn->pending = HELIX_VSOCK_SEND_RESPONSE;
    helix_vsock_enqueue(conn);
    helix_vsock_connection_ref(conn);
    if (!vsock->config.accept(vsock->config.accept_data, header->dst_port, &conn->channel) ||
        (conn->state == HELIX_VSOCK_OPEN && !conn->channel.user)) {
        conn->channel.user = NULL;
        helix_vsock_connection_reset(conn);
    }
    helix_vsock_connection_unref(conn);
}

static void receive_response(HelixVsockConnection *conn)
{
    HelixVsockConnected connected = conn->connected;

    if (conn->state != HELIX_VSOCK_REQUESTED || (conn->pending & HELIX_VSOCK_SEND_REQUEST)) {
        helix_vsock_connection_reset(conn);
        return;
    }
    conn->state = HELIX_VSOCK_OPEN;
    conn->connected = NULL;
    helix_vsock_connection_stop_timer(conn);
    helix_vsock_connection_ref(conn);
    connected(conn->connected_data, &conn->channel, conn->host_port);
    if (conn->state == HELIX_VSOCK_OPEN && !conn->channel.user) {
        helix_vsock_connection_reset(conn);
    }
    helix_vsock_connection_unref(conn);
}

static void receive_known(HelixVsockConnection *conn, const HelixVsockHeader *header, const guint8 *payload)
{
    if (conn->state == HELIX_VSOCK_RESETTING || conn->state == HELIX_VSOCK_DRAINING) {
        if (header->op == HELIX_VSOCK_OP_RST) {
            helix_vsock_connection_peer_reset(conn);
        }
        return; /* the pending RST answers everything else */
    }
    helix_vsock_connection_update_credit(conn, header);
    switch (header->op) {
    case HELIX_VSOCK_OP_RESPONSE:
        receive_response(conn);
        break;
    case HELIX_VSOCK_OP_RST:
        helix_vsock_connection_peer_reset(conn);
        break;
    case HELIX_VSOCK_OP_SHUTDOWN:
        helix_vsock_connection_shutdown(conn, header->flags);
        break;
    case HELIX_VSOCK_OP_RW:
        helix_vsock_connection_data(conn, payload, header->len);
        break;
    case HELIX_VSOCK_OP_CREDIT_UPDATE:
        break;
    case HELIX_VSOCK_OP_CREDIT_REQUEST:
        /* Answered even if nothing changed: the guest may be waiting for it. */
        if (conn->state != HELIX_VSOCK_REQUESTED) {
            conn->pending |= HELIX_VSOCK_SEND_CREDIT_UPDATE;
            helix_vsock_enqueue(conn);
        }
        break;
    default: /* REQUEST for an existing connection, or an unknown op */
        helix_vsock_connection_reset(conn);
        break;
    }
}

void helix_vsock_receive(HelixVsock *vsock, const HelixVsockHeader *header, const guint8 *payload, gsize len)
{
    HelixVsockConnection *conn = NULL;
    gboolean ours = header->src_cid == vsock->config.guest_cid && header->dst_cid == HELIX_VSOCK_HOST_CID &&
        header->type == HELIX_VSOCK_TYPE_STREAM;

    if (vsock->closing) {
        return;
    }
    helix_vsock_enter(vsock, FALSE);
    if (ours) {
        conn = helix_vsock_find(vsock, header->src_port, header->dst_port);
    }
    if (conn && header->op == HELIX_VSOCK_OP_REQUEST && conn->state == HELIX_VSOCK_CLOSING) {
        helix_vsock_connection_end(conn); /* the guest reuses the port, so the old connection is over */
        conn = NULL;
    }
    if (conn && header->len > len) {
        helix_vsock_connection_reset(conn);
    } else if (conn) {
        receive_known(conn, header, payload);
    } else if (ours && header->op == HELIX_VSOCK_OP_REQUEST && header->len <= len) {
        receive_request(vsock, header);
    } else {
        helix_vsock_queue_unmatched_reset(vsock, header);
    }
    helix_vsock_leave(vsock);
}

gboolean helix_vsock_can_receive(HelixVsock *vsock)
{
    return !vsock->closing && vsock->n_unmatched < HELIX_VSOCK_MAX_UNMATCHED;
}

void helix_vsock_rx_available(HelixVsock *vsock)
{
    helix_vsock_enter(vsock, FALSE);
    helix_vsock_leave(vsock);
}

/* ---- life ---- */

static void set_default(guint *value, guint fallback)
{
    if (!*value) {
        *value = fallback;
    }
}

HelixVsock *helix_vsock_new(const HelixVsockConfig *config)
{
    HelixVsock *vsock = g_new0(HelixVsock, 1);

    vsock->config = *config;
    set_default(&vsock->config.buf_alloc, DEFAULT_BUF_ALLOC);
    set_default(&vsock->config.max_connections, DEFAULT_MAX_CONNECTIONS);
    set_default(&vsock->config.connect_timeout_ms, DEFAULT_CONNECT_TIMEOUT_MS);
    set_default(&vsock->config.close_timeout_ms, DEFAULT_CLOSE_TIMEOUT_MS);
    g_assert(vsock->config.reserved < vsock->config.max_connections);
    vsock->by_key = g_hash_table_new(g_int64_hash, g_int64_equal);
    vsock->all = g_hash_table_new(NULL, NULL);
    g_queue_init(&vsock->queue);
    vsock->unmatched = g_new(HelixVsockUnmatched, HELIX_VSOCK_MAX_UNMATCHED);
    vsock->next_port = HELIX_VSOCK_FIRST_PORT;
    vsock->deferred = helix_deferred_ref(NULL);
    vsock->serve.run = helix_vsock_serve_again;
    return vsock;
}
