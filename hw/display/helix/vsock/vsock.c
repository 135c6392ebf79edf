/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vsock.c - the table of connections: which packet belongs to whom, and who gets the guest's next receive buffer.
 */
#include "connection.h"
#include "../loop/loop-time.h"

#define DEFAULT_BUF_ALLOC (256u * 1024u)
#define DEFAULT_MAX_CONNECTIONS 1024u
#define DEFAULT_CONNECT_TIMEOUT_MS 5000u
#define DEFAULT_CLOSE_TIMEOUT_MS 8000u

/* Ports of connections the host begins: above those that services use, below VMADDR_PORT_ANY (0xFFFFFFFF). */
#define PORT_FIRST 0x40000000u
#define PORT_LAST 0xFFFFFFFEu

#define STRAYS_MOST 256u

/* Packets to the guest in one call: one that refills its ring as fast as it is filled would hold up the main loop. */
#define BURST_PACKETS 1024u

/* A RST owed to a peer that is in no table: where it goes, in the peer's words. */
typedef struct HelixVsockStray {
    guint64 src_cid, dst_cid;
    guint32 src_port, dst_port;
    guint16 type;
} HelixVsockStray;

/* ---- receive buffers ---- */

static gssize device_room(HelixVsock *vsock)
{
    return vsock->forgotten ? -1 : vsock->config.ops->rx_room(vsock->config.device);
}

gssize helix_vsock_room(HelixVsock *vsock)
{
    return vsock->burst_left ? device_room(vsock) : -1;
}

static void put(HelixVsock *vsock, const HelixVsockHeader *header, const guint8 *payload, gsize len)
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

    conn->told_fwd_cnt = conn->fwd_cnt;
    put(vsock, &header, payload, len);
}

void helix_vsock_queue(HelixVsockConnection *conn)
{
    if (!conn->queue_link.data) {
        conn->queue_link.data = conn;
        g_queue_push_tail_link(&conn->vsock->queue, &conn->queue_link);
    }
}

static void unqueue(HelixVsockConnection *conn)
{
    if (conn->queue_link.data) {
        g_queue_unlink(&conn->vsock->queue, &conn->queue_link);
        conn->queue_link.data = NULL;
    }
}

gsize helix_vsock_allowance(HelixVsockConnection *conn)
{
    HelixVsock *vsock = conn->vsock;
    const guint harmless = HELIX_VSOCK_OWES_CREDIT_UPDATE | HELIX_VSOCK_OWES_CREDIT_REQUEST;

    if (vsock->serving == conn) {
        return vsock->quantum;
    }
    if (conn->owes & ~harmless) {
        return 0; /* no data before RESPONSE */
    }
    return !vsock->queue.length || (vsock->queue.length == 1 && vsock->queue.head->data == conn) ? G_MAXSIZE : 0;
}

static void send_stray(HelixVsock *vsock)
{
    const HelixVsockStray *stray = &vsock->strays[vsock->stray_first];
    HelixVsockHeader header = {
        .src_cid = stray->dst_cid,
        .dst_cid = stray->src_cid,
        .src_port = stray->dst_port,
        .dst_port = stray->src_port,
        .type = stray->type,
        .op = HELIX_VSOCK_OP_RST,
    };

    put(vsock, &header, NULL, 0);
    vsock->stray_first = (vsock->stray_first + 1) % STRAYS_MOST;
    vsock->n_strays--;
}

/* A packet that belongs to nobody: answer with RST, but never a RST with a RST. */
static void owe_stray(HelixVsock *vsock, const HelixVsockHeader *header)
{
    HelixVsockStray *stray;

    if (header->op == HELIX_VSOCK_OP_RST || vsock->n_strays == STRAYS_MOST) {
        return;
    }
    stray = &vsock->strays[(vsock->stray_first + vsock->n_strays) % STRAYS_MOST];
    stray->src_cid = header->src_cid;
    stray->dst_cid = header->dst_cid;
    stray->src_port = header->src_port;
    stray->dst_port = header->dst_port;
    stray->type = header->type;
    vsock->n_strays++;
}

