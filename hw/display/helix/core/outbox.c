/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbox.c - messages on their way to a guest. */
#include "outbox.h"

typedef struct Entry {
    GByteArray *message;
    HelixOutboxLeft left;
    gpointer data;
} Entry;

void helix_outbox_init(HelixOutbox *outbox)
{
    g_queue_init(&outbox->messages);
    outbox->offset = 0;
    outbox->bytes = 0;
}

void helix_outbox_push(HelixOutbox *outbox, GByteArray *message, HelixOutboxLeft left, gpointer data)
{
    Entry *entry = g_new(Entry, 1);

    *entry = (Entry) { .message = message, .left = left, .data = data };
    g_queue_push_tail(&outbox->messages, entry);
}

static void pop(HelixOutbox *outbox, gboolean sent)
{
    Entry *entry = g_queue_pop_head(&outbox->messages);

    outbox->offset = 0;
    g_byte_array_unref(entry->message);
    if (entry->left) {
        entry->left(entry->data, sent);
    }
    g_free(entry);
}

void helix_outbox_flush(HelixOutbox *outbox, HelixChannel *channel)
{
    while (outbox->messages.length > 0) {
        const GByteArray *message = ((Entry *)g_queue_peek_head(&outbox->messages))->message;
        gsize left = message->len - outbox->offset;
        gsize taken = channel->carrier->write(channel, message->data + outbox->offset, left);

        outbox->bytes += taken;
        outbox->offset += taken;
        if (taken < left) {
            return;
        }
        pop(outbox, TRUE);
    }
}

void helix_outbox_clear(HelixOutbox *outbox)
{
    while (outbox->messages.length > 0) {
        pop(outbox, FALSE);
    }
}
