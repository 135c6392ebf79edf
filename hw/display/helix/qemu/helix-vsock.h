/* SPDX-License-Identifier: GPL-2.0-or-later */
/* helix-vsock.h - a virtio-vsock device in userspace, for any transport; helix-vsock-pci.c puts it on PCI. */
#ifndef HELIX_VSOCK_DEVICE_H
#define HELIX_VSOCK_DEVICE_H

#include "hw/virtio/virtio.h"
#include "qemu/notify.h"
#include "qemu/units.h"
#include "qom/object.h"
#include "../vsock/hybrid.h"
#include "../vsock/vsock.h"
#include "../capture/device-guard.h"

/* Bytes of credit per connection, and so the payload of the largest valid packet. */
#define HELIX_VSOCK_BUF_ALLOC (256 * KiB)

#define TYPE_HELIX_VSOCK "helix-vsock-device"
OBJECT_DECLARE_SIMPLE_TYPE(HelixVsockDevice, HELIX_VSOCK)

struct HelixVsockDevice {
    VirtIODevice parent_obj;

    uint64_t guest_cid; /* properties */
    char *uds_path;
    uint32_t max_connections;

    VirtQueue *rx_vq, *tx_vq, *event_vq;
    HelixVsock *vsock;
    HelixHybrid *hybrid; /* NULL without uds-path= */
    QEMUBH *bh;          /* works on the queues when no kick on the main loop does */
    bool kicks_in_loop;  /* kicks are delivered by ioeventfd, on the main loop */
    QEMUTimer *tx_timer; /* notifies the guest of used buffers of tx_vq */
    VMChangeStateEntry *vm_change;
    Notifier exit_notifier;

    VirtQueueElement *rx_elem; /* the next receive buffer, popped; NULL: none */
    uint8_t *payload; /* the payload of the guest's packet, copied so that the guest cannot change it during its use */
    MemReentrancyGuard *guard; /* engaged while entered is not 0 */
    unsigned entered;
    unsigned tx_unnotified;     /* descriptors of tx_vq used since the last notification */
    size_t tx_unnotified_bytes; /* payload bytes in them */
    bool in_burst;              /* the guest is notified once, at its end */
    bool rx_dirty;
    bool reset_pending; /* the driver reset the device: connections are closed before anything else */
    bool event_pending; /* TRANSPORT_RESET is to be sent to the driver */
    bool unplugged;     /* the queues must not be touched; a bottom half frees the rest */
};

/* ---- helix-vsock-queues.c ---- */

extern const HelixVsockOps helix_vsock_queue_ops;

/*
 * Add the queues at realize; stop and delete them at unrealize. Stop may be called from inside of the device's own
 * work, and the queues are not touched after it. Delete follows from a bottom half, when the protocol no longer calls
 * the device.
 */
void helix_vsock_queues_add(HelixVsockDevice *s);
void helix_vsock_queues_stop(HelixVsockDevice *s);
void helix_vsock_queues_delete(HelixVsockDevice *s);
/* The driver resets the device, or queue @index. Any thread with the BQL. */
void helix_vsock_queues_reset(HelixVsockDevice *s);
void helix_vsock_queues_reset_one(HelixVsockDevice *s, uint32_t index);

#endif
