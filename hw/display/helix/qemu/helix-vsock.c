/* SPDX-License-Identifier: GPL-2.0-or-later */
/* helix-vsock.c - the virtio device: properties, accepting connections, reset, save and restore. */
#include "qemu/osdep.h"

#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#if __has_include("hw/core/qdev-properties.h")
#include "hw/core/qdev-properties.h" /* QEMU 11 */
#else
#include "hw/qdev-properties.h"
#endif
#include "migration/vmstate.h"
#include "standard-headers/linux/virtio_ids.h"
#include "standard-headers/linux/virtio_vsock.h"
#include "system/runstate.h"
#include "system/system.h"

#include "helix-vsock.h"
#include "../transport/descriptors.h"
#include "../helix-frame-export.h"
#include "../trace.h"

/* The parent class's functions. */
static int (*start_by_loop)(VirtIODevice *vdev);
static void (*stop_by_loop)(VirtIODevice *vdev);

static int start_ioeventfd(VirtIODevice *vdev)
{
    int ret = start_by_loop(vdev);

    HELIX_VSOCK(vdev)->kicks_in_loop = ret >= 0;
    return ret;
}

/* The parent class delivers the last kicks itself, on the current thread. */
static void stop_ioeventfd(VirtIODevice *vdev)
{
    HELIX_VSOCK(vdev)->kicks_in_loop = false;
    stop_by_loop(vdev);
}

static void vm_changed(void *opaque, bool running, RunState state)
{
    HelixVsockDevice *s = opaque;

    if (running) {
        qemu_bh_schedule(s->bh); /* what arrived meanwhile, from either side */
    }
}

static gboolean accept_connection(gpointer opaque, guint32 port, HelixChannel *channel)
{
    HelixVsockDevice *s = opaque;
    g_autoptr(GError) error = NULL;

    /* Connections that the frame module refuses are reset: its port has no other service. */
    if (helix_frame_export_has_port(port)) {
        bool taken = helix_frame_export_accept(port, channel);

        trace_helix_vsock_accept(port, channel->peer, taken ? "frame export" : "refused by frame export");
        return taken;
    }
    if (s->hybrid && helix_hybrid_accept(s->hybrid, port, channel, &error)) {
        trace_helix_vsock_accept(port, channel->peer, "UNIX socket");
        return true;
    }
    trace_helix_vsock_accept(port, channel->peer, error ? error->message : "refused");
    return false;
}

/* ---- device ---- */

static uint64_t get_features(VirtIODevice *vdev, uint64_t features, Error **errp)
{
    return features; /* no device-specific feature: stream sockets only */
}

static void get_config(VirtIODevice *vdev, uint8_t *config)
{
    struct virtio_vsock_config vsock_config = { .guest_cid = cpu_to_le64(HELIX_VSOCK(vdev)->guest_cid) };

    memcpy(config, &vsock_config, sizeof(vsock_config));
}

/* The driver resets one queue (VIRTIO_F_RING_RESET). */
static void queue_reset(VirtIODevice *vdev, uint32_t index)
{
    helix_vsock_queues_reset_one(HELIX_VSOCK(vdev), index);
}

/* On the vCPU's thread; users are notified from the bottom half, before the queues are used again. */
static void reset(VirtIODevice *vdev)
{
    helix_vsock_queues_reset(HELIX_VSOCK(vdev));
}

/* Connections reserved for the frame module, see is_reserved(). */
static uint32_t reserved_places(const HelixVsockDevice *s)
{
    return s->max_connections / 8;
}

/* File descriptors that uds-path= may need: one for each connection that is not to the frame module. */
static unsigned descriptors(const HelixVsockDevice *s)
{
    return s->max_connections - reserved_places(s) + HELIX_HYBRID_DESCRIPTORS;
}

static void close_host_side(HelixVsockDevice *s)
{
    if (s->hybrid) {
        helix_descriptors_release(descriptors(s));
    }
    g_clear_pointer(&s->vsock, helix_vsock_free);
    g_clear_pointer(&s->hybrid, helix_hybrid_free);
}

/* Close all connections and remove the socket file. */
static void on_exit_notify(Notifier *notifier, void *data)
{
    HelixVsockDevice *s = container_of(notifier, HelixVsockDevice, exit_notifier);

    BQL_LOCK_GUARD();
    close_host_side(s);
}

static bool check_cid(uint64_t cid, Error **errp)
{
    if (cid <= HELIX_VSOCK_HOST_CID || cid >= UINT32_MAX) {
        error_setg(errp, "guest-cid=%" PRIu64 " is reserved: it must be from 3 to %" PRIu32, cid, UINT32_MAX - 1);
        return false;
    }
    return true;
}

/* Connections to other ports cannot use up the places of the frame module's. */
static gboolean is_reserved(gpointer opaque, guint32 port)
{
    return helix_frame_export_has_port(port);
}

static bool check_max_connections(uint32_t max, Error **errp)
{
    if (max < 8 || max > 65536) {
        error_setg(errp, "max-connections=%" PRIu32 " is out of range: it must be from 8 to 65536", max);
        return false;
    }
    return true;
}

