/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats.c - the counters of a host, and their JSON. */
#include "stats.h"
#include "../loop/loop-budget.h"

void helix_stats_frame(HelixStats *stats, const HelixFrameRecord *record, guint64 unit_cpu_bytes)
{
    guint64 us[HELIX_N_STAGES];

    if (record->error) {
        guint code = record->error < 0 && record->error > -(int)HELIX_N_ERRORS ? (guint)-record->error : 0;

        stats->errors[code]++;
        return;
    }
    stats->host_paths[record->path]++;
    stats->surface_cpu_bytes += record->cpu_bytes - unit_cpu_bytes;
    stats->unit_cpu_bytes += unit_cpu_bytes;
    if (record->dropped) {
        stats->dropped++;
        return;
    }
    stats->encoded++;
    stats->keyframes += record->keyframe;
    helix_frame_stages(record, us);
    for (guint i = 0; i < HELIX_N_STAGES; i++) {
        helix_histogram_add(&stats->stage_us[i], us[i]);
    }
}

/* Written by hand: json-glib would be one more library that every QEMU with this module links. */
static void append_string(GString *json, const char *text)
{
    g_string_append_c(json, '"');
    for (const char *c = text ? text : ""; *c; c++) {
        if (*c == '"' || *c == '\\' || (guchar)*c < 0x20) {
            g_string_append_printf(json, "\\u%04x", (guchar)*c);
        } else {
            g_string_append_c(json, *c);
        }
    }
    g_string_append_c(json, '"');
}

static void append_number(GString *json, const char *name, guint64 value, gboolean more)
{
    g_string_append_printf(json, "\"%s\":%" G_GUINT64_FORMAT "%s", name, value, more ? "," : "");
}

static void append_stream(GString *json, const HelixStreamInfo *stream)
{
    g_string_append_c(json, '{');
    append_number(json, "connection", stream->connection, TRUE);
    g_string_append(json, "\"peer\":");
    append_string(json, stream->peer);
    g_string_append_c(json, ',');
    append_number(json, "session", stream->session_id, TRUE);
    append_number(json, "width", stream->config.width, TRUE);
    append_number(json, "height", stream->config.height, TRUE);
    append_number(json, "bitrate", stream->config.bitrate, TRUE);
    append_number(json, "fps_num", stream->config.fps_num, TRUE);
    append_number(json, "fps_den", stream->config.fps_den, TRUE);
    append_number(json, "profile", stream->config.profile, TRUE);
    append_number(json, "encoded", stream->encoded, TRUE);
    append_number(json, "in_flight", stream->in_flight, TRUE);
    append_number(json, "snapshots", stream->snapshots, FALSE);
    g_string_append_c(json, '}');
}

static void append_errors(GString *json, const HelixStats *stats)
{
    const char *separator = "";

    g_string_append(json, "\"errors\":{");
    for (guint i = 0; i < HELIX_N_ERRORS; i++) {
        if (stats->errors[i]) {
            g_string_append_printf(json, "%s\"%d\":%" G_GUINT64_FORMAT, separator, i ? -(int)i : HELIX_CODE_INTERNAL,
                                   stats->errors[i]);
            separator = ",";
        }
    }
    g_string_append(json, "},");
}

static void append_stages(GString *json, const HelixStats *stats)
{
    static const char *const names[HELIX_N_STAGES] = { "queued", "resolved", "encoded", "returned" };

    g_string_append(json, "\"stage_us\":{");
    for (guint i = 0; i < HELIX_N_STAGES; i++) {
        const HelixHistogram *histogram = &stats->stage_us[i];

        g_string_append_printf(json, "%s\"%s\":{", i ? "," : "", names[i]);
        append_number(json, "count", histogram->count, TRUE);
        append_number(json, "p50", helix_histogram_quantile(histogram, 500), TRUE);
        append_number(json, "p99", helix_histogram_quantile(histogram, 990), TRUE);
        append_number(json, "max", histogram->max, FALSE);
        g_string_append_c(json, '}');
    }
    g_string_append_c(json, '}');
}

char *helix_stats_json(const HelixStats *stats, const char *encoder, guint connections_now,
                       const HelixStreamInfo *streams, guint n_streams)
{
    GString *json = g_string_new("{\"encoder\":");

    append_string(json, encoder);
    g_string_append(json, ",\"connections\":{");
    append_number(json, "now", connections_now, TRUE);
    append_number(json, "total", stats->connections, FALSE);
    g_string_append(json, "},\"streams\":{");
    append_number(json, "now", n_streams, TRUE);
    append_number(json, "total", stats->streams, TRUE);
    g_string_append(json, "\"live\":[");
    for (guint i = 0; i < n_streams; i++) {
        g_string_append(json, i ? "," : "");
        append_stream(json, &streams[i]);
    }
    g_string_append(json, "]},\"frames\":{");
    append_number(json, "requests", stats->requests, TRUE);
    append_number(json, "encoded", stats->encoded, TRUE);
    append_number(json, "keyframes", stats->keyframes, TRUE);
    append_number(json, "dropped", stats->dropped, FALSE);
    g_string_append(json, "},");
    append_errors(json, stats);
    g_string_append(json, "\"bytes\":{");
    append_number(json, "from_guest", stats->bytes_from_guest, TRUE);
    append_number(json, "to_guest", stats->bytes_to_guest, FALSE);
    g_string_append(json, "},\"host_paths\":{");
    for (guint i = 0; i < HELIX_N_HOST_PATHS; i++) {
        append_number(json, helix_host_path_name(i), stats->host_paths[i], i + 1 < HELIX_N_HOST_PATHS);
    }
    g_string_append(json, "},\"cpu_bytes\":{");
    append_number(json, "surface", stats->surface_cpu_bytes, TRUE);
    append_number(json, "unit", stats->unit_cpu_bytes, FALSE);
    g_string_append(json, "},\"memory\":{");
    append_number(json, "pictures", stats->picture_bytes, FALSE);
    g_string_append(json, "},");
    append_stages(json, stats);
    helix_loop_append_json(json);
    g_string_append_c(json, '}');
    return g_string_free(json, FALSE);
}
