/* SPDX-License-Identifier: GPL-2.0-or-later */
/* free-queue.c - large buffers that the main loop frees within its time budget. */
#include "free-queue.h"
#include "loop-budget.h"

static void free_some(HelixTask *task)
{
    HelixFreeQueue *queue = (HelixFreeQueue *)task;

    while (queue->arrays.length > 0) {
        g_byte_array_unref(g_queue_pop_head(&queue->arrays));
        if (helix_loop_budget_is_spent()) {
            helix_deferred_add(queue->deferred, task);
            return;
        }
    }
}

void helix_free_queue_init(HelixFreeQueue *queue, HelixDeferredQueue *deferred)
{
    *queue = (HelixFreeQueue){ .task = { .run = free_some }, .deferred = deferred };
    g_queue_init(&queue->arrays);
}

void helix_free_queue_push(HelixFreeQueue *queue, GByteArray *array)
{
    g_queue_push_tail(&queue->arrays, array);
    helix_deferred_add(queue->deferred, &queue->task);
}

void helix_free_queue_clear(HelixFreeQueue *queue)
{
    helix_deferred_remove(queue->deferred, &queue->task);
    g_queue_clear_full(&queue->arrays, (GDestroyNotify)g_byte_array_unref);
}
