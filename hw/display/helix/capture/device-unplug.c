/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device-unplug.c - a device that is unplugged from inside of its own work. The re-entrancy guard is in device-guard.h.
 *
 * A guest unplugs a device by a register of the port above it, and a DMA write of the device itself may go there. QEMU
 * then unrealizes and frees the device while its code is on the stack. Here the device is moved to a bus of the
 * module's own instead, with references to it and to its transport.
 */
#include "qemu/osdep.h"
#include "hw/virtio/virtio-bus.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"

#include "device-guard.h"

#define TYPE_PARKING_BUS "helix-parking-bus"
#define TYPE_PARKING "helix-parking"

typedef struct Parked {
    struct rcu_head rcu;          /* first, for call_rcu() */
    DeviceState *dev, *transport; /* references */
    void (*then)(DeviceState *dev);
    QEMUBH *bh;
} Parked;

/* A virtio bus whose class has no operations. It needs a parent device, which is never realized. */
static BusState *parking_bus(void)
{
    static BusState *bus;

    if (!bus) {
        bus = qbus_new(TYPE_PARKING_BUS, DEVICE(object_new(TYPE_PARKING)), "helix-parking");
    }
    return bus;
}

/*
 * A bus drops its reference to a device by RCU, and @dev is part of its transport, so the transport is released later:
 * RCU callbacks run in order.
 */
static void free_parked(Parked *parked)
{
    object_unref(OBJECT(parked->dev));
    object_unref(OBJECT(parked->transport));
    g_free(parked);
}

static void unpark(void *opaque)
{
    Parked *parked = opaque;

    if (parked->transport->mem_reentrancy_guard
            .engaged_in_io) { /* a vCPU waits inside, for the bottom half of a reset */
        qemu_bh_schedule(parked->bh);
        return;
    }
    parked->then(parked->dev);
    object_unparent(OBJECT(parked->dev));
    qemu_bh_delete(parked->bh);
    call_rcu(parked, free_parked, rcu);
}

void helix_device_keep(DeviceState *dev, void (*then)(DeviceState *dev))
{
    DeviceState *transport = qdev_get_parent_bus(dev)->parent;
    Parked *parked;

    object_ref(OBJECT(dev));
    object_ref(OBJECT(transport));
    VIRTIO_DEVICE(dev)->broken = true; /* QEMU's queue functions do nothing with a broken device */
    qdev_set_parent_bus(dev, parking_bus(), &error_abort);
    if (then) {
        parked = g_new(Parked, 1);
        *parked = (Parked){ .dev = dev, .transport = transport, .then = then };
        parked->bh = aio_bh_new(iohandler_get_aio_context(), unpark, parked);
        qemu_bh_schedule(parked->bh);
    }
}

static void parking_class_init(ObjectClass *klass, HELIX_CLASS_DATA *data)
{
    DEVICE_CLASS(klass)->user_creatable = false;
}

static const TypeInfo parking_types[] = {
    { .name = TYPE_PARKING_BUS, .parent = TYPE_VIRTIO_BUS, .instance_size = sizeof(VirtioBusState) },
    { .name = TYPE_PARKING,
      .parent = TYPE_DEVICE,
      .instance_size = sizeof(DeviceState),
      .class_init = parking_class_init },
};

DEFINE_TYPES(parking_types)
