/* SPDX-License-Identifier: GPL-2.0-or-later */
/* packet-header.c - the 44-byte header of a virtio-vsock packet, parsed and written. */
#include "vsock.h"

/* Offsets in struct virtio_vsock_hdr, virtio 1.2, 5.10.6. */
enum {
    AT_SRC_CID = 0,
    AT_DST_CID = 8,
    AT_SRC_PORT = 16,
    AT_DST_PORT = 20,
    AT_LEN = 24,
    AT_TYPE = 28,
    AT_OP = 30,
    AT_FLAGS = 32,
    AT_BUF_ALLOC = 36,
    AT_FWD_CNT = 40,
};

static guint64 get_le(const guint8 *bytes, guint size)
{
    guint64 value = 0;

    for (guint i = 0; i < size; i++) {
        value |= (guint64)bytes[i] << (8 * i);
    }
    return value;
}

static void put_le(guint8 *bytes, guint size, guint64 value)
{
    for (guint i = 0; i < size; i++) {
        bytes[i] = (guint8)(value >> (8 * i));
    }
}

void helix_vsock_header_parse(HelixVsockHeader *header, const guint8 bytes[HELIX_VSOCK_HEADER_SIZE])
{
    header->src_cid = get_le(bytes + AT_SRC_CID, 8);
    header->dst_cid = get_le(bytes + AT_DST_CID, 8);
    header->src_port = (guint32)get_le(bytes + AT_SRC_PORT, 4);
    header->dst_port = (guint32)get_le(bytes + AT_DST_PORT, 4);
    header->len = (guint32)get_le(bytes + AT_LEN, 4);
    header->type = (guint16)get_le(bytes + AT_TYPE, 2);
    header->op = (guint16)get_le(bytes + AT_OP, 2);
    header->flags = (guint32)get_le(bytes + AT_FLAGS, 4);
    header->buf_alloc = (guint32)get_le(bytes + AT_BUF_ALLOC, 4);
    header->fwd_cnt = (guint32)get_le(bytes + AT_FWD_CNT, 4);
}

void helix_vsock_header_write(const HelixVsockHeader *header, guint8 bytes[HELIX_VSOCK_HEADER_SIZE])
{
    put_le(bytes + AT_SRC_CID, 8, header->src_cid);
    put_le(bytes + AT_DST_CID, 8, header->dst_cid);
    put_le(bytes + AT_SRC_PORT, 4, header->src_port);
    put_le(bytes + AT_DST_PORT, 4, header->dst_port);
    put_le(bytes + AT_LEN, 4, header->len);
    put_le(bytes + AT_TYPE, 2, header->type);
    put_le(bytes + AT_OP, 2, header->op);
    put_le(bytes + AT_FLAGS, 4, header->flags);
    put_le(bytes + AT_BUF_ALLOC, 4, header->buf_alloc);
    put_le(bytes + AT_FWD_CNT, 4, header->fwd_cnt);
}
