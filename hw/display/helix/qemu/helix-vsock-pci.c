/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helix-vsock-pci.c - helix-vsock-device on PCI.
 */
#include "qemu/osdep.h"

#include "hw/virtio/virtio-pci.h"
#include "qemu/module.h"
#if __has_include("hw/core/qdev-properties.h")
#include "hw/core/qdev-properties.h" /* QEMU 11 */
#else
#include "hw/qdev-properties.h"
#endif

#include "helix-vsock.h"

#define TYPE_HELIX_VSOCK_PCI "helix-vsock-pci-base"
OBJECT_DECLARE_SIMPLE_TYPE(HelixVsockPCI, HELIX_VSOCK_PCI)

#define N_QUEUES 3

struct HelixVsockPCI {
    VirtIOPCIProxy parent_obj;
    HelixVsockDevice vdev;
};

/* With ioeventfd a kick does not block the vCPU, with or without KVM. */
static const Property helix_vsock_pci_properties[] = {
    DEFINE_PROP_BIT("ioeventfd", VirtIOPCIProxy, flags, VIRTIO_PCI_FLAG_USE_IOEVENTFD_BIT, true),
    DEFINE_PROP_UINT32("vectors", VirtIOPCIProxy, nvectors, N_QUEUES + 1),
};

static void helix_vsock_pci_realize(VirtIOPCIProxy *proxy, Error **errp)
{
    virtio_pci_force_virtio_1(proxy); /* virtio-vsock has no legacy interface */
    qdev_realize(DEVICE(&HELIX_VSOCK_PCI(proxy)->vdev), BUS(&proxy->bus), errp);
}

static void helix_vsock_pci_class_init(ObjectClass *klass, HELIX_CLASS_DATA *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);

    VIRTIO_PCI_CLASS(klass)->realize = helix_vsock_pci_realize;
    device_class_set_props(dc, helix_vsock_pci_properties);
    dc->desc = "virtio-vsock device in userspace (no vhost)";
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    pc->vendor_id = PCI_VENDOR_ID_REDHAT_QUMRANET;
    pc->device_id = PCI_DEVICE_ID_VIRTIO_VSOCK;
    pc->revision = VIRTIO_PCI_ABI_VERSION;
    pc->class_id = PCI_CLASS_COMMUNICATION_OTHER;
}

static void helix_vsock_pci_instance_init(Object *obj)
{
    HelixVsockPCI *dev = HELIX_VSOCK_PCI(obj);

    virtio_instance_init_common(obj, &dev->vdev, sizeof(dev->vdev), TYPE_HELIX_VSOCK);
}

static const VirtioPCIDeviceTypeInfo helix_vsock_pci_info = {
    .base_name = TYPE_HELIX_VSOCK_PCI,
    .generic_name = "helix-vsock-pci",
    .instance_size = sizeof(HelixVsockPCI),
    .instance_init = helix_vsock_pci_instance_init,
    .class_init = helix_vsock_pci_class_init,
};

static void helix_vsock_pci_register(void)
{
    virtio_pci_types_register(&helix_vsock_pci_info);
}

type_init(helix_vsock_pci_register)
