/* SPDX-License-Identifier: GPL-2.0-or-later */
/* send-queue.c - messages on their way to a guest. */
#include "../loop/loop-budget.h"
#include "send-queue.h"

/* Bytes handed over before the budget is checked: a carrier may take an access unit of 16 MiB at once. */
#define PIECE ((gsize)256 * 1024)

typedef struct Entry {
    GByteArray *message;
    HelixMessageSent sent;
    gpointer data;
} Entry;

void helix_send_queue_init(HelixSendQueue *queue)
{
    g_queue_init(&queue->messages);
    queue->offset = 0;
    queue->bytes = 0;
}

void helix_send_queue_push(HelixSendQueue *queue, GByteArray *message, HelixMessageSent sent, gpointer data)
{
    Entry *entry = g_new(Entry, 1);

    *entry = (Entry){ .message = message, .sent = sent, .data = data };
    g_queue_push_tail(&queue->messages, entry);
}

/* Removes the first message and returns it. */
static GByteArray *pop(HelixSendQueue *queue, gboolean sent)
{
    Entry *entry = g_queue_pop_head(&queue->messages);
    GByteArray *message = entry->message;

    queue->offset = 0;
    if (entry->sent) {
        entry->sent(entry->data, sent);
    }
    g_free(entry);
    return message;
}

gboolean helix_send_queue_flush(HelixSendQueue *queue, HelixChannel *channel)
{
    while (queue->messages.length > 0) {
        const GByteArray *message = ((Entry *)g_queue_peek_head(&queue->messages))->message;
        gsize piece = MIN(message->len - queue->offset, PIECE);
        gsize taken = channel->carrier->write(channel, message->data + queue->offset, piece);

        queue->bytes += taken;
        queue->offset += taken;
        if (taken < piece) {
            return FALSE;
        }
        if (queue->offset == message->len) {
            g_byte_array_unref(pop(queue, TRUE));
        }
        if (helix_loop_budget_is_spent()) {
            return queue->messages.length > 0;
        }
    }
    return FALSE;
}

void helix_send_queue_clear(HelixSendQueue *queue, HelixFreeQueue *free_queue)
{
    while (queue->messages.length > 0) {
        helix_free_queue_push(free_queue, pop(queue, FALSE));
    }
}
