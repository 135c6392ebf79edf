/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Histograms against sorted values, and the text of the statistics. */
#include <string.h>
#include "cases.h"
#include "stream/stats.h"
#include "loop/loop-budget.h"
#include "stat.h"

TEST("/stats/empty", test_empty)
{
    g_autofree HelixHistogram *histogram = g_new0(HelixHistogram, 1);

    g_assert_cmpuint(helix_histogram_quantile(histogram, 500), ==, 0);
    g_assert_cmpuint(helix_histogram_quantile(histogram, 990), ==, 0);
}

TEST("/stats/exact-and-extreme", test_exact_and_extreme)
{
    g_autofree HelixHistogram *histogram = g_new0(HelixHistogram, 1);

    for (guint i = 1; i <= 31; i++) {
        helix_histogram_add(histogram, i);
    }
    g_assert_cmpuint(helix_histogram_quantile(histogram, 500), ==, 16);
    g_assert_cmpuint(helix_histogram_quantile(histogram, 1000), ==, 31);
    helix_histogram_add(histogram, G_MAXUINT64);
    g_assert_cmpuint(histogram->max, ==, G_MAXUINT64);
    g_assert_cmpuint(helix_histogram_quantile(histogram, 500), ==, 16);
}

static int compare(gconstpointer a, gconstpointer b)
{
    guint64 x = *(const guint64 *)a, y = *(const guint64 *)b;

    return (x > y) - (x < y);
}

/* Within 3.2 % above the sorted values' own quantiles, and never below. */
TEST("/stats/against-sorting", test_against_sorting)
{
    enum { N = 5000 };
    g_autofree HelixHistogram *histogram = g_new0(HelixHistogram, 1);
    g_autofree guint64 *values = g_new(guint64, N);

    for (guint i = 0; i < N; i++) {
        values[i] = (guint64)g_test_rand_int_range(0, 1 << (1 + i % 28));
        helix_histogram_add(histogram, values[i]);
    }
    qsort(values, N, sizeof *values, compare);
    for (guint permille = 1; permille <= 1000; permille += 37) {
        guint64 exact = values[(N * permille + 999) / 1000 - 1], seen = helix_histogram_quantile(histogram, permille);

        g_assert_cmpuint(seen, >=, exact);
        g_assert_cmpuint(seen, <=, exact + exact / 31);
    }
}

TEST("/stats/text", test_text)
{
    g_autofree HelixStats *stats = g_new0(HelixStats, 1);
    const HelixStreamInfo stream = {
        .connection = 2, .peer = "a \"peer\"\\\n", .session_id = 7, .config = { .width = 64 }
    };
    const HelixFrameRecord good = {
        .received_ns = 1000000,
        .lookup_ns = 1010000,
        .resolved_ns = 1020000,
        .submitted_ns = 1030000,
        .encoded_ns = 1050000,
        .returned_ns = 1055000,
        .path = HELIX_HOST_PATH_READBACK,
        .cpu_bytes = 150,
        .keyframe = TRUE,
    };
    const HelixFrameRecord bad = { .error = -99 }, worse = { .error = 1000 };
    g_autofree char *json = NULL, *peer = NULL;

    helix_stats_frame(stats, &good, 50);
    helix_stats_frame(stats, &bad, 0);
    helix_stats_frame(stats, &worse, 0);
    json = helix_stats_json(stats, "null", 1, &stream, 1);
    g_assert_cmpuint(stat_number(json, "cpu_bytes.surface"), ==, 100);
    g_assert_cmpuint(stat_number(json, "cpu_bytes.unit"), ==, 50);
    g_assert_cmpuint(stat_number(json, "stage_us.queued.count"), ==, 1);
    g_assert_cmpuint(stat_number(json, "stage_us.queued.p99"), ==, 10);
    g_assert_cmpuint(stat_number(json, "stage_us.queued.max"), ==, 10);
    g_assert_cmpuint(stat_number(json, "stage_us.resolved.p50"), ==, 20);
    g_assert_cmpuint(stat_number(json, "stage_us.encoded.p50"), ==, 20);
    g_assert_cmpuint(stat_number(json, "stage_us.returned.p50"), ==, 5);
    g_assert_cmpuint(stat_number(json, "errors.-99"), ==, 2);
    g_assert_cmpuint(stat_number(json, "streams.live.0.session"), ==, 7);
    g_assert_cmpuint(stat_number(json, "streams.live.0.width"), ==, 64);
    peer = stat_text(json, "streams.live.0.peer");
    g_assert_cmpstr(peer, ==, stream.peer);
}

