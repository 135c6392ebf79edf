/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deferred.c - work that continues in a later iteration of the main loop. */
#include "deferred.h"
#include "loop-budget.h"

struct HelixDeferredQueue {
    GSource source; /* first: the queue is its source */
    GMainContext *context;
    guint refs; /* under the lock */
    GQueue tasks;
};

static GMutex lock;            /* of all_queues, and of refs */
static GHashTable *all_queues; /* GMainContext to HelixDeferredQueue */

/* GLib calls it once per iteration of the loop. */
static gboolean prepare(GSource *source, gint *timeout)
{
    *timeout = -1;
    helix_loop_next_iteration();
    return ((HelixDeferredQueue *)source)->tasks.length > 0;
}

static gboolean check(GSource *source)
{
    return ((HelixDeferredQueue *)source)->tasks.length > 0;
}

/* Tasks that are added while one runs wait for another iteration. */
static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    HelixDeferredQueue *queue = (HelixDeferredQueue *)source;
    guint left = queue->tasks.length;
    HELIX_LOOP_SCOPE;

    while (left-- > 0 && queue->tasks.length > 0) {
        HelixTask *task = queue->tasks.head->data;

        helix_deferred_remove(queue, task);
        task->run(task);
        if (helix_loop_budget_is_spent()) {
            break;
        }
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs queue_funcs = { .prepare = prepare, .check = check, .dispatch = dispatch };

static HelixDeferredQueue *queue_new(GMainContext *context)
{
    HelixDeferredQueue *queue = (HelixDeferredQueue *)g_source_new(&queue_funcs, sizeof(HelixDeferredQueue));

    queue->context = g_main_context_ref(context);
    g_queue_init(&queue->tasks);
    g_source_attach(&queue->source, context);
    return queue;
}

HelixDeferredQueue *helix_deferred_ref(GMainContext *context)
{
    HelixDeferredQueue *queue;

    if (!context) {
        context = g_main_context_default();
    }
    g_mutex_lock(&lock);
    if (!all_queues) {
        all_queues = g_hash_table_new(NULL, NULL);
    }
    queue = g_hash_table_lookup(all_queues, context);
    if (!queue) {
        queue = queue_new(context);
        g_hash_table_insert(all_queues, context, queue);
    }
    queue->refs++;
    g_mutex_unlock(&lock);
    return queue;
}

void helix_deferred_unref(HelixDeferredQueue *queue)
{
    gboolean last;

    g_mutex_lock(&lock);
    last = --queue->refs == 0;
    if (last) {
        g_hash_table_remove(all_queues, queue->context);
        if (g_hash_table_size(all_queues) == 0) {
            g_clear_pointer(&all_queues, g_hash_table_unref);
        }
    }
    g_mutex_unlock(&lock);
    if (last) {
        GMainContext *context = queue->context;

        g_source_destroy(&queue->source);
        g_source_unref(&queue->source);
        g_main_context_unref(context);
    }
}

/* The thread of the loop checks before it sleeps; a caller on another thread (one that holds the BQL) or from a timer
 * of QEMU's wakes it. */
void helix_deferred_add(HelixDeferredQueue *queue, HelixTask *task)
{
    if (task->link.data) {
        return;
    }
    task->link.data = task;
    g_queue_push_tail_link(&queue->tasks, &task->link);
    if (!g_main_context_is_owner(queue->context)) {
        g_main_context_wakeup(queue->context);
    }
}

void helix_deferred_remove(HelixDeferredQueue *queue, HelixTask *task)
{
    if (task->link.data) {
        g_queue_unlink(&queue->tasks, &task->link);
        task->link.data = NULL;
    }
}
