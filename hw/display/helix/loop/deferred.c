/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deferred.c - work that goes on in a later turn of the main loop. */
#include "deferred.h"
#include "loop-time.h"

struct HelixDeferredQueue {
    GSource source; /* first: the queue is its source */
    GMainContext *context;
    guint refs; /* under the lock */
    GQueue tasks;
};

static GMutex lock;            /* of all_queues, and of refs */
static GHashTable *all_queues; /* GMainContext to HelixDeferredQueue */

/* Asked once a turn of the loop. */
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

/* What a task adds while it runs is for another turn. */
static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    HelixDeferredQueue *later = (HelixDeferredQueue *)source;
    guint left = later->tasks.length;
    HELIX_LOOP_SCOPE;

    while (left-- > 0 && later->tasks.length > 0) {
        HelixTask *task = later->tasks.head->data;

        helix_deferred_remove(later, task);
        task->run(task);
        if (helix_loop_budget_is_spent()) {
            break;
        }
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs later_funcs = { .prepare = prepare, .check = check, .dispatch = dispatch };

static HelixDeferredQueue *later_new(GMainContext *context)
{
    HelixDeferredQueue *later = (HelixDeferredQueue *)g_source_new(&later_funcs, sizeof(HelixDeferredQueue));

    later->context = g_main_context_ref(context);
    g_queue_init(&later->tasks);
    g_source_attach(&later->source, context);
    return later;
}

HelixDeferredQueue *helix_deferred_ref(GMainContext *context)
{
    HelixDeferredQueue *later;

    if (!context) {
        context = g_main_context_default();
    }
    g_mutex_lock(&lock);
    if (!all_queues) {
        all_queues = g_hash_table_new(NULL, NULL);
    }
    later = g_hash_table_lookup(all_queues, context);
    if (!later) {
        later = later_new(context);
        g_hash_table_insert(all_queues, context, later);
    }
    later->refs++;
    g_mutex_unlock(&lock);
    return later;
}

void helix_deferred_unref(HelixDeferredQueue *later)
{
    gboolean last;

    g_mutex_lock(&lock);
    last = --later->refs == 0;
    if (last) {
        g_hash_table_remove(all_queues, later->context);
        if (g_hash_table_size(all_queues) == 0) {
            g_clear_pointer(&all_queues, g_hash_table_unref);
        }
    }
    g_mutex_unlock(&lock);
    if (last) {
        GMainContext *context = later->context;

        g_source_destroy(&later->source);
        g_source_unref(&later->source);
        g_main_context_unref(context);
    }
}

/* The loop's own thread looks before it sleeps; what comes from a timer of QEMU's, or another thread with the BQL,
 * wakes it. */
void helix_deferred_add(HelixDeferredQueue *later, HelixTask *task)
{
    if (task->link.data) {
        return;
    }
    task->link.data = task;
    g_queue_push_tail_link(&later->tasks, &task->link);
    if (!g_main_context_is_owner(later->context)) {
        g_main_context_wakeup(later->context);
    }
}

void helix_deferred_remove(HelixDeferredQueue *later, HelixTask *task)
{
    if (task->link.data) {
        g_queue_unlink(&later->tasks, &task->link);
        task->link.data = NULL;
    }
}
