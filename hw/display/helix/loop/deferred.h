/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deferred.h - work that goes on in a later turn of the main loop, because a turn's budget (loop-time.h) is spent.
 *
 * One queue a GMainContext, first in, first out: connections and streams that were cut off take turns. In each turn
 * tasks are run until the budget is spent, and one at least. Main loop only.
 */
#ifndef HELIX_DEFERRED_H
#define HELIX_DEFERRED_H

#include <glib.h>

typedef struct HelixDeferredQueue HelixDeferredQueue;

/* Embedded in what has the work; all zero but for run. */
typedef struct HelixTask {
    /* Called in a turn's scope, once for each time that it was added. It may add, remove and free its own and other
     * tasks. */
    void (*run)(struct HelixTask *task);
    GList link; /* in the queue if link.data is set */
} HelixTask;

/* The queue of @context, NULL is the default one; a reference, from any thread. */
HelixDeferredQueue *helix_deferred_ref(GMainContext *context);
void helix_deferred_unref(HelixDeferredQueue *later);

/* Have @task run in a later turn, behind all that wait. No effect if it waits already. */
void helix_deferred_add(HelixDeferredQueue *later, HelixTask *task);
/* It does not wait any longer; before what embeds it is freed. */
void helix_deferred_remove(HelixDeferredQueue *later, HelixTask *task);

#endif
