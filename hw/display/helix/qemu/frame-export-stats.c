/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame-export-stats.c - the frame module's statistics as a QOM property, its log lines and trace events.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qobject/qjson.h"
#include "qobject/qobject.h"
#include "../trace.h"
#include "frame-export.h"

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

const HelixHostHooks helix_export_hooks = { .log = log_line, .frame = trace_frame };

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

/* The PCI or MMIO device around the virtio device; NULL: none. */
static Object *proxy(FrameExport *export)
{
    Object *parent = OBJECT(export->gpu)->parent;

    return parent && object_dynamic_cast(parent, TYPE_DEVICE) ? parent : NULL;
}

void helix_export_add_stats(FrameExport *export)
{
    Object *gpu = OBJECT(export->gpu);

    if (helix_export_extension) {
        helix_export_extension->added(export->gpu, export->host);
    }
    object_property_add(gpu, stats_name, "HelixStats", get_stats, NULL, NULL, export);
    object_property_set_description(gpu, stats_name, "Counters and latencies of the exported frames, as JSON");
    if (proxy(export)) {
        object_property_add_alias(proxy(export), stats_name, gpu, stats_name);
    }
}

void helix_export_remove_stats(FrameExport *export)
{
    if (proxy(export)) {
        object_property_del(proxy(export), stats_name);
    }
    object_property_del(OBJECT(export->gpu), stats_name);
    if (helix_export_extension) {
        helix_export_extension->removed(export->gpu);
    }
}
