/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.c - one session_id of one connection: its requests in order, its pictures, its encoder thread. */
#include "../protocol/error.h"
#include "session.h"
#include "stream-private.h"
#include "../loop/loop-time.h"

#define MAX_ACTIVE 2u /* one picture in the encoder and one resolved behind it */

static void stream_unref(HelixStream *stream)
{
    if (--stream->refs == 0) {
        g_free(stream);
    }
}

void helix_stream_landed(HelixStream *stream)
{
    stream->in_flight--;
    stream_unref(stream);
}

/* ---- life ---- */

static void go_on(HelixTask *task);

HelixStream *helix_stream_new(HelixSession *session, guint16 id)
{
    HelixStream *stream = g_new0(HelixStream, 1);

    stream->task.run = go_on;
    stream->refs = 1;
    stream->session = session;
    stream->host = helix_session_host(session);
    stream->encoder = stream->host->encoder;
    stream->id = id;
    stream->last_used = g_get_monotonic_time();
    g_queue_init(&stream->requests);
    stream->host->n_streams++;
    stream->host->stats.streams++;
    return stream;
}

/* The encoder and everything that was learnt go; a request that comes later starts from nothing. */
static void end_life(HelixStream *stream)
{
    if (stream->encoded) {
        double seconds = (double)(helix_now_ns() - stream->started_ns) / 1e9;

        helix_host_log(stream->host,
                       "stream %" G_GUINT64_FORMAT ".%u ended: %" G_GUINT64_FORMAT
                       " frames in %.1f s, %.1f a second, %" G_GUINT64_FORMAT " dropped",
                       helix_session_number(stream->session), stream->id, stream->encoded, seconds,
                       seconds > 0 ? (double)stream->encoded / seconds : 0.0, stream->dropped);
    }
    helix_frame_cancel(stream);
    g_clear_pointer(&stream->encode_thread, helix_encode_thread_retire);
    g_clear_pointer(&stream->last, helix_surface_unref);
    stream->encoded = stream->dropped = 0;
    stream->idr_pending = FALSE;
    stream->coded_width = stream->coded_height = stream->resizing = 0;
    memset(&stream->in_force, 0, sizeof stream->in_force);
}

void helix_stream_abandon(HelixStream *stream)
{
    HelixRequest *request;

    end_life(stream);
    helix_deferred_remove(stream->host->deferred, &stream->task);
    while ((request = g_queue_pop_head(&stream->requests))) {
        helix_session_request_unqueued(stream->session);
        if (request->buffer) {
            g_queue_push_tail(&stream->host->remains, g_steal_pointer(&request->buffer));
            helix_deferred_add(stream->host->deferred, &stream->host->bury);
        }
        helix_request_free(request);
    }
    stream->host->n_streams--;
    stream->session = NULL;
    stream_unref(stream);
}

/* ---- requests ---- */

void helix_stream_request_done(HelixStream *stream, HelixRequest *request)
{
    if (request->kind == HELIX_REQUEST_KIND_FRAME &&
        (request->state == HELIX_REQUEST_STATE_RESOLVING || request->state == HELIX_REQUEST_STATE_ENCODING)) {
        stream->active--;
    }
    request->state = HELIX_REQUEST_STATE_DONE;
    g_clear_pointer(&request->surface, helix_surface_unref);
}

void helix_stream_request_fail(HelixStream *stream, HelixRequest *request, GError *error)
{
    g_clear_error(&request->error);
    request->error = error;
    helix_stream_request_done(stream, request);
}

static void config_done(HelixStream *stream, HelixRequest *request, HelixEncodeResult *result)
{
    request->error = g_steal_pointer(&result->error);
    request->in_force = result->config;
    stream->resizing -= request->resizes;
    if (!request->error) {
        stream->coded_width = request->config.config.width;
        stream->coded_height = request->config.config.height;
    }
    helix_stream_request_done(stream, request);
}

