/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio.h - stands in for QEMU's header of this name: the re-entrancy guard of the one transport there is. */
#ifndef HW_VIRTIO_H
#define HW_VIRTIO_H

#include <stdbool.h>

typedef struct MemReentrancyGuard {
    bool engaged_in_io;
} MemReentrancyGuard;

typedef struct DeviceState {
    MemReentrancyGuard mem_reentrancy_guard;
} DeviceState;

typedef struct BusState {
    DeviceState *parent;
} BusState;

#define DEVICE(g) ((DeviceState *)(void *)(g))

/* The transport's, whichever device it is asked of. */
BusState *qdev_get_parent_bus(const DeviceState *dev);

#endif
