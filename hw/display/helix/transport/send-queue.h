/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * send-queue.h - messages on their way to a guest. Main loop only.
 *
 * Its user bounds it: a session takes nothing new from a guest while messages wait.
 */
#ifndef HELIX_SEND_QUEUE_H
#define HELIX_SEND_QUEUE_H

#include "../loop/free-queue.h"
#include "channel.h"

typedef struct HelixSendQueue {
    GQueue messages;
    gsize offset;  /* bytes of the first message that the carrier took */
    guint64 bytes; /* taken by the carrier in all */
} HelixSendQueue;

/* @sent: the carrier took the last byte; else the queue was cleared before. */
typedef void (*HelixMessageSent)(gpointer data, gboolean sent);

void helix_send_queue_init(HelixSendQueue *queue);
/* Takes @message over. @sent may be NULL. */
void helix_send_queue_push(HelixSendQueue *queue, GByteArray *message, HelixMessageSent sent, gpointer data);
/* Hand over what the carrier takes, until the loop's budget is spent. TRUE: it may take more, so call again in a later
 * iteration of the loop. */
gboolean helix_send_queue_flush(HelixSendQueue *queue, HelixChannel *channel);
/* Nothing more is sent: messages are freed through @free_queue. */
void helix_send_queue_clear(HelixSendQueue *queue, HelixFreeQueue *free_queue);

static inline gboolean helix_send_queue_is_empty(const HelixSendQueue *queue)
{
    return queue->messages.length == 0;
}

#endif
