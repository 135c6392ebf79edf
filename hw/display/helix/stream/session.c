/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session.c - one connection: its life, its streams, answers on their way out. */
#include "../protocol/error.h"
#include "session-private.h"
#include "../loop/loop-time.h"

/* Messages of a connection that may wait for their answers; beyond it nothing is read until some have left. Far above
 * what max_in_flight lets wait usefully: it bounds what refused requests cost while they wait for their turn to be
 * answered. */
#define MAX_WAITING 1024u

/* ---- life ---- */

static void session_free(HelixSession *session)
{
    HelixHost *host = session->host;

    helix_deferred_remove(host->deferred, &session->task);
    helix_host_forget(host, session->link);
    g_hash_table_unref(session->streams);
    helix_send_queue_clear(&session->send_queue, &host->remains);
    helix_deferred_add(host->deferred, &host->bury);
    g_queue_clear_full(&session->held_pongs, (GDestroyNotify)g_byte_array_unref);
    if (session->request) {
        helix_request_free(session->request);
    }
    helix_surface_unref(session->upload.surface);
    if (host->n_streams == 0) {
        helix_surface_pool_trim(host->pool);
    }
    g_free(session->peer);
    g_free(session);
}

static gboolean finished(const HelixSession *session)
{
    gboolean all_answered = session->waiting == 0 && session->held_pongs.length == 0;

    return helix_send_queue_is_empty(&session->send_queue) && (session->broken || (session->eof && all_answered));
}

/* Input stops while output waits, and while too much waits for its turn. */
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
    } else if (session->stalled && !helix_session_is_blocked(session)) {
        session->stalled = FALSE;
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

HelixHost *helix_session_host(const HelixSession *session)
{
    return session->host;
}

guint64 helix_session_number(const HelixSession *session)
{
    return session->number;
}

const char *helix_session_peer(const HelixSession *session)
{
    return session->peer;
}

/* ---- output ---- */

static void flush(HelixSession *session)
{
    guint64 before = session->send_queue.bytes;

    if (session->channel) {
        if (helix_send_queue_flush(&session->send_queue, session->channel)) {
            helix_deferred_add(session->host->deferred, &session->task);
        }
        session->host->stats.bytes_to_guest += session->send_queue.bytes - before;
    }
}

void helix_session_send(HelixSession *session, GByteArray *message, HelixMessageSent left, gpointer data)
{
    gboolean waits = !helix_send_queue_is_empty(&session->send_queue);

    helix_send_queue_push(&session->send_queue, message, left, data);
    if (!waits) {
        flush(session);
    }
}

gboolean helix_session_hears_of_config(const HelixSession *session, const HelixRequest *request)
{
    return request->wants_answer || session->agreed;
}

void helix_session_request_queued(HelixSession *session)
{
    session->waiting++;
}

void helix_session_request_unqueued(HelixSession *session)
{
    session->waiting--;
}

static void send_held_pongs(HelixSession *session)
{
    while (!session->handshake && session->held_pongs.length > 0) {
        helix_session_send(session, g_queue_pop_head(&session->held_pongs), NULL, NULL);
        if (session->held_pongs.length > 0 && helix_loop_budget_is_spent()) {
            helix_deferred_add(session->host->deferred, &session->task);
            return;
        }
    }
}

void helix_session_handshake_done(HelixSession *session)
{
    session->handshake = FALSE;
    send_held_pongs(session);
}

/* ---- streams ---- */

HelixStream *helix_session_find_stream(HelixSession *session, guint16 id)
{
    return g_hash_table_lookup(session->streams, GUINT_TO_POINTER(id));
}

/* A guest that knows only the frozen messages cannot end a stream: its idle one used longest ago makes room. */
static void make_room(HelixSession *session)
{
    HelixStream *stream, *oldest = NULL;
    GHashTableIter iter;
    gpointer id, oldest_id = NULL;

    g_hash_table_iter_init(&iter, session->streams);
    while (g_hash_table_iter_next(&iter, &id, (gpointer *)&stream)) {
        if (helix_stream_is_idle(stream) &&
            (!oldest || helix_stream_last_used(stream) < helix_stream_last_used(oldest))) {
            oldest = stream;
            oldest_id = id;
        }
    }
    if (oldest) {
        g_hash_table_remove(session->streams, oldest_id);
    }
}

static HelixStream *need_stream(HelixSession *session, guint16 id, GError **error)
{
    HelixHost *host = session->host;
    HelixStream *stream = helix_session_find_stream(session, id);

    if (stream) {
        return stream;
    }
    if (host->n_streams >= host->max_streams && !session->agreed) {
        make_room(session);
    }
    if (host->n_streams >= host->max_streams) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
                    "%u streams are open, all that helix-max-streams allows: end a "
                    "program of this guest that encodes, or raise that property of the host's GPU device",
                    host->n_streams);
        return NULL;
    }
    /* Or a guest could collect them, by streams that end at once. */
    if (*host->unwanted >= host->max_streams) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
                    "%u pictures of streams that have ended are still being read, as many "
                    "as helix-max-streams: try again later",
                    *host->unwanted);
        return NULL;
    }
    stream = helix_stream_new(session, id);
    g_hash_table_insert(session->streams, GUINT_TO_POINTER(id), stream);
    return stream;
}

