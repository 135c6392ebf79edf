/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.c - one session_id of one connection: its requests in order, its pictures, its encoder thread. */
#include "error.h"
#include "session.h"
#include "stream.h"
#include "turn.h"

#define MAX_ACTIVE 2u           /* one picture in the encoder and one resolved behind it */

/* Given to the resolver; the op may be gone when it answers. */
typedef struct Ticket {
    HelixStream *stream;        /* NULL: nobody waits any more */
    HelixOp *op;
} Ticket;

struct HelixStream {
    HelixTask task;             /* first: goes on with what a turn had no time for; see go_on() */
    guint refs;                 /* the session, and requests in flight */
    HelixSession *session;
    HelixHost *host;
    guint16 id;
    GQueue ops;                 /* HelixOp, in the order of arrival */
    guint active;               /* of them, frames resolving or encoding */
    guint in_flight;            /* frames from arrival until their answer has left */
    Ticket *resolving;
    const HelixEncoderClass *encoder;
    HelixWorker *worker;        /* NULL until it is needed */
    HelixSurface *last;         /* what REPEAT encodes; NULL if there is none or it is the guest's memory */
    guint64 last_gpu;           /* the host's when it was kept: of another one's it is no more */
    gboolean gpu_lost;          /* helix_stream_reset() was called: see lose_gpu() */
    gboolean pumping;
    gboolean ended;             /* by SESSION_CLOSE, and nothing came after it */
    gboolean owes_key;          /* a request that failed had asked for an IDR: the next one is made one */
    gint64 last_used;

    /* Since the stream's start, for its lines in the log. */
    HelixEncoderConfig in_force;
    guint32 coded_width, coded_height;  /* asked for and granted; 0: follow the frames */
    guint resizing;             /* CONFIG_REQs with the encoder that may change that: look-ups wait */
    guint64 encoded, dropped;
    gint64 started_ns;
};

static void pump(HelixStream *stream);

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

static void cancel_resolving(HelixStream *stream)
{
    if (stream->resolving) {
        stream->resolving->stream = NULL;
        stream->resolving = NULL;
    }
}

/* The encoder and everything that was learnt go; a request that comes later starts from nothing. */
static void end_life(HelixStream *stream)
{
    if (stream->encoded) {
        double seconds = (double)(helix_now_ns() - stream->started_ns) / 1e9;

        helix_host_log(stream->host, "stream %" G_GUINT64_FORMAT ".%u ended: %" G_GUINT64_FORMAT " frames in %.1f s, %.1f a second, %"
                       G_GUINT64_FORMAT " dropped", helix_session_number(stream->session), stream->id, stream->encoded, seconds,
                       seconds > 0 ? (double)stream->encoded / seconds : 0.0, stream->dropped);
    }
    cancel_resolving(stream);
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
        helix_op_free(op);
    }
    stream->host->n_streams--;
    stream->session = NULL;
    stream_unref(stream);
}

/* ---- a frame's way ---- */

static void log_start(HelixStream *stream, const HelixOp *op)
{
    const HelixEncoderConfig *config = &stream->in_force;

    stream->started_ns = helix_now_ns();
    helix_host_log(stream->host, "stream %" G_GUINT64_FORMAT ".%u started for %s: %u x %u, %s, %s, %u bit/s, %u/%u fps",
                   helix_session_number(stream->session), stream->id, helix_session_peer(stream->session), config->width,
                   config->height, stream->encoder->name, helix_host_path_name(op->record.path), config->bitrate,
                   config->fps_num, config->fps_den);
}

static void op_done(HelixStream *stream, HelixOp *op)
{
    if (op->kind == HELIX_OP_FRAME && (op->state == HELIX_OP_RESOLVING || op->state == HELIX_OP_ENCODING)) {
        stream->active--;
    }
    op->state = HELIX_OP_DONE;
    g_clear_pointer(&op->surface, helix_surface_unref);
}

static void op_fail(HelixStream *stream, HelixOp *op, GError *error)
{
    g_clear_error(&op->error);
    op->error = error;
    op_done(stream, op);
}

static void send_released(HelixStream *stream, const HelixOp *op)
{
    if (op->frame.flags & HELIX_REQUEST_RELEASE) {
        helix_session_send(stream->session, helix_frame_released_new(stream->id, op->frame.pts, op->frame.picture.resource_id),
                           NULL, NULL);
    }
}

/* Whether @op, dropped, may be encoded once more: a frame behind it makes it needless, a change in force behind it comes too early. */
static gboolean is_last(const HelixStream *stream, const HelixOp *op)
{
    for (GList *link = stream->ops.tail; link && link->data != op; link = link->prev) {
        const HelixOp *other = link->data;
        gboolean frame = other->kind == HELIX_OP_FRAME && other->state != HELIX_OP_DONE;
        gboolean change = other->kind == HELIX_OP_CONFIG && other->state != HELIX_OP_WAITING && !other->error;

        if (frame || change) {
            return FALSE;
        }
    }
    return TRUE;
}