static bool open_hybrid(HelixVsockDevice *s, Error **errp)
{
    g_autoptr(GError) error = NULL;

    if (!helix_descriptors_reserve(descriptors(s), &error)) {
        error_setg(errp, "max-connections=%" PRIu32 ": %s", s->max_connections, error->message);
        return false;
    }
    s->hybrid = helix_hybrid_new(NULL, s->vsock, s->uds_path, &error);
    if (!s->hybrid) {
        helix_descriptors_release(descriptors(s));
        error_setg(errp, "uds-path: %s", error->message);
    }
    return s->hybrid != NULL;
}

static void realize(DeviceState *dev, Error **errp)
{
    HelixVsockDevice *s = HELIX_VSOCK(dev);
    VirtIODevice *vdev = VIRTIO_DEVICE(dev);
    HelixVsockConfig config = {
        .guest_cid = s->guest_cid,
        .buf_alloc = HELIX_VSOCK_BUF_ALLOC,
        .ops = &helix_vsock_queue_ops,
        .device = s,
        .accept = accept_connection,
        .accept_data = s,
        .max_connections = s->max_connections,
        .reserved = reserved_places(s),
        .is_reserved = is_reserved,
    };

    if (!check_cid(s->guest_cid, errp) || !check_max_connections(s->max_connections, errp)) {
        return;
    }
    s->vsock = helix_vsock_new(&config);
    if (s->uds_path && !open_hybrid(s, errp)) {
        close_host_side(s);
        return;
    }
    virtio_init(vdev, VIRTIO_ID_VSOCK, sizeof(struct virtio_vsock_config));
    helix_vsock_queues_add(s);
    s->vm_change = qemu_add_vm_change_state_handler(vm_changed, s);
    s->exit_notifier.notify = on_exit_notify;
    qemu_add_exit_notifier(&s->exit_notifier);
}

/* Main loop, with none of the device's work on the stack. */
static void free_parts(DeviceState *dev)
{
    HelixVsockDevice *s = HELIX_VSOCK(dev);

    qemu_remove_exit_notifier(&s->exit_notifier);
    g_clear_pointer(&s->vsock, helix_vsock_free_deferred);
    close_host_side(s);
    helix_vsock_queues_delete(s);
}

/*
 * On a vCPU's thread, or inside of the device's own work if a guest's buffer lies on the slot control register of the
 * port above. A connection may be inside a call of its user: the protocol is freed later, followed by QEMU's
 * DEVICE_DELETED.
 */
static void unrealize(DeviceState *dev)
{
    HelixVsockDevice *s = HELIX_VSOCK(dev);

    qemu_del_vm_change_state_handler(s->vm_change);
    helix_vsock_queues_stop(s);
    virtio_cleanup(VIRTIO_DEVICE(dev));
    helix_device_keep(dev, free_parts);
}

/* Return the receive buffer that was popped in advance, so that the saved queue has it. */
static int pre_save(void *opaque)
{
    HelixVsockDevice *s = opaque;

    if (s->rx_elem) {
        virtqueue_unpop(s->rx_vq, s->rx_elem, 0);
        g_clear_pointer(&s->rx_elem, g_free);
    }
    return 0;
}

static int post_load(void *opaque, int version_id)
{
    HelixVsockDevice *s = opaque;

    s->event_pending = true; /* connections are not migrated */
    s->tx_unnotified = 1;    /* nor is whether the guest was notified */
    return 0;
}

static const VMStateDescription vmstate_helix_vsock = {
    .name = "helix-vsock",
    .version_id = 1,
    .minimum_version_id = 1,
    .pre_save = pre_save,
    .post_load = post_load,
    .fields = (const VMStateField[]){ VMSTATE_VIRTIO_DEVICE, VMSTATE_END_OF_LIST() },
};

static const Property helix_vsock_properties[] = {
    DEFINE_PROP_UINT64("guest-cid", HelixVsockDevice, guest_cid, 3),
    DEFINE_PROP_STRING("uds-path", HelixVsockDevice, uds_path),
    DEFINE_PROP_UINT32("max-connections", HelixVsockDevice, max_connections, 1024),
};

static void class_init(ObjectClass *klass, HELIX_CLASS_DATA *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    VirtioDeviceClass *vdc = VIRTIO_DEVICE_CLASS(klass);

    device_class_set_props(dc, helix_vsock_properties);
    dc->desc = "virtio-vsock device in userspace (no vhost)";
    dc->vmsd = &vmstate_helix_vsock;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    vdc->realize = realize;
    vdc->unrealize = unrealize;
    vdc->get_features = get_features;
    vdc->get_config = get_config;
    vdc->reset = reset;
    vdc->queue_reset = queue_reset;
    start_by_loop = vdc->start_ioeventfd;
    stop_by_loop = vdc->stop_ioeventfd;
    vdc->start_ioeventfd = start_ioeventfd;
    vdc->stop_ioeventfd = stop_ioeventfd;
}

static const TypeInfo helix_vsock_info = {
    .name = TYPE_HELIX_VSOCK,
    .parent = TYPE_VIRTIO_DEVICE,
    .instance_size = sizeof(HelixVsockDevice),
    .class_init = class_init,
};

static void register_types(void)
{
    type_register_static(&helix_vsock_info);
}

type_init(register_types)
