/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helix-vsock-queues.c - packets between the virtqueues of helix-vsock and the protocol in vsock/.
 *
 * Queues are used on the main loop only, because a connection's user may use GL, and never while the VM is stopped. A
 * kick that arrives there by ioeventfd is served at once; any other one schedules a bottom half.
 *
 * Each access to a queue may write to an address of the guest's choice, so it is made under the device's re-entrancy
 * guard (device-guard.h). When it returns, the device may have been reset or unplugged.
 */
#include "qemu/osdep.h"

#include "qemu/iov.h"
#include "qemu/main-loop.h"
#include "standard-headers/linux/virtio_vsock.h"

#include "helix-vsock.h"
#include "../loop/loop-budget.h"
#include "../trace.h"
#include "../vsock/chain.h"

#define RX_QUEUE_SIZE 512 /* buffers of 4 KiB in Linux: 2 MiB may be in flight to the guest */
#define TX_QUEUE_SIZE 256
#define EVENT_QUEUE_SIZE 16
#define TX_QUEUE 1                  /* virtio 1.2, 5.10.2 */
#define BURST_PACKETS 256           /* packets of the guest received per iteration of the main loop */
#define TX_NOTICE_US 1000           /* the guest is notified of used tx buffers at most this much later */
#define TX_NOTICE_BYTES (128 * KiB) /* or after this much data: a Linux socket has 208 KiB in flight at most */

static bool queues_usable(HelixVsockDevice *s)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(s);

    return vdev->vm_running && !vdev->broken && (vdev->status & VIRTIO_CONFIG_S_DRIVER_OK) && !s->reset_pending &&
        !s->unplugged;
}

/* Entries nest. False: the device must not be entered now, and the bottom half is scheduled to try again. */
static bool enter(HelixVsockDevice *s)
{
    if (s->unplugged) {
        return false;
    }
    if (!s->entered) {
        s->guard = helix_device_enter(DEVICE(s));
        if (!s->guard) {
            qemu_bh_schedule(s->bh);
            return false;
        }
    }
    s->entered++;
    return true;
}

static void leave(HelixVsockDevice *s)
{
    if (--s->entered == 0) {
        helix_device_leave(s->guard);
    }
}

/* ---- to the guest ---- */

/* Writes nothing to the guest, and so needs no guard. */
static void put_back(VirtQueue *vq, VirtQueueElement *elem)
{
    virtqueue_detach_element(vq, elem, 0);
    g_free(elem);
}

/*
 * Pop the next buffer. NULL: there is none, or the device was reset or unplugged by the ring flags that are written
 * here.
 */
static VirtQueueElement *pop_or_arm(HelixVsockDevice *s, VirtQueue *vq)
{
    VirtQueueElement *elem = virtqueue_pop(vq, sizeof(*elem));

    if (!elem && queues_usable(s)) {
        virtio_queue_set_notification(vq, 1);
        elem = queues_usable(s) ? virtqueue_pop(vq, sizeof(*elem)) : NULL; /* one may have been added in between */
    }
    if (elem && queues_usable(s)) {
        virtio_queue_set_notification(vq, 0);
    }
    if (elem && !queues_usable(s)) {
        put_back(vq, elem);
        return NULL;
    }
    return elem;
}

static gssize next_room(HelixVsockDevice *s)
{
    gssize room;

    if (!s->rx_elem) {
        s->rx_elem = pop_or_arm(s, s->rx_vq);
    }
    if (!s->rx_elem) {
        return -1;
    }
    room = helix_vsock_chain_room(s->rx_elem->in_sg, s->rx_elem->in_num);
    if (room < 0) {
        virtio_error(VIRTIO_DEVICE(s),
                     "helix-vsock: a receive buffer of %zu bytes is smaller than a packet header of %u",
                     helix_vsock_chain_size(s->rx_elem->in_sg, s->rx_elem->in_num), HELIX_VSOCK_HEADER_SIZE);
    }
    return room;
}

/* HelixVsockOps */
static gssize rx_room(gpointer device)
{
    HelixVsockDevice *s = device;
    gssize room;

    if (!queues_usable(s) || !enter(s)) {
        return -1;
    }
    room = next_room(s);
    leave(s);
    return room;
}

