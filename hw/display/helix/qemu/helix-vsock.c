/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helix-vsock.c - the virtio side of vsock: three virtqueues between the guest's driver and the protocol in ../vsock.
 *
 * A kick may come on any vCPU's thread, and what a connection ends in may use GL; so a kick does nothing but schedule
 * one bottom half of QEMU's main loop. Queues are touched on the main loop only, and never while the VM is stopped.
 */
#include "qemu/osdep.h"

#include "qapi/error.h"
#include "qemu/iov.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qemu/units.h"
#if __has_include("hw/core/qdev-properties.h")
#include "hw/core/qdev-properties.h"        /* QEMU 11 */
#else
#include "hw/qdev-properties.h"
#endif
#include "migration/vmstate.h"
#include "standard-headers/linux/virtio_ids.h"
#include "standard-headers/linux/virtio_vsock.h"
#include "system/runstate.h"
#include "system/system.h"

#include "helix-vsock.h"
#include "../core/turn.h"
#include "../helix-frame-export.h"
#include "../trace.h"
#include "../vsock/chain.h"

#define RX_QUEUE_SIZE       512     /* of 4 KiB each in Linux: 2 MiB can be on their way to the guest */
#define TX_QUEUE_SIZE       256
#define EVENT_QUEUE_SIZE    16
#define BUF_ALLOC           (256 * KiB)     /* credit a connection, and so the longest packet that can be right */
#define BURST_PACKETS       256     /* at most, before the main loop gets its turn */

static bool queues_usable(HelixVsockDevice *s)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(s);

    return vdev->vm_running && !vdev->broken && (vdev->status & VIRTIO_CONFIG_S_DRIVER_OK) && !s->reset_pending;
}

/* ---- to the guest ---- */

static VirtQueueElement *pop_or_arm(VirtQueue *vq)
{
    VirtQueueElement *elem = virtqueue_pop(vq, sizeof(*elem));

    if (!elem) {
        virtio_queue_set_notification(vq, 1);
        elem = virtqueue_pop(vq, sizeof(*elem));    /* it may have come in between */
    }
    if (elem) {
        virtio_queue_set_notification(vq, 0);
    }
    return elem;
}

/* HelixVsockOps */
static gssize rx_room(gpointer device)
{
    HelixVsockDevice *s = device;
    gssize room;

    if (!queues_usable(s)) {
        return -1;
    }
    if (!s->rx_elem) {
        s->rx_elem = pop_or_arm(s->rx_vq);
    }
    if (!s->rx_elem) {
        return -1;
    }
    room = helix_vsock_chain_room(s->rx_elem->in_sg, s->rx_elem->in_num);
    if (room < 0) {
        virtio_error(VIRTIO_DEVICE(s), "helix-vsock: a receive buffer has %zu bytes, a packet's header has %u",
                     helix_vsock_chain_size(s->rx_elem->in_sg, s->rx_elem->in_num), HELIX_VSOCK_HEADER_SIZE);
    }
    return room;
}

/* The registers are the transport's, and so is the guard that tells when a guest has them written by its buffers. */
static MemReentrancyGuard *guard_of(DeviceState *dev)
{
    return &qdev_get_parent_bus(dev)->parent->mem_reentrancy_guard;
}

/* What bounced is written here, and packets for the guest come from other places than the bottom half too. */
static void push_guarded(HelixVsockDevice *s, VirtQueue *vq, VirtQueueElement *elem, size_t size)
{
    MemReentrancyGuard *guard = guard_of(DEVICE(s));
    bool before = guard->engaged_in_io;

    guard->engaged_in_io = true;
    virtqueue_push(vq, elem, size);
    guard->engaged_in_io = before;
    g_free(elem);
}

static void rx_put(gpointer device, const HelixVsockHeader *header, const guint8 *payload, gsize len)
{
    HelixVsockDevice *s = device;
    VirtQueueElement *elem = g_steal_pointer(&s->rx_elem);
    size_t size;

    trace_helix_vsock_to_guest(header->src_port, header->dst_port, header->op, header->flags, header->len,
                               header->buf_alloc, header->fwd_cnt);
    size = helix_vsock_chain_put(elem->in_sg, elem->in_num, header, payload, len);
    push_guarded(s, s->rx_vq, elem, size);
}

static void rx_notify(gpointer device)
{
    HelixVsockDevice *s = device;

    if (s->in_burst) {
        s->rx_dirty = true;
    } else {
        virtio_notify(VIRTIO_DEVICE(s), s->rx_vq);
    }
}

