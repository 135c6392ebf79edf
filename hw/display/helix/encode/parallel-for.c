/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parallel-for.c - a short loop whose iterations helper threads share. */
#include "parallel-for.h"
#include "../loop/threads.h"

#define HELPERS_MOST 3u /* with the caller as many threads as x264 has at most for a picture (x264/options.c) */

struct HelixParallelFor {
    gatomicrefcount refs; /* one of the caller, one of each helper */
    void (*part)(gpointer data, guint i);
    gpointer data;
    gint n;
    gint next, left; /* atomic: the first iteration not begun; iterations not done */
    GMutex lock;
    GCond done;
};

static void work_unref(HelixParallelFor *work)
{
    if (g_atomic_ref_count_dec(&work->refs)) {
        g_mutex_clear(&work->lock);
        g_cond_clear(&work->done);
        g_free(work);
    }
}

static void help(gpointer data, gpointer unused)
{
    HelixParallelFor *work = data;
    gint i;

    while ((i = g_atomic_int_add(&work->next, 1)) < work->n) {
        work->part(work->data, (guint)i);
        if (g_atomic_int_dec_and_test(&work->left)) {
            g_mutex_lock(&work->lock);
            g_cond_signal(&work->done);
            g_mutex_unlock(&work->lock);
        }
    }
    work_unref(work);
}

static gpointer make_helpers(gpointer unused)
{
    guint processors = g_get_num_processors();
    GThreadPool *helpers = NULL;
    HelixThreadsBefore before;

    if (processors > 1) {
        helix_threads_begin(&before, TRUE);
        helpers = g_thread_pool_new(help, NULL, (gint)MIN(processors - 1, HELPERS_MOST), TRUE, NULL);
        helix_threads_end(&before);
    }
    return helpers;
}

HelixParallelFor *helix_parallel_for_begin(void (*part)(gpointer data, guint i), gpointer data, guint n, guint helpers)
{
    static GOnce once = G_ONCE_INIT;
    GThreadPool *pool = helpers ? g_once(&once, make_helpers, NULL) : NULL;
    /* At most the threads that could be started: with none, nothing would be taken from the queue. The caller helps
     * too. */
    guint calls = pool ? MIN((guint)g_thread_pool_get_num_threads(pool), MIN(helpers, n - 1)) : 0;
    HelixParallelFor *work = g_new0(HelixParallelFor, 1);

    g_atomic_ref_count_init(&work->refs);
    work->part = part;
    work->data = data;
    work->n = work->left = (gint)n;
    g_mutex_init(&work->lock);
    g_cond_init(&work->done);
    for (guint i = 0; i < calls; i++) {
        g_atomic_ref_count_inc(&work->refs);
        (void)g_thread_pool_push(pool, work, NULL); /* FALSE: queued for the existing threads */
    }
    return work;
}

void helix_parallel_for_end(HelixParallelFor *work)
{
    g_atomic_ref_count_inc(&work->refs);
    help(work, NULL);
    g_mutex_lock(&work->lock);
    while (g_atomic_int_get(&work->left) > 0) {
        g_cond_wait(&work->done, &work->lock);
    }
    g_mutex_unlock(&work->lock);
    work_unref(work); /* NOLINT(clang-analyzer-unix.Malloc): a reference is held */
}
