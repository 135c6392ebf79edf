/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stats.c - see stats.h. */
#include <stdlib.h>
#include <string.h>
#include "stats.h"

/* Percentiles are over the latest samples, so that a long run costs no more than a short one. */
#define SAMPLES 4096

struct ClientStats {
    GMutex lock;
    guint64 counter[CLIENT_N_COUNTERS];
    guint64 path[HELIX_CLIENT_N_PATHS];
    guint32 *sample[HELIX_CLIENT_N_STAGES]; /* microseconds, SAMPLES of them, a ring */
    guint64 n_samples[HELIX_CLIENT_N_STAGES];
};

G_STATIC_ASSERT(G_STRUCT_OFFSET(HelixClientStats, imports) == CLIENT_COUNT_IMPORTS * sizeof(guint64));

const char *helix_client_path_name(HelixClientPath path)
{
    static const char *const names[HELIX_CLIENT_N_PATHS] = {
        [HELIX_CLIENT_PATH_DMABUF] = "dmabuf",
        [HELIX_CLIENT_PATH_GUEST_COPY] = "guest-copy",
        [HELIX_CLIENT_PATH_PIXEL_DATA] = "pixel-data",
    };

    g_return_val_if_fail(path < HELIX_CLIENT_N_PATHS, NULL);
    return names[path];
}

ClientStats *client_stats_new(void)
{
    ClientStats *stats = g_new0(ClientStats, 1);

    g_mutex_init(&stats->lock);
    for (guint i = 0; i < HELIX_CLIENT_N_STAGES; i++) {
        stats->sample[i] = g_new(guint32, SAMPLES);
    }
    return stats;
}

void client_stats_free(ClientStats *stats)
{
    for (guint i = 0; i < HELIX_CLIENT_N_STAGES; i++) {
        g_free(stats->sample[i]);
    }
    g_mutex_clear(&stats->lock);
    g_free(stats);
}

void client_stats_count(ClientStats *stats, ClientCounter counter, guint64 n)
{
    g_mutex_lock(&stats->lock);
    stats->counter[counter] += n;
    g_mutex_unlock(&stats->lock);
}

void client_stats_uncount(ClientStats *stats, ClientCounter counter)
{
    g_mutex_lock(&stats->lock);
    stats->counter[counter]--;
    g_mutex_unlock(&stats->lock);
}

void client_stats_path(ClientStats *stats, HelixClientPath path)
{
    g_mutex_lock(&stats->lock);
    stats->path[path]++;
    g_mutex_unlock(&stats->lock);
}

void client_stats_time(ClientStats *stats, HelixClientStage stage, gint64 us)
{
    g_mutex_lock(&stats->lock);
    stats->sample[stage][stats->n_samples[stage] % SAMPLES] = (guint32)CLAMP(us, 0, G_MAXUINT32);
    stats->n_samples[stage]++;
    g_mutex_unlock(&stats->lock);
}

static int compare_samples(const void *a, const void *b)
{
    guint32 x = *(const guint32 *)a, y = *(const guint32 *)b;

    return x < y ? -1 : x > y;
}

static guint64 percentile(const guint32 *sorted, gsize n, guint percent)
{
    return n ? sorted[(n - 1) * percent / 100] : 0;
}

void client_stats_read(ClientStats *stats, HelixClientStats *to)
{
    guint32 *sorted = g_new(guint32, SAMPLES);

    memset(to, 0, sizeof(*to));
    g_mutex_lock(&stats->lock);
    memcpy(to, stats->counter, sizeof(stats->counter));
    memcpy(to->paths, stats->path, sizeof(stats->path));
    for (guint i = 0; i < HELIX_CLIENT_N_STAGES; i++) {
        gsize n = (gsize)MIN(stats->n_samples[i], SAMPLES);

        memcpy(sorted, stats->sample[i], n * sizeof(*sorted));
        qsort(sorted, n, sizeof(*sorted), compare_samples);
        to->p50_us[i] = percentile(sorted, n, 50);
        to->p99_us[i] = percentile(sorted, n, 99);
    }
    g_mutex_unlock(&stats->lock);
    g_free(sorted);
}
