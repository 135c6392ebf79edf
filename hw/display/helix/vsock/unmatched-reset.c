/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unmatched-reset.c - RST for packets that belong to no connection (virtio 1.2, 5.10.6.4.1).
 */
#include "vsock-private.h"

void helix_vsock_send_unmatched_reset(HelixVsock *vsock)
{
    const HelixVsockUnmatched *stray = &vsock->unmatched[vsock->first_unmatched];
    HelixVsockHeader header = {
        .src_cid = stray->dst_cid,
        .dst_cid = stray->src_cid,
        .src_port = stray->dst_port,
        .dst_port = stray->src_port,
        .type = stray->type,
        .op = HELIX_VSOCK_OP_RST,
    };

    helix_vsock_put(vsock, &header, NULL, 0);
    vsock->first_unmatched = (vsock->first_unmatched + 1) % HELIX_VSOCK_MAX_UNMATCHED;
    vsock->n_unmatched--;
}

void helix_vsock_queue_unmatched_reset(HelixVsock *vsock, const HelixVsockHeader *header)
{
    HelixVsockUnmatched *stray;

    if (header->op == HELIX_VSOCK_OP_RST || vsock->n_unmatched == HELIX_VSOCK_MAX_UNMATCHED) {
        return;
    }
    stray = &vsock->unmatched[(vsock->first_unmatched + vsock->n_unmatched) % HELIX_VSOCK_MAX_UNMATCHED];
    stray->src_cid = header->src_cid;
    stray->dst_cid = header->dst_cid;
    stray->src_port = header->src_port;
    stray->dst_port = header->dst_port;
    stray->type = header->type;
    vsock->n_unmatched++;
}
