/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connection.h - one vsock connection, and the table it lives in. Private to this folder.
 *
 * connection.c keeps what belongs to one connection: its input buffer, its channel, its end; send.c what it sends.
 * vsock.c keeps what they share: the table, the guest's receive buffers and who gets the next one, RSTs to peers that
 * are in no table.
 */
#ifndef HELIX_VSOCK_CONNECTION_H
#define HELIX_VSOCK_CONNECTION_H

#include "../loop/deferred.h"
#include "ring.h"
#include "vsock.h"

typedef enum HelixVsockState {
    HELIX_VSOCK_REQUESTED, /* the host asked the guest; nobody has the channel yet */
    HELIX_VSOCK_OPEN,
    HELIX_VSOCK_CLOSING,   /* the user closed: SHUTDOWN went or goes out, the guest's RST is awaited */
    HELIX_VSOCK_RESETTING, /* nothing but a RST is owed to the guest */
    HELIX_VSOCK_DRAINING,  /* the guest is through with both directions; the user still takes buffered input */
    HELIX_VSOCK_DEAD,
} HelixVsockState;

/* Control packets owed to the guest: bits, so that owing costs no memory; sent in this order. */
enum {
    HELIX_VSOCK_OWES_REQUEST = 1 << 0,
    HELIX_VSOCK_OWES_RESPONSE = 1 << 1,
    HELIX_VSOCK_OWES_CREDIT_UPDATE = 1 << 2,
    HELIX_VSOCK_OWES_CREDIT_REQUEST = 1 << 3,
    HELIX_VSOCK_OWES_SHUTDOWN = 1 << 4,
    HELIX_VSOCK_OWES_RST = 1 << 5,
};

typedef void (*HelixVsockConnected)(gpointer data, HelixChannel *channel, guint32 local_port);

typedef struct HelixVsockConnection {
    HelixChannel channel;
    HelixVsock *vsock;
    int refs; /* the table's one, and one for each callback under way */
    HelixVsockState state;
    guint64 key; /* of the ports, in the table */
    guint32 guest_port, host_port;
    guint owes;         /* HELIX_VSOCK_OWES_ bits */
    guint32 guest_shut; /* HELIX_VSOCK_SHUTDOWN_ bits the guest sent so far, OR'ed */
    guint32 host_shut;  /* those that the host sent or owes */

    /* The guest's credit for the host's data. All counters wrap at 32 bits (5.10.6.3). */
    guint32 peer_buf_alloc, peer_fwd_cnt;
    guint32 tx_cnt;            /* bytes sent to the guest */
    gboolean credit_requested; /* a CREDIT_REQUEST went out since credit ran out */
    gboolean wants_write;      /* write() took less than it was given */

    /* The host's credit for the guest's data. */
    HelixVsockRing ring;  /* arrived, not consumed */
    guint32 rx_cnt;       /* bytes that arrived */
    guint32 fwd_cnt;      /* bytes consumed */
    guint32 told_fwd_cnt; /* fwd_cnt in the last packet sent: what the guest can know */
    gboolean paused;      /* input() consumed less than it was given */
    gboolean resumed;     /* resume_input() was called inside input() */
    gboolean in_input;
    gboolean eof_told;
    gboolean common; /* takes none of the reserved places */

    HelixVsockConnected connected; /* REQUESTED: who waits for the answer */
    gpointer connected_data;
    guint timer;      /* GSource id: connect or close timeout */
    HelixTask expire; /* the timer is due */
    HelixTask resume; /* input is offered again */
    GList queue_link; /* in the queue for receive buffers if queue_link.data is set */
} HelixVsockConnection;

struct HelixVsock {
    HelixVsockConfig config;
    GHashTable *by_key;            /* key -> connection: those that packets of the guest can reach */
    GHashTable *all;               /* every connection; owns the table's reference */
    GQueue queue;                  /* connections that wait for receive buffers, served in turn */
    guint n_common;                /* of all: see HelixVsockConfig.reserved */
    guint32 next_port;             /* for connections the host begins */
    HelixVsockConnection *serving; /* whose turn it is: may write up to @quantum bytes */
    gsize quantum;
    guint burst_left;          /* packets that may still go out in the outermost call */
    gboolean placed;           /* rx_put() was called since the last rx_notify() */
    gboolean by_user;          /* the outermost call is a user's: no user is called before it is over */
    guint depth;               /* of calls into the protocol */
    HelixDeferredQueue *later; /* of the default context */
    HelixTask serve;           /* the queue is served once more, callbacks included */
    GPtrArray *forgotten;      /* connections that the reset under way has yet to close, referenced; NULL: none is */
    struct HelixVsockStray *strays; /* RSTs owed to peers that are in no table: a ring */
    guint stray_first, n_strays;
};

