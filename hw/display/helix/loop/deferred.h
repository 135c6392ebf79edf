/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deferred.h - work that continues in a later iteration of the main loop, because the loop's budget (loop-budget.h) is
 * spent.
 *
 * One queue per GMainContext, first in, first out, so that interrupted connections and streams take turns. Each
 * iteration runs tasks until the budget is spent, and one at least. Main loop only.
 */
#ifndef HELIX_DEFERRED_H
#define HELIX_DEFERRED_H

#include <glib.h>

typedef struct HelixDeferredQueue HelixDeferredQueue;

/* Embedded in the object that has the work; all zero but for run. */
typedef struct HelixTask {
    /* Called within a HELIX_LOOP_SCOPE, once per helix_deferred_add(). It may add, remove and free its own and other
     * tasks. */
    void (*run)(struct HelixTask *task);
    GList link; /* in the queue while link.data is set */
} HelixTask;

/* A reference to the queue of @context; NULL: the default one. Any thread. */
HelixDeferredQueue *helix_deferred_ref(GMainContext *context);
void helix_deferred_unref(HelixDeferredQueue *queue);

/* Run @task in a later iteration, behind all that wait. No effect if it waits already. */
void helix_deferred_add(HelixDeferredQueue *queue, HelixTask *task);
/* Take @task out of the queue; before the object that embeds it is freed. */
void helix_deferred_remove(HelixDeferredQueue *queue, HelixTask *task);

#endif
