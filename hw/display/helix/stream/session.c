/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session.c - one connection: its life, its end, and stalls. */
#include "../protocol/error.h"
#include "session-private.h"

/* Messages of a connection that may wait for their answers; beyond that nothing is read until some were sent. It is far
 * more than max_in_flight lets wait usefully: it bounds the memory of refused requests that wait to be answered. */
#define MAX_WAITING 1024u

/* ---- life ---- */

static void session_free(HelixSession *session)
{
    HelixStreamContext *context = session->settings->streams;

    helix_deferred_remove(context->deferred, &session->task);
    session->settings->sink->closed(session->settings->owner, session);
    g_hash_table_unref(session->streams);
    helix_send_queue_clear(&session->send_queue, &context->free_queue);
    g_queue_clear_full(&session->held_pongs, (GDestroyNotify)g_byte_array_unref);
    if (session->request) {
        helix_request_free(session->request);
    }
    helix_surface_unref(session->upload.surface);
    if (context->n_streams == 0) {
        helix_surface_pool_trim(context->surface_pool);
    }
    g_free(session->peer);
    g_free(session);
}

static gboolean finished(const HelixSession *session)
{
    gboolean all_answered = session->waiting == 0 && session->held_pongs.length == 0;

    return helix_send_queue_is_empty(&session->send_queue) && (session->broken || (session->eof && all_answered));
}

gboolean helix_session_is_blocked(const HelixSession *session)
{
    return !session->broken &&
        (!helix_send_queue_is_empty(&session->send_queue) ||
         session->waiting + session->held_pongs.length >= MAX_WAITING);
}

void helix_session_enter(HelixSession *session)
{
    session->depth++;
}

void helix_session_leave(HelixSession *session)
{
    if (--session->depth > 0) {
        return;
    }
    if (session->channel && finished(session)) {
        helix_channel_close(g_steal_pointer(&session->channel), FALSE);
    }
    if (!session->channel) {
        session_free(session);
    } else if (session->input_paused && !helix_session_is_blocked(session)) {
        session->input_paused = FALSE;
        session->channel->carrier->resume_input(session->channel);
    }
}

void helix_session_close(HelixSession *session)
{
    helix_session_enter(session);
    if (session->channel) {
        helix_channel_close(g_steal_pointer(&session->channel), FALSE);
    }
    helix_session_leave(session);
}

gboolean helix_session_is_permitted(const HelixSession *session)
{
    return session->permitted;
}

gint64 helix_session_idle_since(const HelixSession *session)
{
    gboolean idle = g_hash_table_size(session->streams) == 0 && session->state == HELIX_READ_HEADER &&
        helix_send_queue_is_empty(&session->send_queue);

    return idle ? session->last_input : 0;
}

/* ---- stalls ---- */

/* The peer has not sent the rest of a message, or not read the error that ends the connection, for too long. */
static gboolean is_stalled(const HelixSession *session)
{
    gboolean unfinished = (session->state != HELIX_READ_HEADER || session->have > 0) && !session->input_paused &&
        !session->eof;

    return (session->broken || unfinished) &&
        g_get_monotonic_time() - session->last_input >= session->settings->stall_timeout;
}

void helix_session_check_stall(HelixSession *session)
{
    if (is_stalled(session)) {
        session->stall_due = TRUE;
        helix_deferred_add(session->settings->streams->deferred, &session->task);
    }
}

static void end_stall(HelixSession *session)
{
    session->stall_due = FALSE;
    if (!is_stalled(session) || !session->channel) {
        return;
    }
    if (session->broken) {
        helix_channel_close(g_steal_pointer(&session->channel), TRUE);
        return;
    }
    session->last_input = g_get_monotonic_time();
    helix_session_break_off(session,
                            g_error_new(HELIX_ERROR, HELIX_CODE_INVALID,
                                        "a message was begun and not continued for %" G_GINT64_FORMAT
                                        " s: send all of it, its pixels too",
                                        session->settings->stall_timeout / G_TIME_SPAN_SECOND));
}

static void go_on(HelixTask *task)
{
    HelixSession *session = (HelixSession *)task;

    helix_session_enter(session);
    helix_session_flush(session);
    helix_session_send_held_pongs(session);
    if (session->stall_due) {
        end_stall(session);
    }
    helix_session_leave(session);
}

/* ---- the channel ---- */

static void on_writable(HelixChannel *channel)
{
    HelixSession *session = channel->user_data;

    helix_session_enter(session);
    helix_session_flush(session);
    helix_session_leave(session);
}

static void on_closed(HelixChannel *channel)
{
    HelixSession *session = channel->user_data;

    helix_session_enter(session);
    session->channel = NULL;
    helix_session_leave(session);
}

static const HelixChannelUser session_user = {
    .input = helix_session_input,
    .input_eof = helix_session_input_eof,
    .writable = on_writable,
    .closed = on_closed,
};

HelixSession *helix_session_new(const HelixSessionSettings *settings, HelixChannel *channel, gboolean permitted)
{
    HelixSession *session = g_new0(HelixSession, 1);

    session->task.run = go_on;
    session->settings = settings;
    session->channel = channel;
    session->number = ++settings->stats->connections;
    session->peer = g_strdup(channel->peer ? channel->peer : "unknown");
    session->permitted = permitted;
    session->last_input = g_get_monotonic_time();
    helix_session_init_streams(session);
    helix_send_queue_init(&session->send_queue);
    g_queue_init(&session->held_pongs);
    helix_session_next_message(session);
    helix_channel_attach(channel, &session_user, session);
    return session;
}
