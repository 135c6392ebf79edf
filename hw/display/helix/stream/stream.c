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
    g_queue_init(&stream->ops);
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
    g_clear_pointer(&stream->worker, helix_worker_retire);
    g_clear_pointer(&stream->last, helix_surface_unref);
    stream->encoded = stream->dropped = 0;
    stream->owes_key = FALSE;
    stream->coded_width = stream->coded_height = stream->resizing = 0;
    memset(&stream->in_force, 0, sizeof stream->in_force);
}

void helix_stream_abandon(HelixStream *stream)
{
    HelixOp *op;

    end_life(stream);
    helix_later_remove(stream->host->later, &stream->task);
    while ((op = g_queue_pop_head(&stream->ops))) {
        helix_session_op_unqueued(stream->session);
        if (op->response) {
            g_queue_push_tail(&stream->host->remains, g_steal_pointer(&op->response));
            helix_later_add(stream->host->later, &stream->host->bury);
        }
        helix_op_free(op);
    }
    stream->host->n_streams--;
    stream->session = NULL;
    stream_unref(stream);
}

/* ---- ops ---- */

void helix_stream_op_done(HelixStream *stream, HelixOp *op)
{
    if (op->kind == HELIX_OP_FRAME && (op->state == HELIX_OP_RESOLVING || op->state == HELIX_OP_ENCODING)) {
        stream->active--;
    }
    op->state = HELIX_OP_DONE;
    g_clear_pointer(&op->surface, helix_surface_unref);
}

void helix_stream_op_fail(HelixStream *stream, HelixOp *op, GError *error)
{
    g_clear_error(&op->error);
    op->error = error;
    helix_stream_op_done(stream, op);
}

static void config_done(HelixStream *stream, HelixOp *op, HelixWorkerResult *result)
{
    op->error = g_steal_pointer(&result->error);
    op->in_force = result->config;
    stream->resizing -= op->resizes;
    if (!op->error) {
        stream->coded_width = op->config.config.width;
        stream->coded_height = op->config.config.height;
    }
    helix_stream_op_done(stream, op);
}

static void worker_done(gpointer owner, gpointer tag, HelixWorkerResult *result)
{
    HelixStream *stream = owner;
    HelixSession *session = stream->session;
    HelixOp *op = tag;

    helix_session_enter(session);
    if (!result->error) {
        stream->in_force = result->config;
    }
    if (op->kind == HELIX_OP_FRAME) {
        helix_frame_done(stream, op, result);
    } else {
        config_done(stream, op, result);
    }
    helix_stream_pump(stream);
    helix_session_leave(session);
}

/* Encoders that hang keep their threads after their streams: those count too, or a guest could collect them. */
gboolean helix_stream_need_worker(HelixStream *stream, GError **error)
{
    HelixHost *host = stream->host;

    if (stream->worker) {
        return TRUE;
    }
    if (helix_crew_size(host->crew) >= host->max_encoders) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
                    "%u encoders are open or have not ended yet, all that "
                    "helix-max-encoders allows: try again later, or raise that property of the host's GPU device",
                    helix_crew_size(host->crew));
        return FALSE;
    }
    stream->worker = helix_worker_new(host->crew, stream->encoder, host->hardware_only, worker_done, stream, error);
    return stream->worker != NULL;
}

/* ---- the queue ---- */

/* All before @op has begun, so that what it leaves behind reaches the frame after it and none before. */
static void pass_key_on(HelixStream *stream, HelixOp *op)
{
    if (op->state == HELIX_OP_DONE && op->error && op->frame.force_keyframe) {
        op->frame.force_keyframe = FALSE;
        stream->owes_key = TRUE;
    }
}

/*
 * It goes to the encoder behind the frame before it, and behind that frame's second try, if there is to be one. Whether
 * it is granted is not known before it is answered: until then nothing is looked up for another size.
 */
