/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stats.c - see stats.h. */
#include <stdlib.h>
#include <string.h>
#include "stats.h"

/* Percentiles are over the latest samples, so that a long run costs no more than a short one. */
#define SAMPLES 4096

struct VsockStats {
    GMutex lock;
    guint64 counter[VSOCK_N_COUNTERS];
    guint64 path[VSOCK_N_PATHS];
    guint32 *sample[VSOCK_N_STAGES]; /* microseconds, SAMPLES of them, a ring */
    guint64 n_samples[VSOCK_N_STAGES];
};

static const char *const counter_name[VSOCK_N_COUNTERS] = {
    [VSOCK_COUNT_FRAMES] = "frames",
    [VSOCK_COUNT_KEYFRAMES] = "keyframes",
    [VSOCK_COUNT_DROPPED] = "dropped",
    [VSOCK_COUNT_ERRORS] = "errors",
    [VSOCK_COUNT_SKIPPED] = "skipped",
    [VSOCK_COUNT_LATE] = "late",
    [VSOCK_COUNT_LOST] = "lost",
    [VSOCK_COUNT_REPEATS] = "repeats",
    [VSOCK_COUNT_RECONNECTS] = "reconnects",
    [VSOCK_COUNT_BYTES_TO_HOST] = "bytes-to-host",
    [VSOCK_COUNT_PIXEL_BYTES] = "pixel-bytes-to-host",
    [VSOCK_COUNT_BITSTREAM_BYTES] = "bitstream-bytes",
    [VSOCK_COUNT_CPU_BYTES] = "cpu-bytes",
    [VSOCK_COUNT_DRAWN] = "drawn-in-place",
    [VSOCK_COUNT_IMPORTS] = "imports",
};

static const char *const path_names[VSOCK_N_PATHS] = {
    [VSOCK_PATH_DMABUF] = "dmabuf",
    [VSOCK_PATH_GUEST_COPY] = "guest-copy",
    [VSOCK_PATH_PIXEL_DATA] = "pixel-data",
};

static const char *const stage_name[VSOCK_N_STAGES] = {
    [VSOCK_STAGE_FENCE] = "fence",
    [VSOCK_STAGE_ROUND_TRIP] = "round-trip",
    [VSOCK_STAGE_HOST_RESOLVE] = "host-resolve",
    [VSOCK_STAGE_HOST_SUBMIT] = "host-submit",
    [VSOCK_STAGE_HOST_ENCODE] = "host-encode",
};

const char *vsock_path_name(VsockPath path)
{
    return path_names[path];
}

VsockStats *vsock_stats_new(void)
{
    VsockStats *stats = g_new0(VsockStats, 1);

    g_mutex_init(&stats->lock);
    for (guint i = 0; i < VSOCK_N_STAGES; i++) {
        stats->sample[i] = g_new(guint32, SAMPLES);
    }
    return stats;
}

void vsock_stats_free(VsockStats *stats)
{
    for (guint i = 0; i < VSOCK_N_STAGES; i++) {
        g_free(stats->sample[i]);
    }
    g_mutex_clear(&stats->lock);
    g_free(stats);
}

void vsock_stats_reset(VsockStats *stats)
{
    g_mutex_lock(&stats->lock);
    memset(stats->counter, 0, sizeof(stats->counter));
    memset(stats->path, 0, sizeof(stats->path));
    memset(stats->n_samples, 0, sizeof(stats->n_samples));
    g_mutex_unlock(&stats->lock);
}

void vsock_stats_count(VsockStats *stats, VsockCounter counter, guint64 n)
{
    g_mutex_lock(&stats->lock);
    stats->counter[counter] += n;
    g_mutex_unlock(&stats->lock);
}

void vsock_stats_path(VsockStats *stats, VsockPath path)
{
    g_mutex_lock(&stats->lock);
    stats->path[path]++;
    g_mutex_unlock(&stats->lock);
}

void vsock_stats_time(VsockStats *stats, VsockStage stage, gint64 us)
{
    g_mutex_lock(&stats->lock);
    stats->sample[stage][stats->n_samples[stage] % SAMPLES] = (guint32)CLAMP(us, 0, G_MAXUINT32);
    stats->n_samples[stage]++;
    g_mutex_unlock(&stats->lock);
}

guint64 vsock_stats_get(VsockStats *stats, VsockCounter counter)
{
    guint64 n;

    g_mutex_lock(&stats->lock);
    n = stats->counter[counter];
    g_mutex_unlock(&stats->lock);
    return n;
}

static int compare_samples(const void *a, const void *b)
{
    guint32 x = *(const guint32 *)a, y = *(const guint32 *)b;

    return x < y ? -1 : x > y;
}

static void set_percentile(GstStructure *structure, const char *stage, guint percent, const guint32 *sorted, gsize n)
{
    g_autofree char *name = g_strdup_printf("%s-us-p%u", stage, percent);

    gst_structure_set(structure, name, G_TYPE_UINT64, n ? (guint64)sorted[(n - 1) * percent / 100] : 0, NULL);
}

GstStructure *vsock_stats_structure(VsockStats *stats)
{
    GstStructure *structure = gst_structure_new_empty("vsockenc-stats");
    guint32 *sorted = g_new(guint32, SAMPLES);

    g_mutex_lock(&stats->lock);
    for (guint i = 0; i < VSOCK_N_COUNTERS; i++) {
        gst_structure_set(structure, counter_name[i], G_TYPE_UINT64, stats->counter[i], NULL);
    }
    for (guint i = 0; i < VSOCK_N_PATHS; i++) {
        gst_structure_set(structure, path_names[i], G_TYPE_UINT64, stats->path[i], NULL);
    }
    for (guint i = 0; i < VSOCK_N_STAGES; i++) {
        gsize n = (gsize)MIN(stats->n_samples[i], SAMPLES);

        memcpy(sorted, stats->sample[i], n * sizeof(*sorted));
        qsort(sorted, n, sizeof(*sorted), compare_samples);
        set_percentile(structure, stage_name[i], 50, sorted, n);
        set_percentile(structure, stage_name[i], 99, sorted, n);
    }
    g_mutex_unlock(&stats->lock);
    g_free(sorted);
    return structure;
}
