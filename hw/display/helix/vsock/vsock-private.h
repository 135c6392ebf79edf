/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vsock-private.h - one vsock connection, and the state that all connections of a device share. Private to this folder;
 * main loop.
 *
 * A call that may send is made between helix_vsock_enter() and helix_vsock_leave(). A connection may be freed by any
 * call of its user: a caller that goes on with it holds a reference.
 */
#ifndef HELIX_VSOCK_PRIVATE_H
#define HELIX_VSOCK_PRIVATE_H

#include "../loop/deferred.h"
#include "ring.h"
#include "vsock.h"

typedef enum HelixVsockState {
    HELIX_VSOCK_REQUESTED, /* the host sent REQUEST; the channel has no user yet */
    HELIX_VSOCK_OPEN,
    HELIX_VSOCK_CLOSING,   /* the user closed: SHUTDOWN was sent or is pending, the guest's RST is awaited */
    HELIX_VSOCK_RESETTING, /* only a RST to the guest is pending */
    HELIX_VSOCK_DRAINING,  /* the guest closed both directions; the user still takes buffered input */
    HELIX_VSOCK_DEAD,
} HelixVsockState;

/* Control packets to send, as bits, so that a pending one takes no memory; sent in this order. */
enum {
    HELIX_VSOCK_SEND_REQUEST = 1 << 0,
    HELIX_VSOCK_SEND_RESPONSE = 1 << 1,
    HELIX_VSOCK_SEND_CREDIT_UPDATE = 1 << 2,
    HELIX_VSOCK_SEND_CREDIT_REQUEST = 1 << 3,
    HELIX_VSOCK_SEND_SHUTDOWN = 1 << 4,
    HELIX_VSOCK_SEND_RST = 1 << 5,
};

typedef void (*HelixVsockConnected)(gpointer data, HelixChannel *channel, guint32 local_port);

typedef struct HelixVsockConnection {
    HelixChannel channel;
    HelixVsock *vsock;
    int refs; /* the table's, and one for each call in progress */
    HelixVsockState state;
    guint64 key; /* both ports, in the table */
    guint32 guest_port, host_port;
    guint pending;      /* HELIX_VSOCK_SEND_ bits */
    guint32 guest_shut; /* HELIX_VSOCK_SHUTDOWN_ bits that the guest sent so far */
    guint32 host_shut;  /* those that the host sent, or has pending */

    /* The guest's credit for the host's data. All counters wrap at 32 bits (5.10.6.3). */
    guint32 peer_buf_alloc, peer_fwd_cnt;
    guint32 tx_cnt;            /* bytes sent to the guest */
    gboolean credit_requested; /* CREDIT_REQUEST was sent since credit ran out */
    gboolean wants_write;      /* write() took less than it was given */

    /* The host's credit for the guest's data. */
    HelixVsockRing ring;       /* received, not consumed */
    guint32 rx_cnt;            /* bytes received */
    guint32 fwd_cnt;           /* bytes consumed */
    guint32 last_sent_fwd_cnt; /* fwd_cnt in the last packet sent: the value that the guest knows */
    gboolean paused;           /* input() consumed less than it was given */
    gboolean resumed;          /* resume_input() was called inside input() */
    gboolean in_input;
    gboolean eof_told;
    gboolean common; /* counts against the places that are not reserved */

    HelixVsockConnected connected; /* REQUESTED: called with the guest's answer */
    gpointer connected_data;
    guint timer;      /* GSource id: connect or close timeout */
    HelixTask expire; /* the timer has fired */
    HelixTask resume; /* offers input again */
    GList queue_link; /* in the queue for receive buffers if queue_link.data is set */
} HelixVsockConnection;

/* A RST for a packet that belongs to no connection: addresses and type as the peer sent them. */
typedef struct HelixVsockUnmatched {
    guint64 src_cid, dst_cid;
    guint32 src_port, dst_port;
    guint16 type;
} HelixVsockUnmatched;

#define HELIX_VSOCK_MAX_UNMATCHED 256u

