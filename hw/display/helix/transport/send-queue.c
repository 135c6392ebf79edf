/* SPDX-License-Identifier: GPL-2.0-or-later */
/* send-queue.c - messages on their way to a guest. */
#include "send-queue.h"
#include "../loop/loop-time.h"

/* Bytes handed over before the budget is looked at: a carrier may take an access unit of 16 MiB at once. */
#define PIECE ((gsize)256 * 1024)

typedef struct Entry {
    GByteArray *message;
    HelixMessageSent left;
    gpointer data;
} Entry;

void helix_send_queue_init(HelixSendQueue *outbox)
{
    g_queue_init(&outbox->messages);
    outbox->offset = 0;
    outbox->bytes = 0;
}

void helix_send_queue_push(HelixSendQueue *outbox, GByteArray *message, HelixMessageSent left, gpointer data)
{
    Entry *entry = g_new(Entry, 1);

    *entry = (Entry){ .message = message, .left = left, .data = data };
    g_queue_push_tail(&outbox->messages, entry);
}

/* Returns the message that is the first no more. */
static GByteArray *pop(HelixSendQueue *outbox, gboolean sent)
{
    Entry *entry = g_queue_pop_head(&outbox->messages);
    GByteArray *message = entry->message;

    outbox->offset = 0;
    if (entry->left) {
        entry->left(entry->data, sent);
    }
    g_free(entry);
    return message;
}

gboolean helix_send_queue_flush(HelixSendQueue *outbox, HelixChannel *channel)
{
    while (outbox->messages.length > 0) {
        const GByteArray *message = ((Entry *)g_queue_peek_head(&outbox->messages))->message;
        gsize piece = MIN(message->len - outbox->offset, PIECE);
        gsize taken = channel->carrier->write(channel, message->data + outbox->offset, piece);

        outbox->bytes += taken;
        outbox->offset += taken;
        if (taken < piece) {
            return FALSE;
        }
        if (outbox->offset == message->len) {
            g_byte_array_unref(pop(outbox, TRUE));
        }
        if (helix_loop_budget_is_spent()) {
            return outbox->messages.length > 0;
        }
    }
    return FALSE;
}

void helix_send_queue_clear(HelixSendQueue *outbox, GQueue *remains)
{
    while (outbox->messages.length > 0) {
        g_queue_push_tail(remains, pop(outbox, FALSE));
    }
}
