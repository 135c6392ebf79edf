/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chain.h - a packet in a chain of virtqueue descriptors. A driver may use any number of descriptors and split anywhere
 * (virtio 1.2, 2.7.4).
 *
 * The descriptors' memory is the guest's and may change at any time: each byte is read once, into host memory, and
 * interpreted there. Pure functions, any thread.
 */
#ifndef HELIX_VSOCK_CHAIN_H
#define HELIX_VSOCK_CHAIN_H

#include <sys/uio.h>
#include "vsock.h"

/* Bytes of the chain; G_MAXSSIZE if the sum overflows gssize. */
gsize helix_vsock_chain_size(const struct iovec *iov, guint n);

/*
 * Read the packet in a chain: @header, and up to @most bytes of payload into @payload. *@len is the payload read:
 * header->len, or 0 if that exceeds the chain or @most, which the protocol answers without the payload. FALSE: the
 * chain is shorter than a header.
 */
gboolean helix_vsock_chain_take(const struct iovec *iov, guint n, HelixVsockHeader *header, guint8 *payload, gsize most,
                                gsize *len);

/* Payload bytes that fit the chain behind a header; -1 if not even that fits. */
gssize helix_vsock_chain_room(const struct iovec *iov, guint n);

/* Write a packet of @len bytes of payload, which fits as helix_vsock_chain_room() says; returns the bytes written. */
gsize helix_vsock_chain_put(const struct iovec *iov, guint n, const HelixVsockHeader *header, const guint8 *payload,
                            gsize len);

#endif
