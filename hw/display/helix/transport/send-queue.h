/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * send-queue.h - messages on their way to a guest, and who wants to know when one has left.
 *
 * Bounded by its user: a session takes nothing new from a guest while its outbox waits.
 */
#ifndef HELIX_SEND_QUEUE_H
#define HELIX_SEND_QUEUE_H

#include "channel.h"

typedef struct HelixSendQueue {
    GQueue messages;
    gsize offset;  /* bytes of the first message that were taken */
    guint64 bytes; /* taken by the carrier in all */
} HelixSendQueue;

/* @sent: the last byte was handed to the transport; else the outbox was cleared before. */
typedef void (*HelixMessageSent)(gpointer data, gboolean sent);

void helix_send_queue_init(HelixSendQueue *outbox);
/* Takes @message over. @left may be NULL. */
void helix_send_queue_push(HelixSendQueue *outbox, GByteArray *message, HelixMessageSent left, gpointer data);
/* Hand over what the channel takes, until the turn's budget is spent. TRUE: it may take more, so call again in a later
 * turn. */
gboolean helix_send_queue_flush(HelixSendQueue *outbox, HelixChannel *channel);
/* Nothing more leaves: messages go to @remains, a queue of GByteArray. */
void helix_send_queue_clear(HelixSendQueue *outbox, GQueue *remains);

static inline gboolean helix_send_queue_is_empty(const HelixSendQueue *outbox)
{
    return outbox->messages.length == 0;
}

#endif
