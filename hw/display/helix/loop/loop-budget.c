/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop-budget.c - the time that the module takes of each iteration of the main loop. */
#include <time.h>

#include "histogram.h"
#include "loop-budget.h"

typedef struct LoopTime {
    guint depth;                /* of scopes */
    gint64 cpu_from, wall_from; /* ns, since the outermost scope began or was resumed */
    gint64 cpu, wall;           /* ns, of scopes of this iteration that have ended */
    gint64 paused_from, paused; /* ns of the wall clock, of the guest's own commands in this iteration */
    gint64 (*now)(void);        /* the wall clock; NULL: the system's */
    HelixHistogram cpu_us, blocked_us;
    gint64 cpu_sum, blocked_sum; /* ns */
} LoopTime;

static GPrivate time_of_thread = G_PRIVATE_INIT(g_free);

static LoopTime *this_thread(void)
{
    LoopTime *time = g_private_get(&time_of_thread);

    if (!time) {
        time = g_new0(LoopTime, 1);
        g_private_set(&time_of_thread, time);
    }
    return time;
}

static gint64 clock_ns(clockid_t id)
{
    struct timespec now;

    (void)clock_gettime(id, &now); /* fails for unknown clocks only */
    return (gint64)now.tv_sec * 1000000000 + now.tv_nsec;
}

static gint64 wall_ns(const LoopTime *time)
{
    return time->now ? time->now() : clock_ns(CLOCK_MONOTONIC);
}

static void start(LoopTime *time)
{
    time->wall_from = wall_ns(time);
    time->cpu_from = clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void stop(LoopTime *time)
{
    time->cpu += clock_ns(CLOCK_THREAD_CPUTIME_ID) - time->cpu_from;
    time->wall += wall_ns(time) - time->wall_from;
}

void helix_loop_enter(void)
{
    LoopTime *time = this_thread();

    if (time->depth++ == 0) {
        start(time);
    }
}

void helix_loop_leave(void)
{
    LoopTime *time = this_thread();

    if (--time->depth == 0) {
        stop(time);
    }
}

void helix_loop_pause(void)
{
    LoopTime *time = this_thread();

    if (time->depth) {
        stop(time);
        time->paused_from = wall_ns(time);
    }
}

void helix_loop_resume(void)
{
    LoopTime *time = this_thread();

    if (time->depth) {
        start(time);
        time->paused += time->wall_from - time->paused_from;
    }
}

void helix_loop_next_iteration(void)
{
    LoopTime *time = this_thread();

    if (time->wall == 0 || time->depth) {
        return; /* none of our code ran, or a nested loop runs inside a callback of ours */
    }
    helix_histogram_add(&time->cpu_us, (guint64)time->cpu / 1000);
    helix_histogram_add(&time->blocked_us, time->wall > time->cpu ? (guint64)(time->wall - time->cpu) / 1000 : 0);
    time->cpu_sum += time->cpu;
    time->blocked_sum += MAX(time->wall - time->cpu, 0);
    time->cpu = time->wall = time->paused = 0;
}

/* ns that our code has taken of this iteration. */
static gint64 spent(const LoopTime *time)
{
    return time->wall + (time->depth ? wall_ns(time) - time->wall_from : 0);
}

gint64 helix_loop_spent_us(void)
{
    return spent(this_thread()) / 1000;
}

gboolean helix_loop_budget_is_spent(void)
{
    const LoopTime *time = this_thread();

    return spent(time) + time->paused >= HELIX_LOOP_BUDGET_US * G_GINT64_CONSTANT(1000);
}

void helix_loop_set_clock(gint64 (*now_ns)(void))
{
    LoopTime *time = this_thread();

    g_assert(!time->depth);
    time->now = now_ns;
}

static void append(GString *json, const char *name, const HelixHistogram *histogram, gint64 sum_ns)
{
    g_string_append_printf(
        json,
        "\"%s\":{\"count\":%" G_GUINT64_FORMAT ",\"p50\":%" G_GUINT64_FORMAT ",\"p99\":%" G_GUINT64_FORMAT
        ",\"p999\":%" G_GUINT64_FORMAT ",\"max\":%" G_GUINT64_FORMAT ",\"sum\":%" G_GINT64_FORMAT "}",
        name, histogram->count, helix_histogram_quantile(histogram, 500), helix_histogram_quantile(histogram, 990),
        helix_histogram_quantile(histogram, 999), histogram->max, sum_ns / 1000);
}

void helix_loop_append_json(GString *json)
{
    const LoopTime *time = this_thread();

    g_string_append(json, ",\"main_loop_us\":{");
    append(json, "cpu", &time->cpu_us, time->cpu_sum);
    g_string_append_c(json, ',');
    append(json, "blocked", &time->blocked_us, time->blocked_sum);
    g_string_append_c(json, '}');
}
