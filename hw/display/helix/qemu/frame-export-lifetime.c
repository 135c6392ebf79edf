/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame-export-lifetime.c - reset and unplugging of the exporting GPU, stop of the VM, exit of QEMU.
 *
 * QEMU does not unplug GPUs, but a guest can, by the slot control register of the PCIe port above one. The host is then
 * retired: it is freed when its threads have ended, and nothing waits for them.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "system/runstate.h"
#include "system/system.h"
#include "../capture/device-guard.h"
#include "../capture/texture-hooks.h"
#include "../loop/loop-budget.h"
#include "../trace.h"
#include "frame-export.h"

/* A host whose GPU was unplugged, until its threads have ended. */
typedef struct RetiredHost {
    HelixHost *host;
    Notifier exit_notifier;
} RetiredHost;

static void run_state_changed(void *opaque, bool running, RunState state)
{
    FrameExport *export = opaque;
    HELIX_LOOP_SCOPE;

    helix_host_set_running(export->host, running); /* writes nothing: streams continue from the main loop */
    if (running) {
        helix_resource_resume();
    }
}

static void reset_device(FrameExport *export)
{
    helix_resource_reset_begins();
    export->device_reset(VIRTIO_DEVICE(export->gpu));
    helix_resource_reset_ends();
}

/* The first answer that is written may unplug the GPU: the host is still valid then, @opaque is not. */
static void gpu_was_reset(void *opaque)
{
    FrameExport *export = opaque;
    HelixHost *host = export->host;
    HELIX_LOOP_SCOPE;

    if (export->reset_postponed) {
        export->reset_postponed = false;
        reset_device(export);
    }
    if (host) { /* else a thread other than the main loop's has called exit(), while the main loop still runs */
        trace_helix_export_reset(export->name);
        helix_resource_cancel_copies();
        helix_host_gpu_reset_end(host);
    }
}

/*
 * A virtio reset, by the guest's driver or of the whole machine, is observed by the class pointer: the GL device
 * initialises its renderer again only with the next command. A reset by the guest runs on a vCPU thread, so the host is
 * notified from the main loop; earlier requests find no resource from now on.
 *
 * A reset of the bus or the function comes by PCI configuration space, which the re-entrancy guard does not cover. From
 * inside of the GPU's commands it would free the command in progress: in that case the device is reset a little later.
 * While a vCPU waits for its reset, another one may unplug the GPU.
 */
static void watched_reset(VirtIODevice *vdev)
{
    if (vdev != VIRTIO_DEVICE(helix_frame_export->gpu)) {
        helix_frame_export->device_reset(vdev);
        return;
    }
    if (helix_frame_export->gpu->processing_cmdq || helix_gpu_entered()) {
        helix_frame_export->reset_postponed = true;
    } else {
        reset_device(helix_frame_export);
    }
    if (helix_frame_export && helix_frame_export->host) {
        helix_host_gpu_reset_begin(helix_frame_export->host);
    }
    if (helix_frame_export) {
        qemu_bh_schedule(helix_frame_export->reset_bh);
    }
}

static void host_is_gone(gpointer data)
{
    RetiredHost *retired = data;

    qemu_remove_exit_notifier(&retired->exit_notifier);
    g_free(retired);
}

static void qemu_exits_retired(Notifier *notifier, void *data)
{
    RetiredHost *retired = container_of(notifier, RetiredHost, exit_notifier);

    BQL_LOCK_GUARD();
    helix_host_free(retired->host);
    helix_resource_pause();
}

static void retire_host(HelixHost *host)
{
    RetiredHost *retired = g_new0(RetiredHost, 1);

    retired->host = host;
    retired->exit_notifier.notify = qemu_exits_retired;
    qemu_add_exit_notifier(&retired->exit_notifier);
    helix_host_retire(host, host_is_gone, retired);
}

/* GL and the display are torn down before exit notifiers are called: no thread may be inside of them then. */
static void qemu_shuts_down(Notifier *notifier, void *data)
{
    HELIX_LOOP_SCOPE;

    helix_resource_pause();
}

/*
 * End the encode threads and remove the socket file. vCPUs may still run, and so may the main loop if this is another
 * thread: reset and unrealize stay observed.
 */
static void qemu_exits(Notifier *notifier, void *data)
{
    FrameExport *export = container_of(notifier, FrameExport, exit_notifier);

    BQL_LOCK_GUARD();
    g_clear_pointer(&export->run_state_handler, qemu_del_vm_change_state_handler);
    helix_export_close_listener(export);
    if (helix_export_extension) {
        helix_export_extension->host_freed();
    }
    g_clear_pointer(&export->host, helix_host_free);
    helix_resource_pause();
    helix_resource_plugged(export->gpu, false);
    helix_resource_cancel_all(); /* the host is gone: no answer to a look-up starts another one */
}

/* A session, or work of the GPU's, may be on the stack, or this is a vCPU's thread: only the socket is closed here. */
static void let_go(FrameExport *export)
{
    VirtioDeviceClass *klass = VIRTIO_DEVICE_GET_CLASS(export->gpu);

    klass->reset = export->device_reset;
    klass->unrealize = export->device_unrealize;
    qemu_bh_delete(export->reset_bh);
    qemu_remove_exit_notifier(&export->exit_notifier);
    helix_export_remove_stats(export);
    g_clear_pointer(&export->run_state_handler, qemu_del_vm_change_state_handler);
    helix_export_close_listener(export);
    helix_resource_unwatch();
    helix_resource_plugged(export->gpu, false);
    if (export->host) {
        retire_host(export->host);
    }
    helix_frame_export = NULL;
    g_free(export->name);
    g_free(export);
}

/*
 * QEMU's GPUs are not hotpluggable: their own unrealize leaves consoles and, on a GL device, bottom halves and handlers
 * that point to freed memory, and no other GPU can be plugged. So the device stays allocated, with its renderer, until
 * QEMU exits.
 */
static void watched_unrealize(DeviceState *dev)
{
    if (dev == DEVICE(helix_frame_export->gpu)) {
        let_go(helix_frame_export);
        helix_device_keep(dev, NULL);
    } else {
        helix_frame_export->device_unrealize(dev);
    }
}

/* Registered until QEMU exits: the read-back thread outlives the GPU. */
static void watch_shutdown(void)
{
    static Notifier notifier = { .notify = qemu_shuts_down };
    static bool watching;

    if (!watching) {
        watching = true;
        qemu_register_shutdown_notifier(&notifier);
    }
}

void helix_export_watch_device(FrameExport *export)
{
    VirtioDeviceClass *klass = VIRTIO_DEVICE_GET_CLASS(export->gpu);

    export->device_reset = klass->reset;
    export->device_unrealize = klass->unrealize;
    klass->reset = watched_reset;
    klass->unrealize = watched_unrealize;
    helix_resource_watch(export->gpu);
    export->reset_bh = aio_bh_new(iohandler_get_aio_context(), gpu_was_reset,
                                  export); /* the bottom half needs no guard: look-ups engage it */
    export->run_state_handler = qemu_add_vm_change_state_handler(run_state_changed, export);
    watch_shutdown();
    helix_resource_plugged(export->gpu, true);
    export->exit_notifier.notify = qemu_exits;
    qemu_add_exit_notifier(&export->exit_notifier);
}