/* Bounce buffers are written to the guest here. */
static void push(VirtQueue *vq, VirtQueueElement *elem, size_t size)
{
    virtqueue_push(vq, elem, size);
    g_free(elem);
}

static void rx_put(gpointer device, const HelixVsockHeader *header, const guint8 *payload, gsize len)
{
    HelixVsockDevice *s = device;
    VirtQueueElement *elem;
    size_t size;

    g_assert(s->rx_elem); /* rx_room() popped it, and nothing was written since */
    if (!enter(s)) {
        return;
    }
    elem = g_steal_pointer(&s->rx_elem);
    trace_helix_vsock_to_guest(header->src_port, header->dst_port, header->op, header->flags, header->len,
                               header->buf_alloc, header->fwd_cnt);
    size = helix_vsock_chain_put(elem->in_sg, elem->in_num, header, payload, len);
    push(s->rx_vq, elem, size);
    leave(s);
}

static void notify(HelixVsockDevice *s, VirtQueue *vq)
{
    if (queues_usable(s)) {
        virtio_notify(VIRTIO_DEVICE(s), vq);
    }
}

static void rx_notify(gpointer device)
{
    HelixVsockDevice *s = device;

    if (s->in_burst || !enter(s)) {
        s->rx_dirty = true; /* notified at the end of the burst, or from the bottom half */
        return;
    }
    notify(s, s->rx_vq);
    leave(s);
}

const HelixVsockOps helix_vsock_queue_ops = {
    .rx_room = rx_room,
    .rx_put = rx_put,
    .rx_notify = rx_notify,
};

