/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats.h - the counters of a host, and their JSON. Main loop only. */
#ifndef HELIX_STATS_H
#define HELIX_STATS_H

#include "../loop/histogram.h"
#include "frame-record.h"
#include "stream.h"

#define HELIX_N_ERRORS 11u /* -1 to -10, and 0 */

typedef struct HelixStats {
    guint64 connections, streams; /* since the start */
    guint64 requests;             /* FRAME_REQUESTs that arrived whole */
    guint64 encoded, keyframes, dropped;
    guint64 errors[HELIX_N_ERRORS]; /* frames answered with an error, by -code; [0] for every other code */
    guint64 bytes_from_guest, bytes_to_guest;
    guint64 host_paths[HELIX_N_HOST_PATHS];
    guint64 surface_cpu_bytes, unit_cpu_bytes;
    guint64 picture_bytes; /* now in the pool */
    HelixHistogram stage_us[HELIX_N_STAGES];
} HelixStats;

/* Count a frame whose answer was sent. @unit_cpu_bytes: the part of record->cpu_bytes that conversion moved. */
void helix_stats_frame(HelixStats *stats, const HelixFrameRecord *record, guint64 unit_cpu_bytes);

/* One JSON object; docs/statistics.md lists its members. */
char *helix_stats_json(const HelixStats *stats, const char *encoder, guint connections_now,
                       const HelixStreamInfo *streams, guint n_streams);

#endif
