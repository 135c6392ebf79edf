/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vsock.h - a virtio-vsock device's protocol without the device: connections, credit, and the services of ports.
 *
 * Implements the stream part of virtio 1.2, clause 5.10 ("Socket Device"). Knows nothing of QEMU or virtqueues: the
 * device hands packets in with helix_vsock_receive() and gives receive buffers out through HelixVsockOps. Tested
 * against a scripted guest without a VM. Single-threaded: QEMU's main loop.
 */
#ifndef HELIX_VSOCK_H
#define HELIX_VSOCK_H

#include <glib.h>
#include "../transport/channel.h"

#define HELIX_VSOCK_HOST_CID 2u

/* virtio 1.2, 5.10.6: struct virtio_vsock_hdr, host byte order here. */
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
#define HELIX_VSOCK_SHUTDOWN_RCV 1u  /* the sender of the packet will receive no more */
#define HELIX_VSOCK_SHUTDOWN_SEND 2u /* the sender of the packet will send no more */
#define HELIX_VSOCK_SHUTDOWN_BOTH 3u

void helix_vsock_header_parse(HelixVsockHeader *header, const guint8 bytes[HELIX_VSOCK_HEADER_SIZE]);
void helix_vsock_header_write(const HelixVsockHeader *header, guint8 bytes[HELIX_VSOCK_HEADER_SIZE]);

/* What the device does for the protocol. */
typedef struct HelixVsockOps {
    /*
     * Payload bytes that fit the next receive buffer behind a header; -1 if no buffer is there: the device then calls
     * helix_vsock_rx_available() when one is.
     */
    gssize (*rx_room)(gpointer device);
    /* Fill the next receive buffer with one packet. Only after rx_room() said that it fits. */
    void (*rx_put)(gpointer device, const HelixVsockHeader *header, const guint8 *payload, gsize len);
    /* A burst of rx_put() is over: tell the guest once. */
    void (*rx_notify)(gpointer device);
} HelixVsockOps;

typedef struct HelixVsockConfig {
    guint64 guest_cid;
    guint32 buf_alloc;        /* bytes buffered a connection; 0: 256 KiB */
    guint max_connections;    /* 0: 1024 */
    guint connect_timeout_ms; /* for the guest's answer to helix_vsock_connect(); 0: 5 s */
    guint close_timeout_ms;   /* for the guest's RST after the host closed; 0: 8 s */
    const HelixVsockOps *ops;
    gpointer device;
    /* A guest asked for @port of CID 2. TRUE takes the channel over (attached by then); FALSE resets the connection. */
    gboolean (*accept)(gpointer data, guint32 port, HelixChannel *channel);
    gpointer accept_data;
    /* So many of max_connections are only for ports of the host that @is_reserved names, whatever the others use up. */
    guint reserved;
    gboolean (*is_reserved)(gpointer data, guint32 port); /* accept_data */
} HelixVsockConfig;

typedef struct HelixVsock HelixVsock;

HelixVsock *helix_vsock_new(const HelixVsockConfig *config);
/* Closes every channel. Not from inside a callback of the protocol. */
void helix_vsock_free(HelixVsock *vsock);
/*
 * As helix_vsock_free(), but what does not fit one iteration of the main loop is closed in later ones. Neither the
 * device nor accept() is called from now on, and every helix_vsock_connect() is answered before this returns.
 */
void helix_vsock_free_deferred(HelixVsock *vsock);

/*
 * One packet from the guest; @len bytes of payload are there, in memory that the guest cannot reach. Whatever is
 * wrong with it is answered (clause 5.10.6: RST for an unknown type, an unknown connection, CIDs that are not the
 * guest's and the host's), never trusted.
 */
void helix_vsock_receive(HelixVsock *vsock, const HelixVsockHeader *header, const guint8 *payload, gsize len);
/*
 * FALSE while so many RSTs to unknown peers wait for receive buffers that no more can be remembered: the device then
 * leaves the guest's packets in the tx queue (5.10.6.1) until helix_vsock_rx_available() has made room. A packet
 * handed in all the same loses its RST.
 */
gboolean helix_vsock_can_receive(HelixVsock *vsock);
/* The guest made receive buffers available. */
void helix_vsock_rx_available(HelixVsock *vsock);
/*
 * Device reset: the guest forgot every connection; close the channels, send nothing. Input of connections that the
 * guest had shut down in both directions before still reaches its user; of the others, what the user takes at once.
 *
 * FALSE: there are more than fit one iteration of the main loop, call again in a later one. Until TRUE no receive
 * buffer is used and every packet handed in is dropped, so that the guest, which may be another one by now, sees
 * nothing of old connections.
 */
gboolean helix_vsock_reset(HelixVsock *vsock);

/*
 * Connect to @port in the guest. @connected is called once, with the channel (to be attached before it returns) or
 * NULL if the guest refused, did not answer in time or went away. With every connection in use it is called with NULL
 * before this returns.
 *
 * What a channel of this carrier does beyond transport/channel.h: after the guest said that it receives no more
 * (SHUTDOWN with RCV), write() takes everything and drops it. Data the user has not consumed is bounded by buf_alloc a
 * connection, and kept until the user takes it or closes; data for the guest is never held at all: write() places it in
 * the guest's receive buffers or does not take it.
 */
void helix_vsock_connect(HelixVsock *vsock, guint32 port,
                         void (*connected)(gpointer data, HelixChannel *channel, guint32 local_port), gpointer data);
/* Connections known now, whatever their state. */
guint helix_vsock_n_connections(HelixVsock *vsock);

#endif