/* A request is complete. What is wrong already opens no stream, but waits for its turn in one that is there. */
void helix_session_dispatch(HelixSession *session, HelixRequest *request)
{
    HelixStream *stream = helix_session_find_stream(session, request->session_id);

    if (!stream && !request->error) {
        stream = need_stream(session, request->session_id, &request->error);
    }
    if (stream) {
        helix_stream_push(stream, request);
    } else {
        helix_request_answer(session, request);
    }
}

void helix_session_stream_ended(HelixSession *session, guint16 id)
{
    g_hash_table_remove(session->streams, GUINT_TO_POINTER(id));
}

static void for_each_stream(HelixSession *session, void (*each)(HelixStream *stream))
{
    GHashTableIter iter;
    gpointer stream;

    g_hash_table_iter_init(&iter, session->streams);
    while (g_hash_table_iter_next(&iter, NULL, &stream)) {
        each(stream);
    }
}

void helix_session_resume(HelixSession *session)
{
    session->last_input = g_get_monotonic_time();
    for_each_stream(session, helix_stream_pump_later);
}

void helix_session_reset(HelixSession *session)
{
    for_each_stream(session, helix_stream_reset);
}

void helix_session_describe(HelixSession *session, GArray *infos)
{
    GHashTableIter iter;
    gpointer stream;

    g_hash_table_iter_init(&iter, session->streams);
    while (g_hash_table_iter_next(&iter, NULL, &stream)) {
        HelixStreamInfo info;

        helix_stream_describe(stream, &info);
        g_array_append_val(infos, info);
    }
}

/* ---- what goes on later ---- */

/* Whether it owes the rest of a message, or its last words cannot leave, for too long. */
static gboolean is_stalled(const HelixSession *session)
{
    gboolean unfinished = (session->state != HELIX_READ_HEADER || session->have > 0) && !session->stalled &&
        !session->eof;

    return (session->broken || unfinished) &&
        g_get_monotonic_time() - session->last_input >= session->host->stall_timeout;
}

void helix_session_check_stall(HelixSession *session)
{
    if (is_stalled(session)) {
        session->stall_due = TRUE;
        helix_deferred_add(session->host->deferred, &session->task);
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
                                        "a message was begun and nothing came for %" G_GINT64_FORMAT
                                        " s: send it whole, its pixels too",
                                        session->host->stall_timeout / G_TIME_SPAN_SECOND));
}

static void go_on(HelixTask *task)
{
    HelixSession *session = (HelixSession *)task;

    helix_session_enter(session);
    flush(session);
    send_held_pongs(session);
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
    flush(session);
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

HelixSession *helix_session_new(HelixHost *host, HelixChannel *channel)
{
    HelixSession *session = g_new0(HelixSession, 1);

    session->task.run = go_on;
    session->host = host;
    session->channel = channel;
    session->number = ++host->stats.connections;
    session->peer = g_strdup(channel->peer ? channel->peer : "unknown");
    session->permitted = !host->privileged_ports || channel->peer_port < HELIX_PRIVILEGED_PORTS;
    session->last_input = g_get_monotonic_time();
    session->streams = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)helix_stream_abandon);
    helix_send_queue_init(&session->send_queue);
    g_queue_init(&session->held_pongs);
    helix_session_next_message(session);
    host->sessions = session->link = g_list_prepend(host->sessions, session);
    helix_channel_attach(channel, &session_user, session);
    return session;
}
