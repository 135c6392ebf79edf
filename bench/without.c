/* SPDX-License-Identifier: GPL-2.0-or-later */
/* without.c - the host with one part of encode/ replaced by the simplest code that does its job. */
#include <glib.h>

#include "encode/parallel-for.h"
#include "encode/pre-convert.h"
#include "encode/scheduler.h"
#include "without.h"

void __real_helix_scheduler_enter(void);
void __wrap_helix_scheduler_enter(void);
void __real_helix_scheduler_leave(void);
void __wrap_helix_scheduler_leave(void);
HelixPreConvert *__real_helix_pre_convert_begin(HelixSurface *surface, guint32 width, guint32 height,
                                                HelixSurfacePool *pool, guint helpers);
HelixPreConvert *__wrap_helix_pre_convert_begin(HelixSurface *surface, guint32 width, guint32 height,
                                                HelixSurfacePool *pool, guint helpers);
HelixParallelFor *__real_helix_parallel_for_begin(void (*part)(gpointer data, guint i), gpointer data, guint n,
                                                  guint helpers);
HelixParallelFor *__wrap_helix_parallel_for_begin(void (*part)(gpointer data, guint i), gpointer data, guint n,
                                                  guint helpers);

const char *const without_names[WITHOUT_N] = { "all",         "scheduler (FIFO)", "scheduler (none)",
                                               "pre-convert", "slices",           "parallel-for" };

static gint without; /* atomic; a Without */

void without_set(Without what)
{
    g_atomic_int_set(&without, (gint)what);
}

static Without current(void)
{
    return (Without)g_atomic_int_get(&without);
}

/* ---- a FIFO semaphore in place of the scheduler ---- */

typedef struct Waiter {
    GCond admitted;
    gboolean inside;
} Waiter;

static GMutex fifo_lock;
static GQueue fifo_waiters = G_QUEUE_INIT; /* Waiter */
static guint fifo_inside;
static GPrivate fifo_is_inside; /* of this thread: not NULL */

static void fifo_leave(void)
{
    Waiter *next;

    if (!g_private_get(&fifo_is_inside)) {
        return;
    }
    g_private_set(&fifo_is_inside, NULL);
    g_mutex_lock(&fifo_lock);
    next = g_queue_pop_head(&fifo_waiters);
    if (next) {
        next->inside = TRUE;
        g_cond_signal(&next->admitted);
    } else {
        fifo_inside--;
    }
    g_mutex_unlock(&fifo_lock);
}

static void fifo_enter(void)
{
    Waiter self = { .inside = FALSE };

    g_mutex_lock(&fifo_lock);
    if (fifo_inside < g_get_num_processors()) {
        fifo_inside++;
    } else {
        g_cond_init(&self.admitted);
        g_queue_push_tail(&fifo_waiters, &self);
        while (!self.inside) {
            g_cond_wait(&self.admitted, &fifo_lock);
        }
        g_cond_clear(&self.admitted);
    }
    g_mutex_unlock(&fifo_lock);
    g_private_set(&fifo_is_inside, &fifo_is_inside);
}

/* A thread may still have the place that it got before without_set(). */
void __wrap_helix_scheduler_enter(void)
{
    Without what = current();

    fifo_leave();
    if (what == WITHOUT_SCHEDULER || what == WITHOUT_ANY_ORDER) {
        __real_helix_scheduler_leave();
    } else {
        __real_helix_scheduler_enter();
    }
    if (what == WITHOUT_SCHEDULER) {
        fifo_enter();
    }
}

void __wrap_helix_scheduler_leave(void)
{
    fifo_leave();
    __real_helix_scheduler_leave(); /* does nothing for a thread that is not inside */
}

/* ---- conversion ---- */

HelixPreConvert *__wrap_helix_pre_convert_begin(HelixSurface *surface, guint32 width, guint32 height,
                                                HelixSurfacePool *pool, guint helpers)
{
    Without what = current();

    return what == WITHOUT_PRE_CONVERT || what == WITHOUT_PARALLEL_FOR
        ? NULL
        : __real_helix_pre_convert_begin(surface, width, height, pool, helpers);
}

/* All parts of a piece of work, as one part. */
typedef struct Whole {
    void (*part)(gpointer data, guint i);
    gpointer data;
    guint n;
} Whole;

static void do_whole(gpointer data, guint i)
{
    Whole *whole = data;

    for (guint j = 0; i == 0 && j < whole->n; j++) {
        whole->part(whole->data, j);
    }
    if (i == 0) {
        g_free(whole);
    }
}

HelixParallelFor *__wrap_helix_parallel_for_begin(void (*part)(gpointer data, guint i), gpointer data, guint n,
                                                  guint helpers)
{
    Without what = current();
    Whole *whole;

    if (what == WITHOUT_PARALLEL_FOR) {
        helpers = 0;
    }
    if (what != WITHOUT_SLICES) {
        return __real_helix_parallel_for_begin(part, data, n, helpers);
    }
    whole = g_new(Whole, 1);
    *whole = (Whole){ part, data, n };
    /* The second part is empty: it lets a helper have the first one, where a picture is converted in advance. */
    return helpers == 1 ? __real_helix_parallel_for_begin(do_whole, whole, 2, 1)
                        : __real_helix_parallel_for_begin(do_whole, whole, 1, 0);
}
