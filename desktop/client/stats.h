/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stats.h - what helix_client_get_stats() tells: counters, paths, and the latest times of each stage. Thread-safe. */
#ifndef HELIX_CLIENT_STATS_H
#define HELIX_CLIENT_STATS_H

#include "helix-client.h"

/* As the fields of HelixClientStats, in their order. */
typedef enum ClientCounter {
    CLIENT_COUNT_FRAMES,
    CLIENT_COUNT_KEYFRAMES,
    CLIENT_COUNT_DROPPED,
    CLIENT_COUNT_ERRORS,
    CLIENT_COUNT_SKIPPED,
    CLIENT_COUNT_LATE,
    CLIENT_COUNT_LOST,
    CLIENT_COUNT_REPEATS,
    CLIENT_COUNT_RECONNECTS,
    CLIENT_COUNT_BYTES_TO_HOST,
    CLIENT_COUNT_PIXEL_BYTES,
    CLIENT_COUNT_BITSTREAM_BYTES,
    CLIENT_COUNT_CPU_BYTES,
    CLIENT_COUNT_DRAWN,
    CLIENT_COUNT_IMPORTS,
    CLIENT_N_COUNTERS
} ClientCounter;

typedef struct ClientStats ClientStats;

ClientStats *client_stats_new(void);
void client_stats_free(ClientStats *stats);
void client_stats_count(ClientStats *stats, ClientCounter counter, guint64 n);
/* One less, of what was counted before. */
void client_stats_uncount(ClientStats *stats, ClientCounter counter);
void client_stats_path(ClientStats *stats, HelixClientPath path);
void client_stats_time(ClientStats *stats, HelixClientStage stage, gint64 us);
void client_stats_read(ClientStats *stats, HelixClientStats *to);

#endif