static gboolean begin_config(HelixStream *stream, HelixOp *op)
{
    const HelixEncoderConfig *asked = &op->config.config;
    GError *error = NULL;

    if (stream->resolving || (stream->active > 0 && helix_frame_is_last(stream, op))) {
        return FALSE;
    }
    if (!helix_stream_need_worker(stream, &error)) {
        helix_stream_op_fail(stream, op, error);
        return TRUE;
    }
    op->state = HELIX_OP_ENCODING;
    op->resizes = stream->resizing > 0 || asked->width != stream->coded_width || asked->height != stream->coded_height;
    stream->resizing += op->resizes;
    helix_worker_configure(stream->worker, &op->config, op);
    return TRUE;
}

/* Returns FALSE if @op, and all behind it, must wait. */
static gboolean begin(HelixStream *stream, HelixOp *op)
{
    switch (op->kind) {
    case HELIX_OP_FRAME:
        if (helix_frame_is_lost(stream, op)) {
            helix_frame_lost(stream, op);
            return TRUE;
        }
        if (!stream->host->running || stream->resolving || stream->resizing || stream->active >= MAX_ACTIVE) {
            return FALSE;
        }
        helix_frame_begin(stream, op);
        return TRUE;
    case HELIX_OP_CONFIG:
        return begin_config(stream, op);
    default:
        if (op != g_queue_peek_head(&stream->ops)) {
            return FALSE;
        }
        end_life(stream);
        stream->ended = op == g_queue_peek_tail(&stream->ops);
        stream->host->stats.streams += !stream->ended; /* what came behind it makes a new one */
        helix_stream_op_done(stream, op);
        return TRUE;
    }
}

/* Returns FALSE if the turn is over before all has begun that can. */
static gboolean begin_all(HelixStream *stream)
{
    for (GList *link = stream->ops.head; link; link = link->next) {
        HelixOp *op = link->data;
        gboolean waits = op->state == HELIX_OP_WAITING;

        if (waits && !begin(stream, op)) {
            break;
        }
        pass_key_on(stream, op);
        if (waits && helix_turn_is_over()) {
            return link->next == NULL;
        }
    }
    return TRUE;
}

static gboolean head_is_done(HelixStream *stream)
{
    const HelixOp *op = g_queue_peek_head(&stream->ops);

    return op && op->state == HELIX_OP_DONE;
}

/* Returns FALSE if the turn is over before all is answered that can. */
static gboolean answer_done(HelixStream *stream)
{
    while (head_is_done(stream)) {
        HelixOp *op = g_queue_pop_head(&stream->ops);

        pass_key_on(stream, op);
        helix_session_op_unqueued(stream->session);
        helix_op_answer(stream->session, op);
        if (helix_turn_is_over()) {
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
    } else if (stream->ended && stream->ops.length == 0) {
        helix_session_stream_ended(stream->session, stream->id);
    }
}

void helix_stream_pump_later(HelixStream *stream)
{
    helix_later_add(stream->host->later, &stream->task);
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

void helix_stream_push(HelixStream *stream, HelixOp *op)
{
    stream->last_used = g_get_monotonic_time();
    stream->ended = FALSE;
    op->gpu = stream->host->gpu;
    if (op->kind == HELIX_OP_FRAME && !op->error && helix_stream_has_room(stream, &op->error)) {
        stream->in_flight++;
        stream->refs++;
        op->in_flight_of = stream;
    }
    if (op->error) {
        helix_stream_op_done(stream, op);
    }
    g_queue_push_tail(&stream->ops, op);
    helix_session_op_queued(stream->session);
    helix_stream_pump(stream);
}

void helix_stream_force_idr(HelixStream *stream)
{
    if (stream->worker) { /* without one the next frame is the first, and an IDR anyway */
        helix_worker_force_idr(stream->worker);
    }
}

void helix_stream_reset(HelixStream *stream)
{
    stream->gpu_lost = TRUE;
    helix_stream_pump_later(stream);
}

gboolean helix_stream_is_idle(const HelixStream *stream)
{
    return stream->ops.length == 0;
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
