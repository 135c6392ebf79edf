/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame-export.c - the frame module inside QEMU: properties in, a HelixHost beside one virtio-gpu, and what becomes
 * of it when the VM stops, resets or ends.
 *
 * There is at most one exporting GPU in a VM. The module is made when that GPU is realized and lives until QEMU
 * exits. QEMU does not unplug GPUs, but a guest can, by the slot control of the PCIe port above one. The host is then
 * retired: it ends by itself, when its threads have ended, and nothing waits for them.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qobject/qjson.h"
#include "qobject/qobject.h"
#include "system/runstate.h"
#include "system/system.h"
#include "../transport/descriptors.h"
#include "../stream/host.h"
#include "../loop/loop-time.h"
#include "../helix-frame-export.h"
#include "../trace.h"
#include "../capture/device-guard.h"
#include "../capture/texture-hooks.h"
#include "frame-export.h"

typedef struct FrameExport {
    VirtIOGPU *gpu;
    char *name; /* QOM path of the device */
    uint32_t port;
    HelixHost *host;
    HelixListener *listener;
    void (*device_reset)(VirtIODevice *vdev);
    void (*device_unrealize)(DeviceState *dev);
    bool reset_postponed; /* the device's own reset is still to come */
    QEMUBH *reset_bh;
    VMChangeStateEntry *run_state_handler;
    Notifier exit_notifier;
} FrameExport;

const HelixExportExtension *helix_export_extension;

/* Set when whole. */
static FrameExport *frame_export;

/* A host without a GPU, until its threads have ended. */
typedef struct RetiredHost {
    HelixHost *host;
    Notifier exit_notifier;
} RetiredHost;

static const char stats_name[] = "helix-stats";

static void log_line(gpointer data, const char *line)
{
    info_report("helix: %s", line);
}

static void trace_frame(gpointer data, const HelixFrameRecord *r)
{
    const char *path = r->error ? "-" : helix_host_path_name(r->path);
    guint64 us[HELIX_N_STAGES];

    helix_frame_stages(r, us);
    trace_helix_frame_queued(r->connection, r->session_id, r->pts, r->resource_id, (int64_t)us[HELIX_STAGE_QUEUED]);
    trace_helix_frame_resolved(r->connection, r->session_id, r->pts, (int64_t)us[HELIX_STAGE_RESOLVED], path,
                               r->cpu_bytes);
    trace_helix_frame_encoded(r->connection, r->session_id, r->pts, (int64_t)us[HELIX_STAGE_ENCODED], r->bytes,
                              r->keyframe, r->dropped);
    trace_helix_frame_returned(r->connection, r->session_id, r->pts, (int64_t)us[HELIX_STAGE_RETURNED], r->error);
}

static const HelixHostHooks hooks = { .log = log_line, .frame = trace_frame };

/* On the main loop, as all that asks. */
static bool has_streams(void)
{
    return frame_export && frame_export->host && helix_host_n_streams(frame_export->host) > 0;
}

static void get_stats(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    FrameExport *export = opaque;
    g_autofree char *json = NULL;
    QObject *stats;

    if (!export->host) {
        error_setg(errp, "%s: QEMU exits", name);
        return;
    }
    json = helix_host_stats_json(export->host);
    stats = qobject_from_json(json, errp);
    if (stats) {
        visit_type_any(v, name, &stats, errp);
        qobject_unref(stats);
    }
}

/* The PCI or MMIO device around the virtio device, or NULL. */
static Object *proxy(FrameExport *export)
{
    Object *parent = OBJECT(export->gpu)->parent;

    return parent && object_dynamic_cast(parent, TYPE_DEVICE) ? parent : NULL;
}

/* On the virtio device, and where people have a name for it. */
static void add_stats(FrameExport *export)
{
    Object *gpu = OBJECT(export->gpu);

    if (helix_export_extension) {
        helix_export_extension->added(export->gpu, export->host);
    }
    object_property_add(gpu, stats_name, "HelixStats", get_stats, NULL, NULL, export);
    object_property_set_description(gpu, stats_name, "Counters and times of the exported frames");
    if (proxy(export)) {
        object_property_add_alias(proxy(export), stats_name, gpu, stats_name);
    }
}

static void remove_stats(FrameExport *export)
{
    if (proxy(export)) {
        object_property_del(proxy(export), stats_name);
    }
    object_property_del(OBJECT(export->gpu), stats_name);
    if (helix_export_extension) {
        helix_export_extension->removed(export->gpu);
    }
}

