/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vsock.h - a virtio-vsock device's protocol without the device: connections, credit, and who answers a port.
 *
 * Implements the stream part of virtio 1.2, clause 5.10 ("Socket Device"). Knows nothing of QEMU or virtqueues: the
 * device hands packets in with helix_vsock_receive() and gives receive buffers out through HelixVsockOps. Tested
 * against a scripted guest without a VM. Single-threaded: QEMU's main loop.
 */
#ifndef HELIX_VSOCK_H
#define HELIX_VSOCK_H

#include <glib.h>
#include "../core/channel.h"

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

void helix_vsock_header_parse(HelixVsockHeader *header, const guint8 bytes[HELIX_VSOCK_HEADER_SIZE]);
void helix_vsock_header_write(const HelixVsockHeader *header, guint8 bytes[HELIX_VSOCK_HEADER_SIZE]);

/* What the device does for the protocol. */
typedef struct HelixVsockOps {
    /* Payload bytes that fit the next receive buffer behind a header; -1 if no buffer is there (helix_vsock_rx_available()
     * will be called when one is). */
    gssize (*rx_room)(gpointer device);
    /* Fill the next receive buffer with one packet. Only after rx_room() said that it fits. */
    void (*rx_put)(gpointer device, const HelixVsockHeader *header, const guint8 *payload, gsize len);
    /* A burst of rx_put() is over: tell the guest once. */
    void (*rx_notify)(gpointer device);
} HelixVsockOps;

typedef struct HelixVsockConfig {
    guint64 guest_cid;
    guint32 buf_alloc;          /* bytes buffered a connection; 0: 256 KiB */
    guint max_connections;      /* 0: 1024 */
    const HelixVsockOps *ops;
    gpointer device;
    /* A guest asked for @port of CID 2. TRUE takes the channel over; FALSE resets the connection. */
    gboolean (*accept)(gpointer data, guint32 port, HelixChannel *channel);
    gpointer accept_data;
} HelixVsockConfig;

typedef struct HelixVsock HelixVsock;

HelixVsock *helix_vsock_new(const HelixVsockConfig *config);
void helix_vsock_free(HelixVsock *vsock);               /* closes every channel */

/* One packet from the guest; @len bytes of payload are there. Whatever is wrong with it is answered, never trusted. */
void helix_vsock_receive(HelixVsock *vsock, const HelixVsockHeader *header, const guint8 *payload, gsize len);
/* The guest made receive buffers available. */
void helix_vsock_rx_available(HelixVsock *vsock);
/* Device reset: the guest forgot every connection; close the channels, send nothing. */
void helix_vsock_reset(HelixVsock *vsock);

/*
 * Connect to @port in the guest. @connected is called once, with the channel (to be attached before it returns) or NULL
 * if the guest refused or went away.
 */
void helix_vsock_connect(HelixVsock *vsock, guint32 port, void (*connected)(gpointer data, HelixChannel *channel, guint32 local_port), gpointer data);

#endif
