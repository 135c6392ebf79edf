/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encode-shared.c - how jobs and threads come back to the main loop. */
#include "encode-shared.h"

void helix_encode_post(HelixEncodePool *pool, HelixJob *job)
{
    g_async_queue_push(pool->results, job);
    g_main_context_wakeup(pool->context);
}

/*
 * The main loop joins no thread: one that has posted its end may still be preempted before it is gone. Each joins the
 * one that ended before it, which has nothing else left to do; so the end of the last one is the end of all.
 */
void helix_encode_join_last(HelixEncodePool *pool, GThread *self)
{
    GThread *last;

    g_mutex_lock(&pool->lock);
    last = pool->ended;
    pool->ended = self;
    g_mutex_unlock(&pool->lock);
    if (last) {
        g_thread_join(last);
    }
}
