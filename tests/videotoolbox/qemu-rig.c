/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu-rig.c - what stands behind the headers in qemu/. */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "system/cpus.h"
#include "system/runstate.h"
#include "trace/trace-hw_display_helix.h"
#include "qemu-rig.h"
#include "capture/texture-hooks.h"

QemuRig qemu_rig;

/* ---- the GPU ---- */

static DeviceState transport;

BusState *qdev_get_parent_bus(const DeviceState *dev)
{
    static BusState bus = { &transport };

    return &bus;
}

static void handle_ctrl(VirtIODevice *device, VirtQueue *queue)
{
    g_assert_true(queue == device->ctrl_vq && transport.mem_reentrancy_guard.engaged_in_io);
    qemu_rig.drained++;
    if (qemu_rig.guest) {
        qemu_rig.guest();
    }
}

Object *object_dynamic_cast(Object *object, const char *type)
{
    g_assert_cmpstr(type, ==, "virtio-gpu-gl-device");
    return object->gl ? object : NULL;
}

void qemu_rig_start(VirtIOGPU *g, bool gl)
{
    *g = (VirtIOGPU){ .klass = { .handle_ctrl = handle_ctrl },
                      .ctrl_vq = (VirtQueue *)&qemu_rig,
                      .gl = gl,
                      .renderer_state = RS_INITED };
    QTAILQ_INIT(&g->reslist);
    helix_resource_plugged(g, true);
    qemu_rig = (QemuRig){ 0 };
}

void qemu_rig_add(VirtIOGPU *g, struct virtio_gpu_simple_resource *resource, uint32_t id)
{
    *resource = (struct virtio_gpu_simple_resource){ .resource_id = id };
    QTAILQ_INSERT_TAIL(&g->reslist, resource, next);
}

/* ---- the main loop ---- */

struct QEMUBH {
    void (*run)(void *opaque);
    void *opaque;
    gint scheduled; /* atomic: any thread may do that */
};

AioContext *iohandler_get_aio_context(void)
{
    return NULL;
}

QEMUBH *aio_bh_new(AioContext *context, void (*run)(void *opaque), void *opaque)
{
    QEMUBH *bh = g_new0(QEMUBH, 1);

    bh->run = run;
    bh->opaque = opaque;
    return bh;
}

static gboolean run_bh(gpointer data)
{
    QEMUBH *bh = data;

    g_atomic_int_set(&bh->scheduled, FALSE);
    bh->run(bh->opaque);
    return G_SOURCE_REMOVE;
}

void qemu_bh_schedule(QEMUBH *bh)
{
    if (g_atomic_int_compare_and_exchange(&bh->scheduled, FALSE, TRUE)) {
        g_idle_add(run_bh, bh);
    }
}

bool qemu_in_vcpu_thread(void)
{
    return qemu_rig.vcpu_thread;
}

bool runstate_is_running(void)
{
    return !qemu_rig.stopped;
}

/* ---- trace events ---- */

void trace_helix_lookup(uint32_t resource, uint32_t width, uint32_t height, uint8_t source)
{
    qemu_rig.no_copy[0] = 0;
}

void trace_helix_lookup_found(uint32_t resource, uint32_t width, uint32_t height, uint32_t format, const char *path)
{
}

void trace_helix_lookup_no_copy(uint32_t resource, const char *message)
{
    g_strlcpy(qemu_rig.no_copy, message, sizeof(qemu_rig.no_copy));
}

void trace_helix_readback_thread(bool usable)
{
}

void trace_helix_gpu_readback(int64_t gpu_us, int64_t cpu_us)
{
    qemu_rig.gpu_us = gpu_us;
    g_atomic_int_set(&qemu_rig.measured, TRUE);
}

void trace_helix_lookup_failed(uint32_t resource, int code, const char *message)
{
}
