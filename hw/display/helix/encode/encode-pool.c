/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encode-pool.c - the encode threads of one host, and how their results come back to the main loop. */
#include "../loop/loop-budget.h"
#include "encode-pool.h"
#include "encode-shared.h"
#include "encode-thread.h"

typedef struct PoolSource {
    GSource source;
    HelixEncodePool *pool;
} PoolSource;

static void job_free(HelixJob *job)
{
    helix_surface_unref(job->surface);
    g_clear_error(&job->result.error);
    g_clear_pointer(&job->result.buffer, g_byte_array_unref);
    g_free(job);
}

static void reap(HelixEncodeThread *thread)
{
    thread->pool->threads = g_list_remove(thread->pool->threads, thread);
    helix_encode_thread_free(thread);
}

static gboolean source_prepare(GSource *source, gint *timeout)
{
    if (timeout) {
        *timeout = -1;
    }
    return g_async_queue_length(((PoolSource *)source)->pool->results) > 0;
}

static gboolean source_check(GSource *source)
{
    return source_prepare(source, NULL);
}

/* One job at a time: the callback may free the pool, and GLib calls the source again only if it still exists. */
static gboolean source_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    HelixEncodePool *pool = ((PoolSource *)source)->pool;
    HelixJob *job = g_async_queue_try_pop(pool->results);
    gboolean ended = job && job->kind == HELIX_JOB_END;
    HELIX_LOOP_SCOPE;

    if (ended) {
        reap(job->thread);
    } else if (job && job->thread->owner) {
        job->thread->done(job->thread->owner, job->tag, &job->result);
    }
    if (job) {
        job_free(job);
    }
    if (ended && !pool->threads && pool->idle) {
        pool->idle(pool->idle_data);
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = { .prepare = source_prepare, .check = source_check, .dispatch = source_dispatch };

HelixEncodePool *helix_encode_pool_new(GMainContext *context)
{
    HelixEncodePool *pool = g_new0(HelixEncodePool, 1);

    pool->context = g_main_context_ref(context ? context : g_main_context_default());
    pool->results = g_async_queue_new();
    pool->source = g_source_new(&source_funcs, sizeof(PoolSource));
    ((PoolSource *)pool->source)->pool = pool;
    pool->max_unit = G_MAXINT32;
    helix_encode_budget_init(&pool->budget);
    g_mutex_init(&pool->lock);
    g_source_attach(pool->source, pool->context);
    return pool;
}

void helix_encode_pool_free(HelixEncodePool *pool)
{
    g_source_destroy(pool->source);
    g_source_unref(pool->source);
    for (GList *link = pool->threads; link; link = link->next) {
        helix_encode_thread_retire(link->data);
    }
    while (pool->threads) {
        HelixJob *job = g_async_queue_pop(pool->results);

        if (job->kind == HELIX_JOB_END) {
            reap(job->thread);
        }
        job_free(job);
    }
    if (pool->ended) {
        g_thread_join(pool->ended);
    }
    g_async_queue_unref(pool->results);
    g_main_context_unref(pool->context);
    helix_encode_budget_clear(&pool->budget);
    g_mutex_clear(&pool->lock);
    g_free(pool);
}

void helix_encode_pool_set_limit(HelixEncodePool *pool, guint64 max_bytes)
{
    pool->budget.max_bytes = max_bytes;
}

void helix_encode_pool_set_room(HelixEncodePool *pool, gsize headroom, gsize tailroom, gsize max_unit)
{
    pool->headroom = headroom;
    pool->tailroom = tailroom;
    pool->max_unit = max_unit;
}

void helix_encode_pool_set_idle(HelixEncodePool *pool, void (*idle)(gpointer data), gpointer data)
{
    pool->idle = idle;
    pool->idle_data = data;
}

guint helix_encode_pool_size(const HelixEncodePool *pool)
{
    return g_list_length(pool->threads);
}