static void encode_done(gpointer owner, gpointer tag, HelixEncodeResult *result)
{
    HelixStream *stream = owner;
    HelixSession *session = stream->session;
    HelixRequest *request = tag;

    helix_session_enter(session);
    if (!result->error) {
        stream->in_force = result->config;
    }
    if (request->kind == HELIX_REQUEST_KIND_FRAME) {
        helix_frame_done(stream, request, result);
    } else {
        config_done(stream, request, result);
    }
    helix_stream_pump(stream);
    helix_session_leave(session);
}

/* Encoders that hang keep their threads after their streams: those count too, or a guest could collect them. */
gboolean helix_stream_need_encode_thread(HelixStream *stream, GError **error)
{
    HelixHost *host = stream->host;

    if (stream->encode_thread) {
        return TRUE;
    }
    if (helix_encode_pool_size(host->encode_pool) >= host->max_encoders) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
                    "%u encoders are open or have not ended yet, all that "
                    "helix-max-encoders allows: try again later, or raise that property of the host's GPU device",
                    helix_encode_pool_size(host->encode_pool));
        return FALSE;
    }
    stream->encode_thread = helix_encode_thread_new(host->encode_pool, stream->encoder, host->hardware_only,
                                                    encode_done, stream, error);
    return stream->encode_thread != NULL;
}

/* ---- the queue ---- */

/* All before @request has begun, so that what it leaves behind reaches the frame after it and none before. */
static void pass_key_on(HelixStream *stream, HelixRequest *request)
{
    if (request->state == HELIX_REQUEST_STATE_DONE && request->error && request->frame.force_keyframe) {
        request->frame.force_keyframe = FALSE;
        stream->idr_pending = TRUE;
    }
}

/*
 * It goes to the encoder behind the frame before it, and behind that frame's second try, if there is to be one. Whether
 * it is granted is not known before it is answered: until then nothing is looked up for another size.
 */
static gboolean begin_config(HelixStream *stream, HelixRequest *request)
{
    const HelixEncoderConfig *asked = &request->config.config;
    GError *error = NULL;

    if (stream->resolving || (stream->active > 0 && helix_frame_is_last(stream, request))) {
        return FALSE;
    }
    if (!helix_stream_need_encode_thread(stream, &error)) {
        helix_stream_request_fail(stream, request, error);
        return TRUE;
    }
    request->state = HELIX_REQUEST_STATE_ENCODING;
    request->resizes = stream->resizing > 0 || asked->width != stream->coded_width ||
        asked->height != stream->coded_height;
    stream->resizing += request->resizes;
    helix_encode_thread_configure(stream->encode_thread, &request->config, request);
    return TRUE;
}

/* Returns FALSE if @request, and all behind it, must wait. */
static gboolean begin(HelixStream *stream, HelixRequest *request)
{
    switch (request->kind) {
    case HELIX_REQUEST_KIND_FRAME:
        if (helix_frame_is_lost(stream, request)) {
            helix_frame_lost(stream, request);
            return TRUE;
        }
        if (!stream->host->running || stream->resolving || stream->resizing || stream->active >= MAX_ACTIVE) {
            return FALSE;
        }
        helix_frame_begin(stream, request);
        return TRUE;
    case HELIX_REQUEST_KIND_CONFIG:
        return begin_config(stream, request);
    default:
        if (request != g_queue_peek_head(&stream->requests)) {
            return FALSE;
        }
        end_life(stream);
        stream->ended = request == g_queue_peek_tail(&stream->requests);
        stream->host->stats.streams += !stream->ended; /* what came behind it makes a new one */
        helix_stream_request_done(stream, request);
        return TRUE;
    }
}

/* Returns FALSE if the turn is over before all has begun that can. */
static gboolean begin_all(HelixStream *stream)
{
    for (GList *link = stream->requests.head; link; link = link->next) {
        HelixRequest *request = link->data;
        gboolean waits = request->state == HELIX_REQUEST_STATE_WAITING;

        if (waits && !begin(stream, request)) {
            break;
        }
        pass_key_on(stream, request);
        if (waits && helix_loop_budget_is_spent()) {
            return link->next == NULL;
        }
    }
    return TRUE;
}

