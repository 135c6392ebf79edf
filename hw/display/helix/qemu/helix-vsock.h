/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helix-vsock.h - virtio-vsock as a device of QEMU's own, for any transport; helix-vsock-pci.c puts it on PCI.
 */
#ifndef HELIX_VSOCK_DEVICE_H
#define HELIX_VSOCK_DEVICE_H

#include "hw/virtio/virtio.h"
#include "qemu/notify.h"
#include "qemu/units.h"
#include "qom/object.h"
#include "../vsock/hybrid.h"
#include "../vsock/vsock.h"
#include "../capture/device-guard.h"

/* Credit a connection, and so the longest packet that can be right. */
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
    QEMUBH *bh;          /* work on the queues that is not begun by a kick in the main loop */
    bool kicks_in_loop;  /* ioeventfd serves the queues' kicks */
    QEMUTimer *tx_timer; /* the guest is told what of tx_vq was taken */
    VMChangeStateEntry *vm_change;
    Notifier exit_notifier;

    VirtQueueElement *rx_elem; /* the next receive buffer, taken from the queue; NULL: none */
    uint8_t *payload;          /* the guest's packet, copied so that the guest cannot change it under our eyes */
    MemReentrancyGuard *guard; /* engaged while entered is not 0 */
    unsigned entered;
    unsigned tx_untold;     /* descriptors of tx_vq that were taken since the guest was told */
    size_t tx_untold_bytes; /* of payload in them */
    bool in_burst;          /* one notification at its end is enough */
    bool rx_dirty;
    bool reset_pending; /* the driver reset the device; the connections go before anything else happens */
    bool event_pending; /* TRANSPORT_RESET is owed to the driver */
    bool unplugged;     /* the queues are not to be touched; the rest goes from a bottom half */
};

/* ---- helix-vsock-queues.c ---- */

extern const HelixVsockOps helix_vsock_queue_ops;

/*
 * What realize and unrealize do about the queues. Stop: they are not touched again; it may be called from inside of the
 * device's own work. Delete, later: no connection is left in vsock.
 */
void helix_vsock_queues_add(HelixVsockDevice *s);
void helix_vsock_queues_stop(HelixVsockDevice *s);
void helix_vsock_queues_delete(HelixVsockDevice *s);
/* On any thread that holds the BQL: the driver resets the device, or queue @index. */
void helix_vsock_queues_reset(HelixVsockDevice *s);
void helix_vsock_queues_reset_one(HelixVsockDevice *s, uint32_t index);

#endif