/*
 * Hand out receive buffers: a stray RST, then the next connection, and so on, so that neither starves the other.
 * Without @callbacks (the outermost call came from a user) only control packets go out: a user is not called from
 * inside its own call, nor another one's.
 */
static void serve_queue(HelixVsock *vsock, gboolean callbacks)
{
    guint turns = vsock->queue.length;

    while ((vsock->n_strays || vsock->queue.length) && helix_vsock_room(vsock) >= 0) {
        if (vsock->n_strays) {
            send_stray(vsock);
            if (helix_vsock_room(vsock) < 0) {
                break;
            }
        }
        if (!callbacks && !turns--) {
            break;
        }
        if (vsock->queue.length) {
            HelixVsockConnection *conn = vsock->queue.head->data;

            unqueue(conn);
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

static void serve_again(HelixTask *task)
{
    helix_vsock_rx_available((HelixVsock *)(gpointer)((guint8 *)task - offsetof(HelixVsock, serve)));
}

void helix_vsock_leave(HelixVsock *vsock)
{
    if (vsock->depth == 1) {
        serve_queue(vsock, !vsock->by_user);
        if ((vsock->n_strays || vsock->queue.length) && device_room(vsock) >= 0) {
            /* Buffers are there, so the device will not call; but this call is a user's, or others wait. */
            helix_deferred_add(vsock->later, &vsock->serve);
        }
        if (vsock->placed) {
            vsock->placed = FALSE;
            vsock->config.ops->rx_notify(vsock->config.device);
        }
    }
    vsock->depth--;
}

/* ---- the table ---- */

void helix_vsock_unlist(HelixVsockConnection *conn)
{
    if (g_hash_table_lookup(conn->vsock->by_key, &conn->key) == conn) {
        g_hash_table_remove(conn->vsock->by_key, &conn->key);
    }
}

void helix_vsock_remove(HelixVsockConnection *conn)
{
    unqueue(conn);
    helix_vsock_unlist(conn);
    if (g_hash_table_remove(conn->vsock->all, conn)) {
        conn->vsock->n_common -= conn->common;
        helix_vsock_connection_unref(conn);
    }
}

static HelixVsockConnection *find(HelixVsock *vsock, guint32 guest_port, guint32 host_port)
{
    guint64 key = (guint64)host_port << 32 | guest_port;

    return g_hash_table_lookup(vsock->by_key, &key);
}

static gboolean table_full(HelixVsock *vsock, gboolean common)
{
    return g_hash_table_size(vsock->all) >= vsock->config.max_connections ||
        (common && vsock->n_common >= vsock->config.max_connections - vsock->config.reserved);
}

/* @conn takes one of the places that are not reserved. */
static void count_common(HelixVsockConnection *conn)
{
    conn->common = TRUE;
    conn->vsock->n_common++;
}

/* ---- packets of the guest ---- */

static void receive_request(HelixVsock *vsock, const HelixVsockHeader *header)
{
    gboolean common = !vsock->config.reserved ||
        !vsock->config.is_reserved(vsock->config.accept_data, header->dst_port);
    HelixVsockConnection *conn;

    if (table_full(vsock, common)) {
        owe_stray(vsock, header);
        return;
    }
    conn = helix_vsock_connection_new(vsock, header->src_port, header->dst_port, HELIX_VSOCK_OPEN);
    if (common) {
        count_common(conn);
    }
    helix_vsock_connection_note_credit(conn, header);
    conn->owes = HELIX_VSOCK_OWES_RESPONSE;
    helix_vsock_queue(conn);
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

    if (conn->state != HELIX_VSOCK_REQUESTED || (conn->owes & HELIX_VSOCK_OWES_REQUEST)) {
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
            helix_vsock_connection_forgotten(conn);
        }
        return; /* the RST that is owed answers everything else */
    }
    helix_vsock_connection_note_credit(conn, header);
    switch (header->op) {
    case HELIX_VSOCK_OP_RESPONSE:
        receive_response(conn);
        break;
    case HELIX_VSOCK_OP_RST:
        helix_vsock_connection_forgotten(conn);
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
        /* Answered even if nothing changed: the guest may be waiting for just this. */
        if (conn->state != HELIX_VSOCK_REQUESTED) {
            conn->owes |= HELIX_VSOCK_OWES_CREDIT_UPDATE;
            helix_vsock_queue(conn);
        }
        break;
    default: /* REQUEST for a connection that is there, or an op that is not known */
        helix_vsock_connection_reset(conn);
        break;
    }
}

void helix_vsock_receive(HelixVsock *vsock, const HelixVsockHeader *header, const guint8 *payload, gsize len)
{
    HelixVsockConnection *conn = NULL;
    gboolean ours = header->src_cid == vsock->config.guest_cid && header->dst_cid == HELIX_VSOCK_HOST_CID &&
        header->type == HELIX_VSOCK_TYPE_STREAM;

    if (vsock->forgotten) {
        return;
    }
    helix_vsock_enter(vsock, FALSE);
    if (ours) {
        conn = find(vsock, header->src_port, header->dst_port);
    }
    if (conn && header->op == HELIX_VSOCK_OP_REQUEST && conn->state == HELIX_VSOCK_CLOSING) {
        helix_vsock_connection_end(conn); /* the guest uses the port again, so it is through with the old one */
        conn = NULL;
    }
    if (conn && header->len > len) {
        helix_vsock_connection_reset(conn);
    } else if (conn) {
        receive_known(conn, header, payload);
    } else if (ours && header->op == HELIX_VSOCK_OP_REQUEST && header->len <= len) {
        receive_request(vsock, header);
    } else {
        owe_stray(vsock, header);
    }
    helix_vsock_leave(vsock);
}

gboolean helix_vsock_can_receive(HelixVsock *vsock)
{
    return !vsock->forgotten && vsock->n_strays < STRAYS_MOST;
}

void helix_vsock_rx_available(HelixVsock *vsock)
{
    helix_vsock_enter(vsock, FALSE);
    helix_vsock_leave(vsock);
}

/* ---- connections the host begins ---- */

/* The next port that is free towards @guest_port; there is one, as there are more ports than connections. */
static guint32 take_port(HelixVsock *vsock, guint32 guest_port)
{
    guint32 port;

    do {
        port = vsock->next_port;
        vsock->next_port = port == PORT_LAST ? PORT_FIRST : port + 1;
    } while (find(vsock, guest_port, port));
    return port;
}

void helix_vsock_connect(HelixVsock *vsock, guint32 port, HelixVsockConnected connected, gpointer data)
{
    HelixVsockConnection *conn;

    if (table_full(vsock, TRUE)) {
        connected(data, NULL, 0);
        return;
    }
    helix_vsock_enter(vsock, TRUE);
    conn = helix_vsock_connection_new(vsock, port, take_port(vsock, port), HELIX_VSOCK_REQUESTED);
    count_common(conn);
    conn->connected = connected;
    conn->connected_data = data;
    helix_vsock_connection_start_timer(conn, vsock->config.connect_timeout_ms);
    conn->owes = HELIX_VSOCK_OWES_REQUEST;
    helix_vsock_queue(conn);
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
    vsock->strays = g_new(HelixVsockStray, STRAYS_MOST);
    vsock->next_port = PORT_FIRST;
    vsock->later = helix_deferred_ref(NULL);
    vsock->serve.run = serve_again;
    return vsock;
}

guint helix_vsock_n_connections(HelixVsock *vsock)
{
    return g_hash_table_size(vsock->all);
}