static void run_state_changed(void *opaque, bool running, RunState state)
{
    FrameExport *export = opaque;
    HELIX_LOOP_SCOPE;

    helix_host_set_running(export->host, running); /* writes nothing: streams go on from the main loop */
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

/* The host is still there if the GPU is unplugged by the first answer that is written; @opaque is not. */
static void gpu_was_reset(void *opaque)
{
    FrameExport *export = opaque;
    HelixHost *host = export->host;
    HELIX_LOOP_SCOPE;

    if (export->reset_postponed) {
        export->reset_postponed = false;
        reset_device(export);
    }
    if (host) { /* else another thread than the main loop's has called exit(), and the loop goes on */
        trace_helix_export_reset(export->name);
        helix_resource_cancel_copies();
        helix_host_reset(host);
    }
}

/*
 * A virtio reset, by the guest's driver or of the whole machine, is seen through the class pointer: the GL device
 * makes its renderer again only with the next command. The guest's own reset comes on a vCPU thread, so the module is
 * told from the main loop; requests that came before name nothing from now on.
 *
 * A reset of the bus or the function comes by PCI's configuration space, which the re-entrancy guard does not watch.
 * From inside of the GPU's commands it would free the command that is carried out: then the device is reset a little
 * later. While a vCPU waits for its reset, another may unplug the GPU.
 */
static void watched_reset(VirtIODevice *vdev)
{
    if (vdev != VIRTIO_DEVICE(frame_export->gpu)) {
        frame_export->device_reset(vdev);
        return;
    }
    if (frame_export->gpu->processing_cmdq || helix_gpu_entered()) {
        frame_export->reset_postponed = true;
    } else {
        reset_device(frame_export);
    }
    if (frame_export && frame_export->host) {
        helix_host_lose_gpu(frame_export->host);
    }
    if (frame_export) {
        qemu_bh_schedule(frame_export->reset_bh);
    }
}

/* Open files that helix-listen= may need: the connections', the listening socket's and its lock's. */
static unsigned descriptors(const FrameExport *export)
{
    return (export->gpu->parent_obj.conf.helix_max_connections ?: HELIX_DEFAULT_MAX_CONNECTIONS) + 2;
}

static void close_listener(FrameExport *export)
{
    if (export->listener) {
        g_clear_pointer(&export->listener, helix_listener_free);
        helix_descriptors_release(descriptors(export));
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

/* GL's own libraries and the display end before exit notifiers are told: no thread may be in them then. */
static void qemu_shuts_down(Notifier *notifier, void *data)
{
    HELIX_LOOP_SCOPE;

    helix_resource_pause();
}

/*
 * Encoder threads end, and the socket's file goes. vCPUs may still run, and the main loop if this is another thread:
 * what watches the device stays.
 */
static void qemu_exits(Notifier *notifier, void *data)
{
    FrameExport *export = container_of(notifier, FrameExport, exit_notifier);

    BQL_LOCK_GUARD();
    g_clear_pointer(&export->run_state_handler, qemu_del_vm_change_state_handler);
    close_listener(export);
    if (helix_export_extension) {
        helix_export_extension->host_freed();
    }
    g_clear_pointer(&export->host, helix_host_free);
    helix_resource_pause();
    helix_resource_plugged(export->gpu, false);
    helix_resource_cancel_all(); /* now no answer to a look-up begins another */
}

/* A session, or work of the GPU's, may be on the stack; or this is a vCPU's thread. Only the socket is closed here. */
static void let_go(FrameExport *export)
{
    VirtioDeviceClass *klass = VIRTIO_DEVICE_GET_CLASS(export->gpu);

    klass->reset = export->device_reset;
    klass->unrealize = export->device_unrealize;
    qemu_bh_delete(export->reset_bh);
    qemu_remove_exit_notifier(&export->exit_notifier);
    remove_stats(export);
    g_clear_pointer(&export->run_state_handler, qemu_del_vm_change_state_handler);
    close_listener(export);
    helix_resource_unwatch();
    helix_resource_plugged(export->gpu, false);
    if (export->host) {
        retire_host(export->host);
    }
    frame_export = NULL;
    g_free(export->name);
    g_free(export);
}

/*
 * QEMU's GPUs are not hotpluggable: their own unrealize leaves consoles, and on a GL device bottom halves and
 * handlers, that point to freed memory, and another GPU can't be plugged. So the device stays allocated for good, and
 * its renderer up.
 */
static void watched_unrealize(DeviceState *dev)
{
    if (dev == DEVICE(frame_export->gpu)) {
        let_go(frame_export);
        helix_device_keep(dev, NULL);
    } else {
        frame_export->device_unrealize(dev);
    }
}

/* For as long as QEMU runs: the thread that reads textures outlives the GPU. */
static void watch_shutdown(void)
{
    static Notifier notifier = { .notify = qemu_shuts_down };
    static bool watching;

    if (!watching) {
        watching = true;
        qemu_register_shutdown_notifier(&notifier);
    }
}

static void watch_device(FrameExport *export)
{
    VirtioDeviceClass *klass = VIRTIO_DEVICE_GET_CLASS(export->gpu);

    export->device_reset = klass->reset;
    export->device_unrealize = klass->unrealize;
    klass->reset = watched_reset;
    klass->unrealize = watched_unrealize;
    helix_resource_watch(export->gpu);
    export->reset_bh = aio_bh_new(iohandler_get_aio_context(), gpu_was_reset, export); /* look-ups engage the guard */
    export->run_state_handler = qemu_add_vm_change_state_handler(run_state_changed, export);
    watch_shutdown();
    helix_resource_plugged(export->gpu, true);
    export->exit_notifier.notify = qemu_exits;
    qemu_add_exit_notifier(&export->exit_notifier);
}

static void fail(Error **errp, const char *property, GError *error)
{
    error_setg(errp, "%s: %s", property, error->message);
    g_error_free(error);
}

static bool check_gpu(VirtIOGPU *g, Error **errp)
{
    if (virtio_gpu_rutabaga_enabled(g->parent_obj.conf)) {
        error_setg(errp,
                   "helix-frame-export: frames of %s can't be exported; use virtio-gpu-gl-device or "
                   "virtio-gpu-device",
                   object_get_typename(OBJECT(g)));
        return false;
    }
    if (frame_export) {
        error_setg(errp, "helix-frame-export: one GPU of a VM can export its frames, and %s does already",
                   frame_export->name);
        return false;
    }
    if (g->parent_obj.conf.helix_vsock_port == 0 || g->parent_obj.conf.helix_vsock_port == UINT32_MAX) {
        error_setg(errp, "helix-vsock-port: %" PRIu32 " is no vsock port; it takes 1 to 4294967294",
                   g->parent_obj.conf.helix_vsock_port);
        return false;
    }
    return true;
}

static bool open_listener(FrameExport *export, GError **error)
{
    const char *address = export->gpu->parent_obj.conf.helix_listen;

    if (!helix_descriptors_reserve(descriptors(export), error)) {
        return false;
    }
    export->listener = helix_listener_new(NULL, address, helix_host_accept, export->host, error);
    if (!export->listener) {
        helix_descriptors_release(descriptors(export));
    }
    return export->listener != NULL;
}

static bool open_host(FrameExport *export, Error **errp)
{
    const struct virtio_gpu_base_conf *conf = &export->gpu->parent_obj.conf;
    HelixHostConfig config = {
        .encoder = conf->helix_encoder,
        .hardware_only = !conf->helix_encoder_software,
        .resolver = &helix_resource_resolver,
        .resolver_data = export->gpu,
        .hooks = &hooks,
        .max_connections = conf->helix_max_connections,
        .max_streams = conf->helix_max_streams,
        .max_in_flight = conf->helix_max_in_flight,
        .max_encoders = conf->helix_max_encoders,
        .max_memory = conf->helix_max_memory,
        .privileged_ports = conf->helix_privileged_ports,
    };
    GError *error = NULL;

    export->host = helix_host_new(&config, &error);
    if (!export->host) {
        /* a limit's text names its property */
        fail(errp, error->code == HELIX_CODE_INVALID ? "helix-frame-export" : "helix-encoder", error);
        return false;
    }
    if (conf->helix_listen && !open_listener(export, &error)) {
        fail(errp, "helix-listen", error);
        helix_host_free(export->host);
        return false;
    }
    return true;
}

bool helix_frame_export_realize(VirtIOGPU *g, Error **errp)
{
    const struct virtio_gpu_base_conf *conf = &g->parent_obj.conf;
    FrameExport *export;

    if (!check_gpu(g, errp)) {
        return false;
    }
    export = g_new0(FrameExport, 1);
    export->gpu = g;
    export->port = conf->helix_vsock_port;
    if (!open_host(export, errp)) {
        g_free(export);
        return false;
    }
    export->name = object_get_canonical_path(OBJECT(g));
    helix_host_set_running(export->host, runstate_is_running());
    add_stats(export);
    watch_device(export);
    frame_export = export;
    trace_helix_export_start(export->name, export->port, conf->helix_encoder ?: "auto", conf->helix_listen ?: "-");
    return true;
}

void helix_frame_export_init(VirtIOGPU *g, int port)
{
    if (!frame_export || frame_export->gpu != g) {
        return;
    }
    if (!frame_export->port) {
        frame_export->port = port;
    }
    if (helix_fence_watch) {
        helix_fence_watch(g, has_streams);
    }
    if (helix_readback_thread) {
        helix_readback_thread->prepare(g);
    }
    trace_helix_export_ready(frame_export->name);
}

bool helix_frame_export_has_port(uint32_t port)
{
    return frame_export && port == frame_export->port;
}

bool helix_frame_export_accept(uint32_t port, HelixChannel *channel)
{
    if (!helix_frame_export_has_port(port) || !frame_export->host) {
        return false;
    }
    trace_helix_accept(port, channel->peer);
    return helix_host_accept(channel, frame_export->host);
}
