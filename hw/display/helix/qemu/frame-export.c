/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame-export.c - the frame module inside QEMU: a HelixHost for one virtio-gpu, from its helix-*= properties.
 *
 * A VM has at most one exporting GPU. The host is created when that GPU is realized and lives until QEMU exits or the
 * GPU is unplugged (frame-export-lifetime.c).
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "system/runstate.h"
#include "../capture/texture-hooks.h"
#include "../helix-frame-export.h"
#include "../trace.h"
#include "../transport/descriptors.h"
#include "frame-export.h"

/* What QEMU lists as defaults is what the host takes for 0. */
G_STATIC_ASSERT(HELIX_MAX_CONNECTIONS == HELIX_DEFAULT_MAX_CONNECTIONS);
G_STATIC_ASSERT(HELIX_MAX_STREAMS == HELIX_DEFAULT_MAX_STREAMS);
G_STATIC_ASSERT(HELIX_MAX_IN_FLIGHT == HELIX_DEFAULT_MAX_IN_FLIGHT);
G_STATIC_ASSERT(HELIX_MAX_MEMORY == HELIX_DEFAULT_MAX_MEMORY);

const HelixExportExtension *helix_export_extension;

/* Set once everything in it is. */
FrameExport *helix_frame_export;

/* Main loop. */
static bool has_streams(void)
{
    return helix_frame_export && helix_frame_export->host && helix_host_n_streams(helix_frame_export->host) > 0;
}

/* File descriptors that helix-listen= may need: its connections, the listening socket and its lock file. */
static unsigned descriptors(const FrameExport *export)
{
    return (export->gpu->parent_obj.conf.helix_max_connections ?: HELIX_DEFAULT_MAX_CONNECTIONS) + 2;
}

void helix_export_close_listener(FrameExport *export)
{
    if (export->listener) {
        g_clear_pointer(&export->listener, helix_listener_free);
        helix_descriptors_release(descriptors(export));
    }
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
    if (helix_frame_export) {
        error_setg(errp, "helix-frame-export: one GPU of a VM can export its frames, and %s does already",
                   helix_frame_export->name);
        return false;
    }
    if (g->parent_obj.conf.helix_vsock_port == 0 || g->parent_obj.conf.helix_vsock_port == UINT32_MAX) {
        error_setg(errp, "helix-vsock-port: %" PRIu32 " is not a vsock port: it must be from 1 to 4294967294",
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
        .render_node = conf->helix_render_node,
        .resolver = &helix_resource_resolver,
        .resolver_data = export->gpu,
        .hooks = &helix_export_hooks,
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
        /* the text of an invalid limit names its property */
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
    helix_export_add_stats(export);
    helix_export_watch_device(export);
    helix_frame_export = export;
    trace_helix_export_start(export->name, export->port, conf->helix_encoder ?: "auto", conf->helix_listen ?: "-");
    return true;
}

void helix_frame_export_init(VirtIOGPU *g, int port)
{
    if (!helix_frame_export || helix_frame_export->gpu != g) {
        return;
    }
    if (helix_fence_watch) {
        helix_fence_watch(g, has_streams);
    }
    if (helix_readback_thread) {
        helix_readback_thread->prepare(g);
    }
    trace_helix_export_ready(helix_frame_export->name);
}

bool helix_frame_export_has_port(uint32_t port)
{
    return helix_frame_export && port == helix_frame_export->port;
}

bool helix_frame_export_accept(uint32_t port, HelixChannel *channel)
{
    if (!helix_frame_export_has_port(port) || !helix_frame_export->host) {
        return false;
    }
    trace_helix_accept(port, channel->peer);
    return helix_host_accept(channel, helix_frame_export->host);
}
