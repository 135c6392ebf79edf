/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session-streams.c - the streams of a connection: creation, dispatch of requests, and their callbacks. */
#include "../protocol/error.h"
#include "session-private.h"

/* ---- the sink of the streams ---- */

static void on_hold(gpointer owner)
{
    helix_session_enter(owner);
}

static void on_release(gpointer owner)
{
    helix_session_leave(owner);
}

static void on_send(gpointer owner, GByteArray *message)
{
    helix_session_send(owner, message, NULL, NULL);
}

static void on_request_done(gpointer owner, HelixRequest *request)
{
    HelixSession *session = owner;

    session->waiting--;
    helix_session_answer(session, request);
}

static void on_started(gpointer owner, const HelixStreamInfo *info, HelixHostPath path)
{
    const HelixSession *session = owner;
    const HelixStreamConfig *config = &info->config;

    session->settings->sink->log(session->settings->owner,
                                 "stream %" G_GUINT64_FORMAT ".%u started for %s: %u x %u, %s, %s, %u bit/s, %u/%u fps",
                                 session->number, info->session_id, session->peer, config->width, config->height,
                                 info->encoder, helix_host_path_name(path), config->bitrate, config->fps_num,
                                 config->fps_den);
}

static void on_stopped(gpointer owner, const HelixStreamInfo *info, gboolean more)
{
    const HelixSession *session = owner;

    session->settings->stats->streams += more;
    if (info->encoded) {
        double seconds = (double)(helix_now_ns() - info->started_ns) / 1e9;

        session->settings->sink->log(session->settings->owner,
                                     "stream %" G_GUINT64_FORMAT ".%u ended: %" G_GUINT64_FORMAT
                                     " frames in %.1f s, %.1f a second, %" G_GUINT64_FORMAT " dropped",
                                     session->number, info->session_id, info->encoded, seconds,
                                     seconds > 0 ? (double)info->encoded / seconds : 0.0, info->dropped);
    }
}

static void on_ended(gpointer owner, guint16 id)
{
    HelixSession *session = owner;

    g_hash_table_remove(session->streams, GUINT_TO_POINTER(id));
}

static const HelixStreamSink stream_sink = {
    .hold = on_hold,
    .release = on_release,
    .send = on_send,
    .request_done = on_request_done,
    .started = on_started,
    .stopped = on_stopped,
    .ended = on_ended,
};

/* ---- which stream ---- */

void helix_session_init_streams(HelixSession *session)
{
    session->streams = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)helix_stream_abandon);
}

void helix_session_abandon_streams(HelixSession *session)
{
    g_hash_table_remove_all(session->streams);
    session->waiting = 0;
}

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
    HelixStreamContext *context = session->settings->streams;
    HelixStream *stream = helix_session_find_stream(session, id);

    if (stream) {
        return stream;
    }
    if (context->n_streams >= context->max_streams && !session->negotiated) {
        make_room(session);
    }
    if (context->n_streams >= context->max_streams) {
        g_set_error(
            error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
            "%u streams are open, all that helix-max-streams allows: end a program of this guest that encodes, or "
            "raise that property of the host's GPU device",
            context->n_streams);
        return NULL;
    }
    /* A guest could accumulate cancelled look-ups by streams that end at once. */
    if (*context->n_cancelled >= context->max_streams) {
        g_set_error(
            error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
            "%u pictures of streams that have ended are still being read, as many as helix-max-streams: try again "
            "later",
            *context->n_cancelled);
        return NULL;
    }
    stream = helix_stream_new(context, &stream_sink, session, id);
    session->settings->stats->streams++;
    g_hash_table_insert(session->streams, GUINT_TO_POINTER(id), stream);
    return stream;
}

/* A request that failed already opens no stream, but waits for its order in one that exists. */
void helix_session_dispatch(HelixSession *session, HelixRequest *request)
{
    HelixStream *stream = helix_session_find_stream(session, request->session_id);

    if (!stream && !request->error) {
        stream = need_stream(session, request->session_id, &request->error);
    }
    if (stream) {
        session->waiting++;
        helix_stream_push(stream, request);
    } else {
        helix_session_answer(session, request);
    }
}

/* ---- all streams ---- */

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
        HelixStreamInfo info = helix_stream_describe(stream);

        info.connection = session->number;
        info.peer = session->peer;
        g_array_append_val(infos, info);
    }
}
