/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream-queue.c - the requests of a stream: begun in order as the limits allow, and answered in order. */
#include "../loop/loop-budget.h"
#include "stream-private.h"

#define MAX_ACTIVE 2u /* one picture in the encoder and one resolved behind it */

void helix_stream_request_done(HelixStream *stream, HelixRequest *request)
{
    if (request->kind == HELIX_REQUEST_KIND_FRAME &&
        (request->state == HELIX_REQUEST_STATE_RESOLVING || request->state == HELIX_REQUEST_STATE_ENCODING)) {
        stream->active--;
    }
    request->state = HELIX_REQUEST_STATE_DONE;
    g_clear_pointer(&request->surface, helix_surface_unref);
    g_clear_pointer(&request->snapshot, helix_snapshot_unref);
}

void helix_stream_request_fail(HelixStream *stream, HelixRequest *request, GError *error)
{
    g_clear_error(&request->error);
    request->error = error;
    helix_stream_request_done(stream, request);
}

void helix_stream_config_done(HelixStream *stream, HelixRequest *request, HelixEncodeResult *result)
{
    request->error = g_steal_pointer(&result->error);
    request->active_config = result->config;
    stream->resizing -= request->resizes;
    if (!request->error) {
        stream->coded_width = request->config.config.width;
        stream->coded_height = request->config.config.height;
    }
    helix_stream_request_done(stream, request);
}

/* A frame that failed had asked for an IDR: the next frame gets it. Every request before this one has begun, so none of
 * those takes it. */
static void pass_idr_on(HelixStream *stream, HelixRequest *request)
{
    if (request->state == HELIX_REQUEST_STATE_DONE && request->error && request->frame.force_keyframe) {
        request->frame.force_keyframe = FALSE;
        stream->idr_pending = TRUE;
    }
}

/*
 * It goes to the encoder behind the frame before it, and behind the second try of that frame if there may be one. The
 * encoder's consent is known only when it is done: until then no look-up begins for another coded size.
 */
static gboolean begin_config(HelixStream *stream, HelixRequest *request)
{
    const HelixStreamConfig *asked = &request->config.config;
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

static gboolean begin_close(HelixStream *stream, HelixRequest *request)
{
    if (request != g_queue_peek_head(&stream->requests) || helix_snapshot_is_wanted(stream)) {
        return FALSE;
    }
    stream->ended = request == g_queue_peek_tail(&stream->requests) && stream->snapshot_requests.length == 0;
    helix_stream_stop(stream, !stream->ended);
    helix_snapshot_end_life(stream);
    helix_stream_request_done(stream, request);
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
        if (request->snapshot && request->snapshot->pending) {
            return FALSE;
        }
        if (!stream->context->running || stream->resolving || stream->resizing || stream->active >= MAX_ACTIVE) {
            return FALSE;
        }
        helix_frame_begin(stream, request);
        return TRUE;
    case HELIX_REQUEST_KIND_CONFIG:
        return begin_config(stream, request);
    default:
        return begin_close(stream, request);
    }
}

/* Returns FALSE if the loop's budget is spent before all requests have begun that can. */
static gboolean begin_all(HelixStream *stream)
{
    for (GList *link = stream->requests.head; link; link = link->next) {
        HelixRequest *request = link->data;
        gboolean waits = request->state == HELIX_REQUEST_STATE_WAITING;

        if (waits && !begin(stream, request)) {
            break;
        }
        pass_idr_on(stream, request);
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

/* Returns FALSE if the loop's budget is spent before all requests are answered that can be. */
static gboolean answer_done(HelixStream *stream)
{
    while (head_is_done(stream)) {
        HelixRequest *request = g_queue_pop_head(&stream->requests);

        pass_idr_on(stream, request);
        stream->sink->request_done(stream->owner, request);
        if (helix_loop_budget_is_spent()) {
            return !head_is_done(stream);
        }
    }
    return TRUE;
}

void helix_stream_pump(HelixStream *stream)
{
    gboolean all;

    if (stream->pumping) {
        return;
    }
    stream->pumping = TRUE;
    do {
        /* in this order: the guest waits for a snapshot with its source stopped, and a look-up may take long */
        all = helix_snapshot_begin_all(stream) && answer_done(stream) && begin_all(stream);
    } while (all && (head_is_done(stream) || helix_snapshot_may_begin(stream)));
    stream->pumping = FALSE;
    if (!all) {
        helix_stream_pump_later(stream);
    } else if (stream->ended && stream->requests.length == 0) {
        stream->sink->ended(stream->owner, stream->id);
    }
}
