/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * free-queue.h - large buffers that the main loop frees within its time budget.
 *
 * Giving the pages of a buffer of several MiB back takes the system half a millisecond. Main loop only.
 */
#ifndef HELIX_FREE_QUEUE_H
#define HELIX_FREE_QUEUE_H

#include "deferred.h"

typedef struct HelixFreeQueue {
    HelixTask task; /* first */
    HelixDeferredQueue *deferred;
    GQueue arrays; /* GByteArray */
} HelixFreeQueue;

/* @deferred outlives the queue. */
void helix_free_queue_init(HelixFreeQueue *queue, HelixDeferredQueue *deferred);
/* Takes @array over and frees it in a later iteration of the loop. */
void helix_free_queue_push(HelixFreeQueue *queue, GByteArray *array);
/* Frees what is left, now. */
void helix_free_queue_clear(HelixFreeQueue *queue);

#endif
