/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device-guard.h - entering a virtio device of QEMU under its re-entrancy guard.
 *
 * A guest may point descriptors, rings and MSI messages at any register. QEMU has a flag per device
 * (MemReentrancyGuard) that refuses register accesses from inside of the device's own work. For virtio it is the flag
 * of the transport (the PCI or MMIO device around the virtio device): the transport owns the memory regions, and QEMU's
 * own bottom halves use its flag too (virtio_bh_new_guarded). The flag of the virtio device itself guards nothing. A
 * call into a device that pops, pushes, sets ring flags, notifies or runs commands writes to addresses of the guest's
 * choice, so it is made between enter and leave.
 *
 * The flag does not protect from everything: the configuration space of a PCI bus belongs to the host bridge, and a
 * write there can unplug or reset the device in the middle of its work. helix_device_keep() handles unplugging.
 */
#ifndef HELIX_DEVICE_GUARD_H
#define HELIX_DEVICE_GUARD_H

#include "hw/virtio/virtio.h"

/* The type of class_init()'s data: const from QEMU 10.1 on. */
#if QEMU_VERSION_MAJOR > 10 || (QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR >= 1)
#define HELIX_CLASS_DATA const void
#else
#define HELIX_CLASS_DATA void
#endif

/*
 * Engage the guard of virtio device @dev. NULL, and the device must not be entered: work of the device is on the stack
 * already, or on that of a vCPU that waits without the BQL (a GPU's reset); or the device has left its bus. BQL held.
 */
static inline MemReentrancyGuard *helix_device_enter(DeviceState *dev)
{
    BusState *bus = qdev_get_parent_bus(dev);
    MemReentrancyGuard *guard = bus && bus->parent ? &bus->parent->mem_reentrancy_guard : NULL;

    if (!guard || guard->engaged_in_io) {
        return NULL;
    }
    guard->engaged_in_io = true;
    return guard;
}

/* Disengage @guard, from enter. Its memory is valid even if the device was unplugged meanwhile. BQL held. */
static inline void helix_device_leave(MemReentrancyGuard *guard)
{
    guard->engaged_in_io = false;
}

/*
 * For a VirtioDeviceClass's unrealize, instead of freeing: @dev and its transport stay allocated, and @dev moves to a
 * bus without notifications, so that code in the middle of a queue can finish. If @then is not NULL, a bottom half of
 * the main loop calls it once no work of @dev is on the stack; QEMU frees both after it. BQL held, any thread.
 */
void helix_device_keep(DeviceState *dev, void (*then)(DeviceState *dev));

#endif