/* The stages are what the documentation says, for the trace as for the statistics, and what a frame did not come to
 * takes no time. */
TEST("/stats/stages", test_stages)
{
    const HelixFrameRecord whole = {
        .received_ns = 1000000,
        .lookup_ns = 1010000,
        .resolved_ns = 1020000,
        .submitted_ns = 1040000,
        .encoded_ns = 1080000,
        .returned_ns = 1160000,
    };
    HelixFrameRecord record = whole;
    guint64 us[HELIX_N_STAGES];

    helix_frame_stages(&whole, us);
    g_assert_cmpuint(us[HELIX_STAGE_QUEUED], ==, 10);
    g_assert_cmpuint(us[HELIX_STAGE_RESOLVED], ==, 30); /* to the hand-over, conversion and wait included */
    g_assert_cmpuint(us[HELIX_STAGE_ENCODED], ==, 40);
    g_assert_cmpuint(us[HELIX_STAGE_RETURNED], ==, 80);
    record.resolved_ns = record.submitted_ns = record.encoded_ns = 0; /* its look-up failed */
    helix_frame_stages(&record, us);
    g_assert_cmpuint(us[HELIX_STAGE_QUEUED], ==, 10);
    g_assert_cmpuint(us[HELIX_STAGE_RESOLVED] + us[HELIX_STAGE_ENCODED] + us[HELIX_STAGE_RETURNED], ==, 0);
    record.lookup_ns = 0; /* refused on arrival */
    helix_frame_stages(&record, us);
    g_assert_cmpuint(us[HELIX_STAGE_QUEUED] + us[HELIX_STAGE_RESOLVED], ==, 0);
}

/* Sleeping is blocked time, work is CPU time, what is paused is neither, and a turn without a scope is none. */
TEST("/stats/turns", test_turns)
{
    g_autoptr(GString) json = g_string_new(NULL);
    guint64 turns, blocked, cpu;
    const char *text;

    helix_loop_next_iteration();
    helix_loop_enter();
    helix_loop_enter();
    for (gint64 end = g_get_monotonic_time() + 5000; g_get_monotonic_time() < end;) {
    }
    helix_loop_leave();
    helix_loop_pause();
    g_usleep(50000);
    helix_loop_resume();
    g_usleep(10000);
    g_assert_cmpint(helix_loop_spent_us(), >=, 15000);
    helix_loop_leave();
    helix_loop_next_iteration();
    helix_loop_next_iteration();
    helix_loop_append_json(json);
    text = strstr(json->str, "\"cpu\":{\"count\":");
    g_assert_nonnull(text);
    turns = g_ascii_strtoull(text + strlen("\"cpu\":{\"count\":"), NULL, 10);
    g_assert_cmpuint(turns, ==, 1);
    text = strstr(json->str, "\"max\":");
    g_assert_nonnull(text);
    cpu = g_ascii_strtoull(text + strlen("\"max\":"), NULL, 10);
    text = strstr(text + 1, "\"max\":");
    g_assert_nonnull(text);
    blocked = g_ascii_strtoull(text + strlen("\"max\":"), NULL, 10);
    /* A busy machine takes the processor away, but gives none. */
    g_assert_cmpuint(cpu, >, 0);
    g_assert_cmpuint(cpu, <, 15000);
    g_assert_cmpuint(blocked, >=, 10000);
    g_assert_cmpuint(cpu + blocked, >=, 15000);
}