static void frame_done(HelixStream *stream, HelixOp *op, HelixWorkerResult *result)
{
    op->record.submitted_ns = result->unit.submitted_ns;
    op->record.encoded_ns = result->encoded_ns;
    op->unit_cpu_bytes += result->unit.cpu_bytes;
    if (!result->error && result->unit.dropped && !op->retried && is_last(stream, op)) {
        op->retried = TRUE;
        helix_worker_encode(stream->worker, op->surface, op->frame.pts, op->frame.force_keyframe, op);
        return;
    }
    if (op->surface->borrows_guest) {
        send_released(stream, op);
    }
    op->response = g_steal_pointer(&result->response);
    op->keyframe = result->unit.keyframe;
    op->error = g_steal_pointer(&result->error);
    op_done(stream, op);
    if (op->error) {
        op->frame.force_keyframe = FALSE;       /* the worker keeps it, or begins anew, with an IDR */
        return;
    }
    if (result->unit.dropped) {
        stream->dropped++;
    } else if (stream->encoded++ == 0) {
        log_start(stream, op);
    }
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
    op_done(stream, op);
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
        frame_done(stream, op, result);
    } else {
        config_done(stream, op, result);
    }
    pump(stream);
    helix_session_leave(session);
}

/* Encoders that hang keep their threads after their streams: those count too, or a guest could collect them. */
static gboolean need_worker(HelixStream *stream, GError **error)
{
    HelixHost *host = stream->host;

    if (stream->worker) {
        return TRUE;
    }
    if (helix_crew_size(host->crew) >= host->max_encoders) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER, "%u encoders are open or have not ended yet, the limit: try "
                    "again later", helix_crew_size(host->crew));
        return FALSE;
    }
    stream->worker = helix_worker_new(host->crew, stream->encoder, host->hardware_only, worker_done, stream, error);
    return stream->worker != NULL;
}

/* The picture is there: hand it on. Takes @surface over. */
static void submit(HelixStream *stream, HelixOp *op, HelixSurface *surface, HelixHostPath path)
{
    GError *error = NULL;

    op->record.resolved_ns = helix_now_ns();
    if (op->surface != surface) {
        helix_surface_unref(op->surface);
        op->surface = surface;
    }
    if (!need_worker(stream, &error)) {
        op_fail(stream, op, error);
        return;
    }
    op->record.path = path;
    op->record.cpu_bytes = path == HELIX_HOST_PATH_REPEAT ? 0 : surface->cpu_bytes;
    g_clear_pointer(&stream->last, helix_surface_unref);
    if (!surface->borrows_guest) {
        stream->last = helix_surface_ref(surface);
        stream->last_gpu = stream->host->gpu;
        send_released(stream, op);
    }
    op->state = HELIX_OP_ENCODING;
    helix_worker_encode(stream->worker, surface, op->frame.pts, op->frame.force_keyframe, op);
}

/* Whether @op names something of a GPU that was reset since. */
static gboolean is_lost(const HelixStream *stream, const HelixOp *op)
{
    return op->kind == HELIX_OP_FRAME && !op->surface && op->gpu != stream->host->gpu;
}

static void op_lost(HelixStream *stream, HelixOp *op)
{
    op_fail(stream, op, g_error_new(HELIX_ERROR, HELIX_CODE_NOT_FOUND, "the GPU was reset and resource %u with it: send the picture "
                                    "again", op->frame.picture.resource_id));
}

static void resolved(gpointer data, HelixSurface *surface, GError *error)
{
    Ticket *ticket = data;
    HelixStream *stream = ticket->stream;
    HelixOp *op = ticket->op;
    HelixSession *session;

    g_free(ticket);
    if (!stream) {
        helix_surface_unref(surface);
        g_clear_error(&error);
        return;
    }
    session = stream->session;
    helix_session_enter(session);
    stream->resolving = NULL;
    if (is_lost(stream, op)) {
        helix_surface_unref(surface);
        g_clear_error(&error);
        op_lost(stream, op);
    } else if (error) {
        op_fail(stream, op, error);
    } else {
        submit(stream, op, surface, surface->path);
    }
    pump(stream);
    helix_session_leave(session);
}

/* A picture that no encoder takes at its own size is refused before anything is read. */
static gboolean can_be_coded(const HelixStream *stream, const HelixPicture *picture, GError **error)
{
    return stream->coded_width != 0 || helix_encoder_check_size(picture->width, picture->height, error);
}