static gboolean head_is_done(HelixStream *stream)
{
    const HelixRequest *request = g_queue_peek_head(&stream->requests);

    return request && request->state == HELIX_REQUEST_STATE_DONE;
}

/* Returns FALSE if the turn is over before all is answered that can. */
static gboolean answer_done(HelixStream *stream)
{
    while (head_is_done(stream)) {
        HelixRequest *request = g_queue_pop_head(&stream->requests);

        pass_key_on(stream, request);
        helix_session_request_unqueued(stream->session);
        helix_request_answer(stream->session, request);
        if (helix_loop_budget_is_spent()) {
            return !head_is_done(stream);
        }
    }
    return TRUE;
}

/* Begin what can be begun and answer what can be answered: one step at least, and until the turn is over. */
void helix_stream_pump(HelixStream *stream)
{
    gboolean all;

    if (stream->pumping) {
        return;
    }
    stream->pumping = TRUE;
    do {
        all = answer_done(stream) && begin_all(stream); /* in this order: a look-up may take its time */
    } while (all && head_is_done(stream));
    stream->pumping = FALSE;
    if (!all) {
        helix_stream_pump_later(stream);
    } else if (stream->ended && stream->requests.length == 0) {
        helix_session_stream_ended(stream->session, stream->id);
    }
}

void helix_stream_pump_later(HelixStream *stream)
{
    helix_deferred_add(stream->host->deferred, &stream->task);
}

static void go_on(HelixTask *task)
{
    HelixStream *stream = (HelixStream *)task;
    HelixSession *session = stream->session;

    helix_session_enter(session);
    if (stream->gpu_lost) {
        helix_frame_lose_gpu(stream);
    }
    helix_stream_pump(stream);
    helix_session_leave(session);
}

gboolean helix_stream_has_room(const HelixStream *stream, GError **error)
{
    if (stream->in_flight < stream->host->max_in_flight) {
        return TRUE;
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_BUSY,
                "%u requests of this stream are in flight, the limit: wait for an answer", stream->in_flight);
    return FALSE;
}

void helix_stream_push(HelixStream *stream, HelixRequest *request)
{
    stream->last_used = g_get_monotonic_time();
    stream->ended = FALSE;
    request->gpu = stream->host->gpu;
    if (request->kind == HELIX_REQUEST_KIND_FRAME && !request->error &&
        helix_stream_has_room(stream, &request->error)) {
        stream->in_flight++;
        stream->refs++;
        request->in_flight_of = stream;
    }
    if (request->error) {
        helix_stream_request_done(stream, request);
    }
    g_queue_push_tail(&stream->requests, request);
    helix_session_request_queued(stream->session);
    helix_stream_pump(stream);
}

void helix_stream_force_idr(HelixStream *stream)
{
    if (stream->encode_thread) { /* without one the next frame is the first, and an IDR anyway */
        helix_encode_thread_force_idr(stream->encode_thread);
    }
}

void helix_stream_reset(HelixStream *stream)
{
    stream->gpu_lost = TRUE;
    helix_stream_pump_later(stream);
}

gboolean helix_stream_is_idle(const HelixStream *stream)
{
    return stream->requests.length == 0;
}

gint64 helix_stream_last_used(const HelixStream *stream)
{
    return stream->last_used;
}

void helix_stream_describe(const HelixStream *stream, HelixStreamInfo *info)
{
    *info = (HelixStreamInfo){
        .connection = helix_session_number(stream->session),
        .peer = helix_session_peer(stream->session),
        .session_id = stream->id,
        .in_flight = stream->in_flight,
        .encoded = stream->encoded,
        .config = stream->in_force,
    };
}
