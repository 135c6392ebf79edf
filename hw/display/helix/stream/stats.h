/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stats.h - what a host counts, and its text. Main loop only.
 *
 * Durations go into log-linear histograms: exact below 32 us, buckets of 3 % above, so a quantile is that exact
 * whatever the number of frames, in constant memory.
 */
#ifndef HELIX_STATS_H
#define HELIX_STATS_H

#include "../encode/encoder.h"
#include "host.h"

#define HELIX_HISTOGRAM_BUCKETS 1184u /* 32 exact ones, then 32 for each power of two up to 2^41 us */

typedef struct HelixHistogram {
    guint64 count, max;
    guint64 bucket[HELIX_HISTOGRAM_BUCKETS];
} HelixHistogram;

void helix_histogram_add(HelixHistogram *histogram, guint64 value);
/* The value that @permille of 1000 values do not exceed; 0 without values. */
guint64 helix_histogram_quantile(const HelixHistogram *histogram, guint permille);

#define HELIX_N_ERRORS 11u /* -1 to -10, and 0 */

typedef struct HelixStats {
    guint64 connections, streams; /* ever */
    guint64 requests;             /* FRAME_REQUESTs that arrived whole */
    guint64 encoded, keyframes, dropped;
    guint64 errors[HELIX_N_ERRORS]; /* frames answered with an error, by -code; [0] for every other code */
    guint64 bytes_from_guest, bytes_to_guest;
    guint64 host_paths[HELIX_N_HOST_PATHS];
    guint64 surface_cpu_bytes, unit_cpu_bytes;
    guint64 picture_bytes; /* now in the pool */
    HelixHistogram stage_us[HELIX_N_STAGES];
} HelixStats;

/* A stream as it is now. */
typedef struct HelixStreamInfo {
    guint64 connection;
    const char *peer;
    guint16 session_id;
    guint in_flight;
    guint64 encoded;
    HelixEncoderConfig config; /* in force; of a size of 0 before the first frame */
} HelixStreamInfo;

/* A frame was answered. @unit_cpu_bytes: what of record->cpu_bytes the encoder's conversion moved. */
void helix_stats_frame(HelixStats *stats, const HelixFrameRecord *record, guint64 unit_cpu_bytes);

/* One JSON object; docs/statistics.md lists its members. */
char *helix_stats_json(const HelixStats *stats, const char *encoder, guint connections_now,
                       const HelixStreamInfo *streams, guint n_streams);

#endif