static const HelixVsockOps vsock_ops = {
    .rx_room = rx_room,
    .rx_put = rx_put,
    .rx_notify = rx_notify,
};

/* 5.10.6.7: after a restore the guest must forget its connections, for this host knows none of them. */
static void send_event(HelixVsockDevice *s)
{
    struct virtio_vsock_event event = { .id = cpu_to_le32(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET) };
    VirtQueueElement *elem;

    if (!s->event_pending) {
        return;
    }
    elem = pop_or_arm(s->event_vq);
    if (!elem) {
        return;
    }
    s->event_pending = false;
    trace_helix_vsock_event(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
    push_guarded(s, s->event_vq, elem, iov_from_buf(elem->in_sg, elem->in_num, 0, &event, sizeof(event)));
    virtio_notify(VIRTIO_DEVICE(s), s->event_vq);
}

/* ---- from the guest ---- */

static bool receive_one(HelixVsockDevice *s, VirtQueueElement *elem)
{
    HelixVsockHeader header;
    size_t len;

    if (!helix_vsock_chain_take(elem->out_sg, elem->out_num, &header, s->payload, BUF_ALLOC, &len)) {
        virtio_error(VIRTIO_DEVICE(s), "helix-vsock: a packet of %zu bytes, its header alone has %u",
                     helix_vsock_chain_size(elem->out_sg, elem->out_num), HELIX_VSOCK_HEADER_SIZE);
        virtqueue_detach_element(s->tx_vq, elem, 0);
        g_free(elem);
        return false;
    }
    push_guarded(s, s->tx_vq, elem, 0);
    trace_helix_vsock_from_guest(header.src_port, header.dst_port, header.op, header.flags, header.len,
                                 header.buf_alloc, header.fwd_cnt);
    helix_vsock_receive(s->vsock, &header, s->payload, len);
    return true;
}

static void receive_all(HelixVsockDevice *s)
{
    gint64 begin = g_get_monotonic_time();
    unsigned packets = 0;

    while (queues_usable(s) && helix_vsock_can_receive(s->vsock)) {
        VirtQueueElement *elem;

        if (packets == BURST_PACKETS || g_get_monotonic_time() - begin > HELIX_TURN_BUDGET_US) {
            qemu_bh_schedule(s->bh);
            break;
        }
        elem = pop_or_arm(s->tx_vq);
        if (!elem || !receive_one(s, elem)) {
            break;
        }
        packets++;
    }
    if (packets) {
        virtio_notify(VIRTIO_DEVICE(s), s->tx_vq);
    }
}

/* ---- main loop ---- */

static void work(void *opaque)
{
    HelixVsockDevice *s = opaque;
    HELIX_TURN_SCOPE;

    if (s->reset_pending) {
        s->reset_pending = false;
        trace_helix_vsock_reset(helix_vsock_n_connections(s->vsock));
        helix_vsock_reset(s->vsock);
    }
    if (!queues_usable(s)) {
        return;
    }
    s->in_burst = true;
    send_event(s);
    helix_vsock_rx_available(s->vsock);
    receive_all(s);
    s->in_burst = false;
    if (s->rx_dirty) {
        s->rx_dirty = false;
        virtio_notify(VIRTIO_DEVICE(s), s->rx_vq);
    }
}

static void kicked(VirtIODevice *vdev, VirtQueue *vq)
{
    qemu_bh_schedule(HELIX_VSOCK(vdev)->bh);
}

static void vm_changed(void *opaque, bool running, RunState state)
{
    HelixVsockDevice *s = opaque;

    if (running) {
        qemu_bh_schedule(s->bh);    /* what came meanwhile, from either side */
    }
}

static gboolean accept_connection(gpointer opaque, guint32 port, HelixChannel *channel)
{
    HelixVsockDevice *s = opaque;
    g_autoptr(GError) error = NULL;

    if (helix_frame_export_accept(port, channel)) {
        trace_helix_vsock_accept(port, channel->peer, "frame export");
        return true;
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
    return features;    /* no feature bit of its own: stream sockets */
}

static void get_config(VirtIODevice *vdev, uint8_t *config)
{
    struct virtio_vsock_config vsock_config = { .guest_cid = cpu_to_le64(HELIX_VSOCK(vdev)->guest_cid) };

    memcpy(config, &vsock_config, sizeof(vsock_config));
}

static void drop_rx_elem(HelixVsockDevice *s)
{
    if (s->rx_elem) {
        virtqueue_detach_element(s->rx_vq, s->rx_elem, 0);
        g_clear_pointer(&s->rx_elem, g_free);
    }
}

/* The driver resets one queue (VIRTIO_F_RING_RESET). */
static void queue_reset(VirtIODevice *vdev, uint32_t index)
{
    HelixVsockDevice *s = HELIX_VSOCK(vdev);

    if (virtio_get_queue(vdev, (int)index) == s->rx_vq) {
        drop_rx_elem(s);
    }
}

/* On the vCPU's thread: users hear of it in the bottom half, before anything else happens. */
static void reset(VirtIODevice *vdev)
{
    HelixVsockDevice *s = HELIX_VSOCK(vdev);

    drop_rx_elem(s);
    s->event_pending = false;
    s->reset_pending = true;
    qemu_bh_schedule(s->bh);
}

static void close_host_side(HelixVsockDevice *s)
{
    g_clear_pointer(&s->vsock, helix_vsock_free);
    g_clear_pointer(&s->hybrid, helix_hybrid_free);
}

/* Users go, and so does the socket file. */
static void on_exit_notify(Notifier *notifier, void *data)
{
    HelixVsockDevice *s = container_of(notifier, HelixVsockDevice, exit_notifier);

    qemu_bh_cancel(s->bh);
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

/* Connections to the frame module have places of their own, which other ports cannot use up. */
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

static void realize(DeviceState *dev, Error **errp)
{
    HelixVsockDevice *s = HELIX_VSOCK(dev);
    VirtIODevice *vdev = VIRTIO_DEVICE(dev);
    HelixVsockConfig config = {
        .guest_cid = s->guest_cid,
        .buf_alloc = BUF_ALLOC,
        .ops = &vsock_ops,
        .device = s,
        .accept = accept_connection,
        .accept_data = s,
        .max_connections = s->max_connections,
        .reserved = s->max_connections / 8,
        .is_reserved = is_reserved,
    };
    g_autoptr(GError) error = NULL;

    if (!check_cid(s->guest_cid, errp) || !check_max_connections(s->max_connections, errp)) {
        return;
    }
    s->vsock = helix_vsock_new(&config);
    if (s->uds_path) {
        s->hybrid = helix_hybrid_new(NULL, s->vsock, s->uds_path, &error);
        if (!s->hybrid) {
            error_setg(errp, "uds-path: %s", error->message);
            close_host_side(s);
            return;
        }
    }
    virtio_init(vdev, VIRTIO_ID_VSOCK, sizeof(struct virtio_vsock_config));
    s->rx_vq = virtio_add_queue(vdev, RX_QUEUE_SIZE, kicked);
    s->tx_vq = virtio_add_queue(vdev, TX_QUEUE_SIZE, kicked);
    s->event_vq = virtio_add_queue(vdev, EVENT_QUEUE_SIZE, kicked);
    s->payload = g_malloc(BUF_ALLOC);
    s->bh = aio_bh_new_guarded(iohandler_get_aio_context(), work, s, guard_of(dev));
    s->vm_change = qemu_add_vm_change_state_handler(vm_changed, s);
    s->exit_notifier.notify = on_exit_notify;
    qemu_add_exit_notifier(&s->exit_notifier);
}

static void unrealize(DeviceState *dev)
{
    HelixVsockDevice *s = HELIX_VSOCK(dev);
    VirtIODevice *vdev = VIRTIO_DEVICE(dev);

    qemu_remove_exit_notifier(&s->exit_notifier);
    qemu_del_vm_change_state_handler(s->vm_change);
    s->reset_pending = true;    /* nothing goes to the guest any more */
    close_host_side(s);
    qemu_bh_delete(s->bh);
    drop_rx_elem(s);
    g_clear_pointer(&s->payload, g_free);
    virtio_delete_queue(s->rx_vq);
    virtio_delete_queue(s->tx_vq);
    virtio_delete_queue(s->event_vq);
    virtio_cleanup(vdev);
}

/* The buffer held in hand goes back, so that the queue that is saved has it. */
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

    s->event_pending = true;    /* connections do not travel */
    return 0;
}

static const VMStateDescription vmstate_helix_vsock = {
    .name = "helix-vsock",
    .version_id = 1,
    .minimum_version_id = 1,
    .pre_save = pre_save,
    .post_load = post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_VIRTIO_DEVICE,
        VMSTATE_END_OF_LIST()
    },
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
    dc->desc = "virtio-vsock, userspace";
    dc->vmsd = &vmstate_helix_vsock;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    vdc->realize = realize;
    vdc->unrealize = unrealize;
    vdc->get_features = get_features;
    vdc->get_config = get_config;
    vdc->reset = reset;
    vdc->queue_reset = queue_reset;
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
