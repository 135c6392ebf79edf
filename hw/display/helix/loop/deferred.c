/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deferred.c - work that goes on in a later turn of the main loop. */
#include "deferred.h"
#include "loop-time.h"

struct HelixLater {
    GSource source; /* first: the queue is its source */
    GMainContext *context;
    guint refs; /* under the lock */
    GQueue tasks;
};

static GMutex lock;            /* of all_queues, and of refs */
static GHashTable *all_queues; /* GMainContext to HelixLater */

/* Asked once a turn of the loop. */
static gboolean prepare(GSource *source, gint *timeout)
{
    *timeout = -1;
    helix_turn_next();
    return ((HelixLater *)source)->tasks.length > 0;
}

static gboolean check(GSource *source)
{
    return ((HelixLater *)source)->tasks.length > 0;
}

/* What a task adds while it runs is for another turn. */
static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    HelixLater *later = (HelixLater *)source;
    guint left = later->tasks.length;
    HELIX_TURN_SCOPE;

    while (left-- > 0 && later->tasks.length > 0) {
        HelixTask *task = later->tasks.head->data;

        helix_later_remove(later, task);
        task->run(task);
        if (helix_turn_is_over()) {
            break;
        }
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs later_funcs = { .prepare = prepare, .check = check, .dispatch = dispatch };

static HelixLater *later_new(GMainContext *context)
{
    HelixLater *later = (HelixLater *)g_source_new(&later_funcs, sizeof(HelixLater));

    later->context = g_main_context_ref(context);
    g_queue_init(&later->tasks);
    g_source_attach(&later->source, context);
    return later;
}

HelixLater *helix_later_ref(GMainContext *context)
{
    HelixLater *later;

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

void helix_later_unref(HelixLater *later)
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
void helix_later_add(HelixLater *later, HelixTask *task)
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

void helix_later_remove(HelixLater *later, HelixTask *task)
{
    if (task->link.data) {
        g_queue_unlink(&later->tasks, &task->link);
        task->link.data = NULL;
    }
}
