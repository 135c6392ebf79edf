/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream-frame.c - a frame's way through its stream: look-up, encoder, a second try, and what a reset of the GPU makes of it.
 */
#include "../protocol/error.h"
#include "session.h"
#include "stream-private.h"

/* Given to the resolver; the op may be gone when it answers. */
struct HelixTicket {
    HelixStream *stream; /* NULL: it waits no more */
    HelixOp *op;
    guint *unwanted; /* the host's count, if it counts there */
};

void helix_frame_cancel(HelixStream *stream)
{
    HelixTicket *ticket = g_steal_pointer(&stream->resolving);

    if (ticket) {
        ticket->stream = NULL;
        ticket->unwanted = g_rc_box_acquire(stream->host->unwanted);
        ++*ticket->unwanted;
    }
}

/* Nobody waits for it. The host may be gone. */
static void drop(HelixTicket *ticket, HelixSurface *surface, GError *error)
{
    --*ticket->unwanted;
    g_rc_box_release(ticket->unwanted);
    g_free(ticket);
    helix_surface_unref(surface);
    g_clear_error(&error);
}

static void log_start(HelixStream *stream, const HelixOp *op)
{
    const HelixEncoderConfig *config = &stream->in_force;

    stream->started_ns = helix_now_ns();
    helix_host_log(stream->host, "stream %" G_GUINT64_FORMAT ".%u started for %s: %u x %u, %s, %s, %u bit/s, %u/%u fps",
                   helix_session_number(stream->session), stream->id, helix_session_peer(stream->session),
                   config->width, config->height, stream->encoder->name, helix_host_path_name(op->record.path),
                   config->bitrate, config->fps_num, config->fps_den);
}

static void send_released(HelixStream *stream, const HelixOp *op)
{
    if (op->frame.flags & HELIX_REQUEST_RELEASE) {
        helix_session_send(stream->session,
                           helix_frame_released_new(stream->id, op->frame.pts, op->frame.picture.resource_id), NULL,
                           NULL);
    }
}

gboolean helix_frame_is_last(const HelixStream *stream, const HelixOp *op)
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

void helix_frame_done(HelixStream *stream, HelixOp *op, HelixWorkerResult *result)
{
    op->record.submitted_ns = result->unit.submitted_ns;
    op->record.encoded_ns = result->encoded_ns;
    op->unit_cpu_bytes += result->unit.cpu_bytes;
    if (!result->error && result->unit.dropped && !op->retried && helix_frame_is_last(stream, op)) {
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
    helix_stream_op_done(stream, op);
    if (op->error) {
        op->frame.force_keyframe = FALSE; /* the worker keeps it, or begins anew, with an IDR */
        return;
    }
    if (result->unit.dropped) {
        stream->dropped++;
    } else if (stream->encoded++ == 0) {
        log_start(stream, op);
    }
}

/* The picture is there: hand it on. Takes @surface over. */
static void submit(HelixStream *stream, HelixOp *op, HelixSurface *surface, HelixHostPath path)
{
    GError *error = NULL;

    op->record.resolved_ns = helix_now_ns();
    op->surface = surface;
    if (!helix_stream_need_worker(stream, &error)) {
        helix_stream_op_fail(stream, op, error);
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

gboolean helix_frame_is_lost(const HelixStream *stream, const HelixOp *op)
{
    return op->kind == HELIX_OP_FRAME && !op->surface && op->gpu != stream->host->gpu;
}

void helix_frame_lost(HelixStream *stream, HelixOp *op)
{
    helix_stream_op_fail(stream, op,
                         g_error_new(HELIX_ERROR, HELIX_CODE_NOT_FOUND,
                                     "the GPU was reset and resource %u with it: "
                                     "send the picture again",
                                     op->frame.picture.resource_id));
}

static void resolved(gpointer data, HelixSurface *surface, GError *error)
{
    HelixTicket *ticket = data;
    HelixStream *stream = ticket->stream;
    HelixOp *op = ticket->op;
    HelixSession *session;

    if (!stream) {
        drop(ticket, surface, error);
        return;
    }
    g_free(ticket);
    session = stream->session;
    helix_session_enter(session);
    stream->resolving = NULL;
    if (helix_frame_is_lost(stream, op)) {
        helix_surface_unref(surface);
        g_clear_error(&error);
        helix_frame_lost(stream, op);
    } else if (error) {
        helix_stream_op_fail(stream, op, error);
    } else {
        submit(stream, op, surface, surface->path);
    }
    helix_stream_pump(stream);
    helix_session_leave(session);
}

/* A picture that no encoder takes at its own size is refused before anything is read. */
static gboolean can_be_coded(const HelixStream *stream, const HelixPicture *picture, GError **error)
{
    return stream->coded_width != 0 || helix_encoder_check_size(picture->width, picture->height, error);
}

void helix_frame_begin(HelixStream *stream, HelixOp *op)
{
    HelixHost *host = stream->host;
    GError *error = NULL;

    op->record.lookup_ns = helix_now_ns();
    op->state = HELIX_OP_RESOLVING;
    op->frame.force_keyframe |= stream->owes_key;
    stream->owes_key = FALSE;
    stream->active++;
    if (op->surface) {
        HelixSurface *pixels = g_steal_pointer(&op->surface);

        submit(stream, op, pixels, pixels->path);
    } else if (!(op->frame.flags & HELIX_REQUEST_REPEAT) && !can_be_coded(stream, &op->frame.picture, &error)) {
        helix_stream_op_fail(stream, op, error);
    } else if (!(op->frame.flags & HELIX_REQUEST_REPEAT)) {
        HelixTicket *ticket = g_new(HelixTicket, 1);

        *ticket = (HelixTicket){ .stream = stream, .op = op };
        stream->resolving = ticket;
        op->frame.picture.coded_width = stream->coded_width;
        op->frame.picture.coded_height = stream->coded_height;
        op->frame.picture.surface_kinds = stream->encoder->surface_kinds;
        host->resolver->resolve(host->resolver_data, &op->frame.picture, host->pool, resolved, ticket);
    } else if (stream->last && stream->last_gpu == host->gpu) {
        submit(stream, op, helix_surface_ref(stream->last), HELIX_HOST_PATH_REPEAT);
    } else {
        helix_stream_op_fail(stream, op,
                             g_error_new(HELIX_ERROR, HELIX_CODE_NOT_FOUND,
                                         "this stream has no picture to repeat: "
                                         "send one"));
    }
}

/* What waits is refused when its turn comes. */
void helix_frame_lose_gpu(HelixStream *stream)
{
    HelixOp *op = stream->resolving ? stream->resolving->op : NULL;

    stream->gpu_lost = FALSE;
    if (op && helix_frame_is_lost(stream, op)) {
        helix_frame_cancel(stream);
        helix_frame_lost(stream, op);
    }
    if (stream->last_gpu != stream->host->gpu) {
        g_clear_pointer(&stream->last, helix_surface_unref);
    }
}
