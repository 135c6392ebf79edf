/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vsock.h - the protocol of a virtio-vsock device, without the device: connections and credit.
 *
 * Implements stream sockets of virtio 1.2, clause 5.10 ("Socket Device"). Knows nothing of QEMU or virtqueues: the
 * device passes packets in by helix_vsock_receive() and provides receive buffers through HelixVsockOps.
 * Single-threaded: QEMU's main loop.
 */
#ifndef HELIX_VSOCK_H
#define HELIX_VSOCK_H

#include <glib.h>
#include "../transport/channel.h"

#define HELIX_VSOCK_HOST_CID 2u

/* struct virtio_vsock_hdr of virtio 1.2, 5.10.6, in host byte order. */
typedef struct HelixVsockHeader {
    guint64 src_cid, dst_cid;
    guint32 src_port, dst_port;
    guint32 len;
    guint16 type, op;
    guint32 flags;
    guint32 buf_alloc, fwd_cnt;
} HelixVsockHeader;

#define HELIX_VSOCK_HEADER_SIZE 44u

/* virtio 1.2, 5.10.6: values of type, op and (for SHUTDOWN) flags. */
#define HELIX_VSOCK_TYPE_STREAM 1u
#define HELIX_VSOCK_OP_REQUEST 1u
#define HELIX_VSOCK_OP_RESPONSE 2u
#define HELIX_VSOCK_OP_RST 3u
#define HELIX_VSOCK_OP_SHUTDOWN 4u
#define HELIX_VSOCK_OP_RW 5u
#define HELIX_VSOCK_OP_CREDIT_UPDATE 6u
#define HELIX_VSOCK_OP_CREDIT_REQUEST 7u
#define HELIX_VSOCK_SHUTDOWN_RCV 1u  /* the sender receives no more */
#define HELIX_VSOCK_SHUTDOWN_SEND 2u /* the sender sends no more */
#define HELIX_VSOCK_SHUTDOWN_BOTH 3u

void helix_vsock_header_parse(HelixVsockHeader *header, const guint8 bytes[HELIX_VSOCK_HEADER_SIZE]);
void helix_vsock_header_write(const HelixVsockHeader *header, guint8 bytes[HELIX_VSOCK_HEADER_SIZE]);

/* Provided by the device. */
typedef struct HelixVsockOps {
    /*
     * Payload bytes that fit the next receive buffer behind a header; -1 if there is no buffer: the device then calls
     * helix_vsock_rx_available() when there is one.
     */
    gssize (*rx_room)(gpointer device);
    /* Fill the next receive buffer with one packet. Only after rx_room() said that it fits. */
    void (*rx_put)(gpointer device, const HelixVsockHeader *header, const guint8 *payload, gsize len);
    /* A burst of rx_put() has ended: notify the guest once. */
    void (*rx_notify)(gpointer device);
} HelixVsockOps;

typedef struct HelixVsockConfig {
    guint64 guest_cid;
    guint32 buf_alloc;        /* bytes buffered per connection; 0: 256 KiB */
    guint max_connections;    /* 0: 1024 */
    guint connect_timeout_ms; /* for the guest's answer to helix_vsock_connect(); 0: 5 s */
    guint close_timeout_ms;   /* for the guest's RST after the host closed; 0: 8 s */
    const HelixVsockOps *ops;
    gpointer device;
    /* A guest connects to @port of CID 2. TRUE: @channel has a user attached. FALSE resets the connection. */
    gboolean (*accept)(gpointer data, guint32 port, HelixChannel *channel);
    gpointer accept_data;
    /* Connections of max_connections that only host ports named by @is_reserved may use. */
    guint reserved;
    gboolean (*is_reserved)(gpointer data, guint32 port); /* accept_data */
} HelixVsockConfig;

typedef struct HelixVsock HelixVsock;

HelixVsock *helix_vsock_new(const HelixVsockConfig *config);
/* Close every channel. Must not be called from inside a callback of the protocol. */
void helix_vsock_free(HelixVsock *vsock);
/*
 * As helix_vsock_free(), but connections that do not fit one iteration of the main loop are closed in later ones. The
 * device and config->accept are not called from now on, and pending helix_vsock_connect() calls are answered before
 * this returns, so the owners of both may be freed.
 */
void helix_vsock_free_deferred(HelixVsock *vsock);

/*
 * Handle one packet from the guest with @len bytes of payload, in memory that the guest can't change. Invalid packets
 * are answered as 5.10.6 says (RST for an unknown type, an unknown connection, and for CIDs that are not the guest's
 * and the host's).
 */
void helix_vsock_receive(HelixVsock *vsock, const HelixVsockHeader *header, const guint8 *payload, gsize len);
/*
 * FALSE while the RSTs to unknown peers that wait for receive buffers are as many as can be stored: the device then
 * leaves the guest's packets in the tx queue (5.10.6.1) until helix_vsock_rx_available() has made room. A packet
 * received nevertheless gets no RST.
 */
gboolean helix_vsock_can_receive(HelixVsock *vsock);
/* The guest has made receive buffers available. */
void helix_vsock_rx_available(HelixVsock *vsock);
/*
 * Device reset: close the channels of all connections and send nothing. If the guest had shut down both directions of a
 * connection, its user still gets all input; of any other, a user with write_closed() gets as much as it takes at once.
 *
 * FALSE: there are more connections than fit one iteration of the main loop; call again in a later one. Until TRUE no
 * receive buffer is used and every packet is dropped, so that the guest, which may be another one by now, sees nothing
 * of old connections.
 */
gboolean helix_vsock_reset(HelixVsock *vsock);

/*
 * Connect to @port in the guest. @connected is called once, with the channel (a user must be attached before it
 * returns), or with NULL if the guest refused, did not answer in time or was reset. At the limit of connections it is
 * called with NULL before this returns.
 *
 * Beyond transport/channel.h: after the guest's SHUTDOWN with RCV, write() takes all bytes and drops them. Input that
 * the user has not consumed is limited to buf_alloc per connection and kept until the user takes it or closes. Output
 * is never buffered: write() places it in the guest's receive buffers or does not take it.
 */
void helix_vsock_connect(HelixVsock *vsock, guint32 port,
                         void (*connected)(gpointer data, HelixChannel *channel, guint32 local_port), gpointer data);
/* Number of connections, in any state. */
guint helix_vsock_n_connections(HelixVsock *vsock);

#endif