/* 5.10.6.7: after a restore the guest must drop its connections, which this host does not know. */
static void send_event(HelixVsockDevice *s)
{
    struct virtio_vsock_event event = { .id = cpu_to_le32(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET) };
    VirtQueueElement *elem;

    if (!s->event_pending) {
        return;
    }
    elem = pop_or_arm(s, s->event_vq);
    if (!elem) {
        return;
    }
    s->event_pending = false;
    trace_helix_vsock_event(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
    push(s->event_vq, elem, iov_from_buf(elem->in_sg, elem->in_num, 0, &event, sizeof(event)));
    notify(s, s->event_vq);
}

/* ---- from the guest ---- */

static bool receive_one(HelixVsockDevice *s, VirtQueueElement *elem)
{
    HelixVsockHeader header;
    size_t len;

    if (!helix_vsock_chain_take(elem->out_sg, elem->out_num, &header, s->payload, HELIX_VSOCK_BUF_ALLOC, &len)) {
        virtio_error(VIRTIO_DEVICE(s), "helix-vsock: a packet of %zu bytes is smaller than its header of %u",
                     helix_vsock_chain_size(elem->out_sg, elem->out_num), HELIX_VSOCK_HEADER_SIZE);
        put_back(s->tx_vq, elem);
        return false;
    }
    s->tx_unnotified += elem->out_num;
    s->tx_unnotified_bytes += len;
    push(s->tx_vq, elem, 0);
    if (!queues_usable(s)) {
        return false;
    }
    trace_helix_vsock_from_guest(header.src_port, header.dst_port, header.op, header.flags, header.len,
                                 header.buf_alloc, header.fwd_cnt);
    helix_vsock_receive(s->vsock, &header, s->payload, len);
    return true;
}

static void clear_unnotified(HelixVsockDevice *s)
{
    s->tx_unnotified = 0;
    s->tx_unnotified_bytes = 0;
}

/* Notify the guest once of all used tx buffers. */
static void notify_used(void *opaque)
{
    HelixVsockDevice *s = opaque;
    HELIX_LOOP_SCOPE;

    if (!s->tx_unnotified || !queues_usable(s) || !enter(s)) {
        return;
    }
    clear_unnotified(s);
    timer_del(s->tx_timer);
    notify(s, s->tx_vq);
    leave(s);
}

/*
 * A guest waits for used tx buffers only when the queue or its socket's send buffer is full: an interrupt per packet
 * would only slow it down while it waits for its answer.
 */
static void notify_used_soon(HelixVsockDevice *s)
{
    if (s->tx_unnotified_bytes >= TX_NOTICE_BYTES ||
        s->tx_unnotified >= (unsigned)virtio_queue_get_num(VIRTIO_DEVICE(s), TX_QUEUE) / 4) {
        notify_used(s);
    } else if (s->tx_unnotified && !timer_pending(s->tx_timer)) {
        timer_mod(s->tx_timer, qemu_clock_get_us(QEMU_CLOCK_VIRTUAL) + TX_NOTICE_US);
    }
}

static void receive_all(HelixVsockDevice *s)
{
    unsigned packets = 0;

    while (queues_usable(s) && helix_vsock_can_receive(s->vsock)) {
        VirtQueueElement *elem;

        if (packets == BURST_PACKETS || (packets && helix_loop_budget_is_spent())) {
            qemu_bh_schedule(s->bh);
            break;
        }
        elem = pop_or_arm(s, s->tx_vq);
        if (!elem || !receive_one(s, elem)) {
            break;
        }
        packets++;
    }
    notify_used_soon(s);
}

/* ---- main loop ---- */

static void in_device(HelixVsockDevice *s)
{
    if (s->reset_pending) {
        trace_helix_vsock_reset(helix_vsock_n_connections(s->vsock));
        if (!helix_vsock_reset(s->vsock)) {
            qemu_bh_schedule(s->bh); /* the rest in the next iteration of the main loop, then the guest's packets */
            return;
        }
        s->reset_pending = false;
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
        notify(s, s->rx_vq);
    }
}

static void work(void *opaque)
{
    HelixVsockDevice *s = opaque;
    HELIX_LOOP_SCOPE;

    if (!s->vsock || !enter(s)) {
        return; /* no protocol: a thread other than the main loop's has called exit(), while the main loop still runs */
    }
    in_device(s);
    leave(s);
}

static void kicked(VirtIODevice *vdev, VirtQueue *vq)
{
    HelixVsockDevice *s = HELIX_VSOCK(vdev);

    if (!s->kicks_in_loop || s->in_burst) {
        qemu_bh_schedule(s->bh);
        return;
    }
    work(s);
}

/* ---- life ---- */

static void drop_rx_elem(HelixVsockDevice *s)
{
    if (s->rx_elem) {
        put_back(s->rx_vq, g_steal_pointer(&s->rx_elem));
    }
}

void helix_vsock_queues_reset_one(HelixVsockDevice *s, uint32_t index)
{
    if (virtio_get_queue(VIRTIO_DEVICE(s), (int)index) == s->rx_vq) {
        drop_rx_elem(s);
    } else if (index == TX_QUEUE) {
        clear_unnotified(s);
    }
}

void helix_vsock_queues_reset(HelixVsockDevice *s)
{
    drop_rx_elem(s);
    s->event_pending = false;
    clear_unnotified(s);
    timer_del(s->tx_timer);
    s->reset_pending = true;
    qemu_bh_schedule(s->bh);
}

void helix_vsock_queues_add(HelixVsockDevice *s)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(s);

    s->rx_vq = virtio_add_queue(vdev, RX_QUEUE_SIZE, kicked);
    s->tx_vq = virtio_add_queue(vdev, TX_QUEUE_SIZE, kicked);
    s->event_vq = virtio_add_queue(vdev, EVENT_QUEUE_SIZE, kicked);
    s->payload = g_malloc(HELIX_VSOCK_BUF_ALLOC);
    s->tx_timer = timer_new_us(QEMU_CLOCK_VIRTUAL, notify_used, s);
    s->bh = aio_bh_new(iohandler_get_aio_context(), work,
                       s); /* the bottom half engages the guard itself, or is scheduled again */
}

void helix_vsock_queues_stop(HelixVsockDevice *s)
{
    s->unplugged = true;
    timer_del(s->tx_timer);
    drop_rx_elem(s); /* QEMU frees the address space in which it is mapped */
}

void helix_vsock_queues_delete(HelixVsockDevice *s)
{
    qemu_bh_delete(s->bh);
    timer_free(s->tx_timer);
    g_clear_pointer(&s->payload, g_free);
    virtio_delete_queue(s->rx_vq);
    virtio_delete_queue(s->tx_vq);
    virtio_delete_queue(s->event_vq);
}
