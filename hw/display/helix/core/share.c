/* SPDX-License-Identifier: GPL-2.0-or-later */
/* share.c - a short piece of work that idle processors help with. */
#include "share.h"

#define HELPERS_MOST 3u         /* work is bound by memory soon */

typedef struct Work {
    gatomicrefcount refs;       /* the caller, and a helper each */
    void (*part)(gpointer data, guint i);
    gpointer data;
    gint n;
    gint next, left;            /* atomic: the first that nobody has begun; those not done */
    GMutex lock;
    GCond done;
} Work;

static void work_unref(Work *work)
{
    if (g_atomic_ref_count_dec(&work->refs)) {
        g_mutex_clear(&work->lock);
        g_cond_clear(&work->done);
        g_free(work);
    }
}

static void help(gpointer data, gpointer unused)
{
    Work *work = data;
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

/* Made on an encoder's thread, whose signals are blocked: helpers inherit that. */
static gpointer make_helpers(gpointer unused)
{
    guint processors = g_get_num_processors();

    return processors > 1 ? g_thread_pool_new(help, NULL, (gint)MIN(processors - 1, HELPERS_MOST), TRUE, NULL) : NULL;
}

void helix_share(void (*part)(gpointer data, guint i), gpointer data, guint n)
{
    static GOnce once = G_ONCE_INIT;
    GThreadPool *helpers = g_once(&once, make_helpers, NULL);
    /* Of those that the host had room for: with none nobody would take what is queued. */
    gint calls = helpers ? (gint)MIN(g_thread_pool_get_num_threads(helpers), n - 1) : 0;
    Work *work;

    work = g_new0(Work, 1);
    g_atomic_ref_count_init(&work->refs);
    work->part = part;
    work->data = data;
    work->n = work->left = (gint)n;
    g_mutex_init(&work->lock);
    g_cond_init(&work->done);
    g_atomic_ref_count_inc(&work->refs);
    for (gint i = 0; i < calls; i++) {
        g_atomic_ref_count_inc(&work->refs);
        (void)g_thread_pool_push(helpers, work, NULL);  /* FALSE: queued for the threads that are there */
    }
    help(work, NULL);
    g_mutex_lock(&work->lock);
    while (g_atomic_int_get(&work->left) > 0) {
        g_cond_wait(&work->done, &work->lock);
    }
    g_mutex_unlock(&work->lock);
    work_unref(work);  /* NOLINT(clang-analyzer-unix.Malloc): a reference is held */
}
