/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stats.c - see stats.h. */
#include "config.h"
#include "client-handle.h"
#include "keyframe.h"
#include "stats.h"

static void set_counters(GstStructure *structure, const HelixClientStats *stats)
{
    gst_structure_set(structure, "frames", G_TYPE_UINT64, stats->frames, "keyframes", G_TYPE_UINT64, stats->keyframes,
                      "dropped", G_TYPE_UINT64, stats->dropped, "errors", G_TYPE_UINT64, stats->errors, "skipped",
                      G_TYPE_UINT64, stats->skipped, "late", G_TYPE_UINT64, stats->late, "lost", G_TYPE_UINT64,
                      stats->lost, "repeats", G_TYPE_UINT64, stats->repeats, "reconnects", G_TYPE_UINT64,
                      stats->reconnects, "bytes-to-host", G_TYPE_UINT64, stats->bytes_to_host, "pixel-bytes-to-host",
                      G_TYPE_UINT64, stats->pixel_bytes, "bitstream-bytes", G_TYPE_UINT64, stats->bitstream_bytes,
                      "cpu-bytes", G_TYPE_UINT64, stats->cpu_bytes, "drawn-in-place", G_TYPE_UINT64,
                      stats->drawn_in_place, "imports", G_TYPE_UINT64, stats->imports, NULL);
    for (guint i = 0; i < HELIX_CLIENT_N_PATHS; i++) {
        gst_structure_set(structure, helix_client_path_name(i), G_TYPE_UINT64, stats->paths[i], NULL);
    }
}

static void set_times(GstStructure *structure, const HelixClientStats *stats)
{
    static const char *const name[HELIX_CLIENT_N_STAGES] = {
        [HELIX_CLIENT_STAGE_FENCE] = "fence",
        [HELIX_CLIENT_STAGE_ROUND_TRIP] = "round-trip",
        [HELIX_CLIENT_STAGE_HOST_RESOLVE] = "host-resolve",
        [HELIX_CLIENT_STAGE_HOST_SUBMIT] = "host-submit",
        [HELIX_CLIENT_STAGE_HOST_ENCODE] = "host-encode",
    };

    for (guint i = 0; i < HELIX_CLIENT_N_STAGES; i++) {
        g_autofree char *p50 = g_strconcat(name[i], "-us-p50", NULL), *p99 = g_strconcat(name[i], "-us-p99", NULL);

        gst_structure_set(structure, p50, G_TYPE_UINT64, stats->p50_us[i], p99, G_TYPE_UINT64, stats->p99_us[i], NULL);
    }
}

GstStructure *vsockenc_stats(GstVsockEnc *self)
{
    GstStructure *structure = gst_structure_new_empty("vsockenc-stats");
    HelixClientStats stats;

    vsockenc_client_get_stats(self, &stats);
    set_counters(structure, &stats);
    set_times(structure, &stats);
    vsockenc_config_add_stats(self, structure);
    gst_structure_set(structure, "keyframe-interval-ms", G_TYPE_UINT, vsockenc_keyframe_interval_ms(self), NULL);
    return structure;
}

void vsockenc_stats_post(GstVsockEnc *self)
{
    if (vsockenc_client_is_active(self)) {
        vsockenc_client_set_active(self, FALSE);
        gst_element_post_message(GST_ELEMENT(self), gst_message_new_element(GST_OBJECT(self), vsockenc_stats(self)));
    }
}
