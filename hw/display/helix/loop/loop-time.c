/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop-time.c - see loop-time.h. */
#include <time.h>

#include "histogram.h"
#include "loop-time.h"

typedef struct Turn {
    guint depth;                /* of scopes */
    gint64 cpu_from, wall_from; /* ns, since the outermost scope began or was resumed */
    gint64 cpu, wall;           /* ns, of scopes of this turn that are over */
    gint64 paused_from, paused; /* ns of the wall clock, of the guest's own commands in this turn */
    gint64 (*now)(void);        /* the wall clock; NULL: the system's */
    HelixHistogram cpu_us, blocked_us;
    gint64 cpu_sum, blocked_sum; /* ns */
} Turn;

static GPrivate turn_of_thread = G_PRIVATE_INIT(g_free);

static Turn *this_turn(void)
{
    Turn *turn = g_private_get(&turn_of_thread);

    if (!turn) {
        turn = g_new0(Turn, 1);
        g_private_set(&turn_of_thread, turn);
    }
    return turn;
}

static gint64 clock_ns(clockid_t id)
{
    struct timespec now;

    (void)clock_gettime(id, &now); /* fails for clocks that are not there only */
    return (gint64)now.tv_sec * 1000000000 + now.tv_nsec;
}

static gint64 wall_ns(const Turn *turn)
{
    return turn->now ? turn->now() : clock_ns(CLOCK_MONOTONIC);
}

static void start(Turn *turn)
{
    turn->wall_from = wall_ns(turn);
    turn->cpu_from = clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void stop(Turn *turn)
{
    turn->cpu += clock_ns(CLOCK_THREAD_CPUTIME_ID) - turn->cpu_from;
    turn->wall += wall_ns(turn) - turn->wall_from;
}

void helix_loop_enter(void)
{
    Turn *turn = this_turn();

    if (turn->depth++ == 0) {
        start(turn);
    }
}

void helix_loop_leave(void)
{
    Turn *turn = this_turn();

    if (--turn->depth == 0) {
        stop(turn);
    }
}

void helix_loop_pause(void)
{
    Turn *turn = this_turn();

    if (turn->depth) {
        stop(turn);
        turn->paused_from = wall_ns(turn);
    }
}

void helix_loop_resume(void)
{
    Turn *turn = this_turn();

    if (turn->depth) {
        start(turn);
        turn->paused += turn->wall_from - turn->paused_from;
    }
}

void helix_loop_next_iteration(void)
{
    Turn *turn = this_turn();

    if (turn->wall == 0 || turn->depth) {
        return; /* nothing was ours, or a loop runs inside of our own callback */
    }
    helix_histogram_add(&turn->cpu_us, (guint64)turn->cpu / 1000);
    helix_histogram_add(&turn->blocked_us, turn->wall > turn->cpu ? (guint64)(turn->wall - turn->cpu) / 1000 : 0);
    turn->cpu_sum += turn->cpu;
    turn->blocked_sum += MAX(turn->wall - turn->cpu, 0);
    turn->cpu = turn->wall = turn->paused = 0;
}

/* ns that this turn was ours so far. */
static gint64 spent(const Turn *turn)
{
    return turn->wall + (turn->depth ? wall_ns(turn) - turn->wall_from : 0);
}

gint64 helix_loop_spent_us(void)
{
    return spent(this_turn()) / 1000;
}

gboolean helix_loop_budget_is_spent(void)
{
    const Turn *turn = this_turn();

    return spent(turn) + turn->paused >= HELIX_LOOP_BUDGET_US * G_GINT64_CONSTANT(1000);
}

void helix_loop_set_clock(gint64 (*now_ns)(void))
{
    Turn *turn = this_turn();

    g_assert(!turn->depth);
    turn->now = now_ns;
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
    const Turn *turn = this_turn();

    g_string_append(json, ",\"main_loop_us\":{");
    append(json, "cpu", &turn->cpu_us, turn->cpu_sum);
    g_string_append_c(json, ',');
    append(json, "blocked", &turn->blocked_us, turn->blocked_sum);
    g_string_append_c(json, '}');
}
