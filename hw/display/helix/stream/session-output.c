/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session-output.c - the answers of a connection. */
#include "../loop/loop-budget.h"
#include "session-private.h"

void helix_session_flush(HelixSession *session)
{
    guint64 before = session->send_queue.bytes;

    if (session->channel) {
        if (helix_send_queue_flush(&session->send_queue, session->channel)) {
            helix_deferred_add(session->settings->streams->deferred, &session->task);
        }
        session->settings->stats->bytes_to_guest += session->send_queue.bytes - before;
    }
}

void helix_session_send(HelixSession *session, GByteArray *message, HelixMessageSent sent, gpointer data)
{
    gboolean waits = !helix_send_queue_is_empty(&session->send_queue);

    helix_send_queue_push(&session->send_queue, message, sent, data);
    if (!waits) {
        helix_session_flush(session);
    }
}

void helix_session_send_held_pongs(HelixSession *session)
{
    while (!session->handshake && session->held_pongs.length > 0) {
        helix_session_send(session, g_queue_pop_head(&session->held_pongs), NULL, NULL);
        if (session->held_pongs.length > 0 && helix_loop_budget_is_spent()) {
            helix_deferred_add(session->settings->streams->deferred, &session->task);
            return;
        }
    }
}

void helix_session_pong(HelixSession *session, GByteArray *pong)
{
    if (session->handshake || session->held_pongs.length > 0) {
        g_queue_push_tail(&session->held_pongs, pong);
    } else {
        helix_session_send(session, pong, NULL, NULL);
    }
}

static void answer_sent(gpointer data, gboolean sent)
{
    HelixRequest *request = data;

    if (sent && request->kind == HELIX_REQUEST_KIND_FRAME) {
        const HelixSession *session = request->owner;

        request->record.returned_ns = helix_now_ns();
        session->settings->sink->frame_answered(session->settings->owner, &request->record, request->unit_cpu_bytes);
    }
    helix_request_free(request);
}

void helix_session_answer(HelixSession *session, HelixRequest *request)
{
    gboolean handshake = request->handshake;
    GByteArray *message;

    request->owner = session;
    request->record.connection = session->number;
    message = helix_request_build_answer(request, session->settings->streams->max_in_flight,
                                         request->wants_answer || session->negotiated);
    if (message) {
        helix_session_send(session, message, answer_sent, request);
    } else {
        helix_request_free(request);
    }
    if (handshake) {
        session->handshake = FALSE;
        helix_session_send_held_pongs(session);
    }
}