/* ---- connection.c ---- */

/* A connection in the table, with one reference that the table owns. */
HelixVsockConnection *helix_vsock_connection_new(HelixVsock *vsock, guint32 guest_port, guint32 host_port,
                                                 HelixVsockState state);
HelixVsockConnection *helix_vsock_connection_ref(HelixVsockConnection *conn);
void helix_vsock_connection_unref(HelixVsockConnection *conn);
/* Send HELIX_VSOCK_OWES_ @bits once there is a receive buffer. */
void helix_vsock_connection_owe(HelixVsockConnection *conn, guint bits);
/* A packet of the guest carried its buf_alloc and fwd_cnt. */
void helix_vsock_connection_note_credit(HelixVsockConnection *conn, const HelixVsockHeader *header);
/* RW, SHUTDOWN, RST of the guest. */
void helix_vsock_connection_data(HelixVsockConnection *conn, const guint8 *payload, gsize len);
void helix_vsock_connection_shutdown(HelixVsockConnection *conn, guint32 flags);
/* The connection is no more: tell the user, send nothing. */
void helix_vsock_connection_end(HelixVsockConnection *conn);
/* End it for the user and owe the guest a RST. */
void helix_vsock_connection_reset(HelixVsockConnection *conn);
/*
 * The guest forgot it (RST, device reset): as _end(), but what a DRAINING connection holds still goes to its user, and
 * of another one's what the user takes at once.
 */
void helix_vsock_connection_forgotten(HelixVsockConnection *conn);
/* Reset it after @ms, in a turn of the main loop that has time for it; stopping has no effect on one that does not run.
 */
void helix_vsock_connection_start_timer(HelixVsockConnection *conn, guint ms);
void helix_vsock_connection_stop_timer(HelixVsockConnection *conn);
/* Let go of a connection that neither the guest nor the user has anything to do with. */
void helix_vsock_connection_remove_if_done(HelixVsockConnection *conn);

/* ---- send.c ---- */

/* Bytes the guest has room for: 0 if it shrank its buffer below what is in flight. */
guint32 helix_vsock_connection_credit(const HelixVsockConnection *conn);
/* Place as much as credit, receive buffers and fairness allow; returns how many bytes. */
gsize helix_vsock_connection_place(HelixVsockConnection *conn, const guint8 *data, gsize len);
/* Its turn for receive buffers: send what is owed, then, with @callbacks, let the user write. */
void helix_vsock_connection_serve(HelixVsockConnection *conn, gboolean callbacks);

/* ---- vsock.c, for connection.c ---- */

/* Around everything that may send: the outermost leave() serves the queue and notifies the guest. */
void helix_vsock_enter(HelixVsock *vsock, gboolean by_user);
void helix_vsock_leave(HelixVsock *vsock);
/* Wait for receive buffers (no effect if it waits already). */
void helix_vsock_queue(HelixVsockConnection *conn);
/* How much @conn may write now without passing others that wait: G_MAXSIZE, the rest of its quantum, or 0. */
gsize helix_vsock_allowance(HelixVsockConnection *conn);
/*
 * As HelixVsockOps.rx_room(), but -1 also when enough went out for one call: the rest goes when the main loop had its
 * turn.
 */
gssize helix_vsock_room(HelixVsock *vsock);
/* One packet of @conn into the next receive buffer; only after helix_vsock_room() said that it fits. */
void helix_vsock_send(HelixVsockConnection *conn, guint op, guint32 flags, const guint8 *payload, gsize len);
/* Packets of the guest reach @conn no more. */
void helix_vsock_unlist(HelixVsockConnection *conn);
/* Out of everything; drops the table's reference. */
void helix_vsock_remove(HelixVsockConnection *conn);

#endif