/* Ports of connections that the host opens: above those of services, below VMADDR_PORT_ANY (0xFFFFFFFF). */
#define HELIX_VSOCK_FIRST_PORT 0x40000000u
#define HELIX_VSOCK_LAST_PORT 0xFFFFFFFEu

struct HelixVsock {
    HelixVsockConfig config;
    GHashTable *by_key;            /* key -> connection: those that packets of the guest can reach */
    GHashTable *all;               /* every connection; owns the table's reference */
    GQueue queue;                  /* connections that wait for receive buffers, served round-robin */
    guint n_common;                /* connections that count against the places that are not reserved */
    guint32 next_port;             /* for connections that the host opens */
    HelixVsockConnection *serving; /* the connection being served: may write up to @quantum bytes */
    gsize quantum;
    guint burst_left;               /* packets that may still be sent in the outermost call */
    gboolean placed;                /* rx_put() was called since the last rx_notify() */
    gboolean by_user;               /* the outermost call is a user's: no user is called before it returns */
    guint depth;                    /* of calls into the protocol */
    HelixDeferredQueue *deferred;   /* of the default context */
    HelixTask serve;                /* serves the queue again, users included */
    GPtrArray *closing;             /* connections that the reset in progress still has to close; NULL: no reset */
    HelixVsockUnmatched *unmatched; /* ring of HELIX_VSOCK_MAX_UNMATCHED */
    guint first_unmatched, n_unmatched;
};

static inline HelixVsockConnection *helix_vsock_from_channel(HelixChannel *channel)
{
    return (HelixVsockConnection *)channel;
}

/* ---- connection.c: a connection's life ---- */

/* A connection in the table, with one reference, which the table owns. */
HelixVsockConnection *helix_vsock_connection_new(HelixVsock *vsock, guint32 guest_port, guint32 host_port,
                                                 HelixVsockState state);
HelixVsockConnection *helix_vsock_connection_ref(HelixVsockConnection *conn);
void helix_vsock_connection_unref(HelixVsockConnection *conn);
/* The connection is over: tell the user, send nothing. */
void helix_vsock_connection_end(HelixVsockConnection *conn);
/* End it for the user and send the guest a RST. */
void helix_vsock_connection_reset(HelixVsockConnection *conn);
/*
 * The guest no longer knows the connection (RST, device reset): as _end(), but a user with write_closed() is offered
 * the buffered input first and what it does not take at once is lost. A DRAINING connection stays until its user has
 * taken all input.
 */
void helix_vsock_connection_peer_reset(HelixVsockConnection *conn);
/* Reset it after @ms, in an iteration of the main loop that has time for it. Stopping a stopped timer has no effect. */
void helix_vsock_connection_start_timer(HelixVsockConnection *conn, guint ms);
void helix_vsock_connection_stop_timer(HelixVsockConnection *conn);
/* Remove a connection that neither the guest nor the user uses. */
void helix_vsock_connection_remove_if_done(HelixVsockConnection *conn);
/* Tell the user, once, that the connection is over. */
void helix_vsock_connection_tell_closed(HelixVsockConnection *conn);

/* ---- receive.c: the guest's data ---- */

/* RW of the guest, with @len bytes. */
void helix_vsock_connection_data(HelixVsockConnection *conn, const guint8 *payload, gsize len);
/*
 * Offer buffered input until the user stops taking it or, unless this is the @last chance, the iteration's time budget
 * is spent. Then report end of stream, if it is reached.
 */
void helix_vsock_connection_deliver(HelixVsockConnection *conn, gboolean last);
void helix_vsock_connection_resume(HelixTask *task);
/* HelixChannelCarrier.resume_input. */
void helix_vsock_connection_resume_input(HelixChannel *channel);

/* ---- half-close.c ---- */

/* SHUTDOWN of the guest. */
void helix_vsock_connection_shutdown(HelixVsockConnection *conn, guint32 flags);
/* The guest receives no more: tell the user, whose writes are dropped from now on; a pending one must not wait. */
void helix_vsock_connection_tell_write_closed(HelixVsockConnection *conn);
/* HelixChannelCarrier.shutdown_write and shutdown_read. */
void helix_vsock_connection_shutdown_write(HelixChannel *channel);
void helix_vsock_connection_shutdown_read(HelixChannel *channel);