static void begin_frame(HelixStream *stream, HelixOp *op)
{
    HelixHost *host = stream->host;
    GError *error = NULL;

    op->record.lookup_ns = helix_now_ns();
    op->state = HELIX_OP_RESOLVING;
    op->frame.force_keyframe |= stream->owes_key;
    stream->owes_key = FALSE;
    stream->active++;
    if (op->surface) {
        submit(stream, op, op->surface, op->surface->path);
    } else if (!(op->frame.flags & HELIX_REQUEST_REPEAT) && !can_be_coded(stream, &op->frame.picture, &error)) {
        op_fail(stream, op, error);
    } else if (!(op->frame.flags & HELIX_REQUEST_REPEAT)) {
        Ticket *ticket = g_new(Ticket, 1);

        *ticket = (Ticket) { .stream = stream, .op = op };
        stream->resolving = ticket;
        op->frame.picture.coded_width = stream->coded_width;
        op->frame.picture.coded_height = stream->coded_height;
        op->frame.picture.surface_kinds = stream->encoder->surface_kinds;
        host->resolver->resolve(host->resolver_data, &op->frame.picture, host->pool, resolved, ticket);
    } else if (stream->last && stream->last_gpu == host->gpu) {
        submit(stream, op, helix_surface_ref(stream->last), HELIX_HOST_PATH_REPEAT);
    } else {
        op_fail(stream, op, g_error_new(HELIX_ERROR, HELIX_CODE_NOT_FOUND, "this stream has no picture to repeat: send one"));
    }
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
 * It goes to the encoder behind the frame before it, and behind that frame's second try, if there is to be one. Whether it is
 * granted is not known before it is answered: until then nothing is looked up for another size.
 */
static gboolean begin_config(HelixStream *stream, HelixOp *op)
{
    const HelixEncoderConfig *asked = &op->config.config;
    GError *error = NULL;

    if (stream->resolving || (stream->active > 0 && is_last(stream, op))) {
        return FALSE;
    }
    if (!need_worker(stream, &error)) {
        op_fail(stream, op, error);
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
        if (is_lost(stream, op)) {
            op_lost(stream, op);
            return TRUE;
        }
        if (!stream->host->running || stream->resolving || stream->resizing || stream->active >= MAX_ACTIVE) {
            return FALSE;
        }
        begin_frame(stream, op);
        return TRUE;
    case HELIX_OP_CONFIG:
        return begin_config(stream, op);
    default:
        if (op != g_queue_peek_head(&stream->ops)) {
            return FALSE;
        }
        end_life(stream);
        stream->ended = op == g_queue_peek_tail(&stream->ops);
        stream->host->stats.streams += !stream->ended;  /* what came behind it makes a new one */
        op_done(stream, op);
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
static void pump(HelixStream *stream)
{
    gboolean all;

    if (stream->pumping) {
        return;
    }
    stream->pumping = TRUE;
    do {
        all = answer_done(stream) && begin_all(stream);     /* in this order: a look-up may take its time */
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

/* The look-up under way is answered here; what waits is refused when its turn comes. */
static void lose_gpu(HelixStream *stream)
{
    HelixOp *op = stream->resolving ? stream->resolving->op : NULL;

    stream->gpu_lost = FALSE;
    if (op && is_lost(stream, op)) {
        cancel_resolving(stream);
        op_lost(stream, op);
    }
    if (stream->last_gpu != stream->host->gpu) {
        g_clear_pointer(&stream->last, helix_surface_unref);
    }
}

static void go_on(HelixTask *task)
{
    HelixStream *stream = (HelixStream *)task;
    HelixSession *session = stream->session;

    helix_session_enter(session);
    if (stream->gpu_lost) {
        lose_gpu(stream);
    }
    pump(stream);
    helix_session_leave(session);
}

gboolean helix_stream_has_room(const HelixStream *stream, GError **error)
{
    if (stream->in_flight < stream->host->max_in_flight) {
        return TRUE;
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_BUSY, "%u requests of this stream are in flight, the limit: wait for an answer",
                stream->in_flight);
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
        op_done(stream, op);
    }
    g_queue_push_tail(&stream->ops, op);
    helix_session_op_queued(stream->session);
    pump(stream);
}

void helix_stream_force_idr(HelixStream *stream)
{
    if (stream->worker) {       /* without one the next frame is the first, and an IDR anyway */
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
    *info = (HelixStreamInfo) {
        .connection = helix_session_number(stream->session),
        .peer = helix_session_peer(stream->session),
        .session_id = stream->id,
        .in_flight = stream->in_flight,
        .encoded = stream->encoded,
        .config = stream->in_force,
    };
}