/* ---- credit.c: flow control (5.10.6.3) ---- */

/* Bytes that the guest has room for: 0 if it shrank its buffer below what is in flight. */
guint32 helix_vsock_connection_credit(const HelixVsockConnection *conn);
/* A packet of the guest carried its buf_alloc and fwd_cnt. */
void helix_vsock_connection_update_credit(HelixVsockConnection *conn, const HelixVsockHeader *header);
/* Send CREDIT_UPDATE if the guest, by what it knows, may soon stop sending. */
void helix_vsock_connection_check_credit_update(HelixVsockConnection *conn);

/* ---- send.c: packets of one connection ---- */

/* Send HELIX_VSOCK_SEND_ @bits once there is a receive buffer. */
void helix_vsock_connection_send_control(HelixVsockConnection *conn, guint bits);
/* Send as much of @data as credit, receive buffers and fairness allow; returns how many bytes. */
gsize helix_vsock_connection_place(HelixVsockConnection *conn, const guint8 *data, gsize len);
/* Receive buffers are there: send pending control packets, then, with @callbacks, let the user write. */
void helix_vsock_connection_serve(HelixVsockConnection *conn, gboolean callbacks);

/* ---- rx-queue.c: the guest's receive buffers ---- */

/* Around everything that may send: the outermost leave() serves the queue and notifies the guest. */
void helix_vsock_enter(HelixVsock *vsock, gboolean by_user);
void helix_vsock_leave(HelixVsock *vsock);
/* Wait for receive buffers; no effect if it waits already. */
void helix_vsock_enqueue(HelixVsockConnection *conn);
void helix_vsock_unqueue(HelixVsockConnection *conn);
/* Bytes that @conn may write now without overtaking others that wait: G_MAXSIZE, the rest of its quantum, or 0. */
gsize helix_vsock_allowance(HelixVsockConnection *conn);
/* As HelixVsockOps.rx_room(), but -1 also after BURST_PACKETS in one call: the rest is sent in a later iteration. */
gssize helix_vsock_room(HelixVsock *vsock);
/* One packet of @conn into the next receive buffer; only after helix_vsock_room() said that it fits. */
void helix_vsock_send(HelixVsockConnection *conn, guint op, guint32 flags, const guint8 *payload, gsize len);
void helix_vsock_put(HelixVsock *vsock, const HelixVsockHeader *header, const guint8 *payload, gsize len);
/* HelixVsock.serve. */
void helix_vsock_serve_again(HelixTask *task);

/* ---- unmatched-reset.c: RST to peers that have no connection ---- */

/* Remember to answer @header with a RST, unless it is one itself or HELIX_VSOCK_MAX_UNMATCHED are pending. */
void helix_vsock_queue_unmatched_reset(HelixVsock *vsock, const HelixVsockHeader *header);
/* Send the oldest; only if there is one and helix_vsock_room() said that it fits. */
void helix_vsock_send_unmatched_reset(HelixVsock *vsock);

/* ---- connection-table.c ---- */

/* The connection with these ports that packets of the guest reach; NULL: none. */
HelixVsockConnection *helix_vsock_find(HelixVsock *vsock, guint32 guest_port, guint32 host_port);
/* Packets of the guest no longer reach @conn. */
void helix_vsock_unlist(HelixVsockConnection *conn);
/* Remove @conn from table and queue; drops the table's reference. */
void helix_vsock_remove(HelixVsockConnection *conn);

/* ---- connection-limit.c ---- */

/* Whether there is no place for one more connection; @common: one that may not take a reserved place. */
gboolean helix_vsock_limit_reached(HelixVsock *vsock, gboolean common);
/* Count @conn against the places that are not reserved, until it is removed. */
void helix_vsock_limit_count(HelixVsockConnection *conn);

#endif
