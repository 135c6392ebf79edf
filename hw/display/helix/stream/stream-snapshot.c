/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream-snapshot.c - the snapshots of a stream: looked up one at a time, in the order of arrival, beside its frames,
 * so that none waits for an encode; kept by number until they are dropped.
 */
#include "../loop/loop-budget.h"
#include "../protocol/error.h"
#include "stream-private.h"

/* ---- by number ---- */

static HelixSnapshot *find(const HelixStream *stream, guint32 number)
{
    for (GList *link = stream->snapshots.head; link; link = link->next) {
        HelixSnapshot *snapshot = link->data;

        if (snapshot->number == number && snapshot->life == stream->life_asked && !snapshot->dropped) {
            return snapshot;
        }
    }
    return NULL;
}

static void forget(HelixStream *stream, HelixSnapshot *snapshot)
{
    if (g_queue_remove(&stream->snapshots, snapshot)) {
        helix_snapshot_unref(snapshot);
    }
}

/* One that is dropped while its look-up is under way counts until that is answered: it uses memory. */
static gboolean admit(const HelixStream *stream, guint32 number, GError **error)
{
    guint n = 0;

    if (find(stream, number)) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID,
                    "snapshot %u is kept already: drop it first, or choose another number", number);
        return FALSE;
    }
    for (GList *link = stream->snapshots.head; link; link = link->next) {
        n += ((const HelixSnapshot *)link->data)->life == stream->life_asked;
    }
    if (n < HELIX_MAX_SNAPSHOTS) {
        return TRUE;
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_BUSY, "%u snapshots of this stream are kept, the limit: drop one", n);
    return FALSE;
}

void helix_snapshot_push(HelixStream *stream, HelixRequest *request)
{
    request->life = stream->life_asked;
    if (!request->error && admit(stream, request->frame.snapshot, &request->error)) {
        request->snapshot = helix_snapshot_new(request->frame.snapshot, request->life);
        g_queue_push_tail(&stream->snapshots, helix_snapshot_ref(request->snapshot));
    }
    g_queue_push_tail(&stream->snapshot_requests, request);
}

void helix_snapshot_bind(HelixStream *stream, HelixRequest *request)
{
    HelixSnapshot *snapshot = find(stream, request->frame.snapshot);

    if (snapshot) {
        request->snapshot = helix_snapshot_ref(snapshot);
    } else {
        g_set_error(&request->error, HELIX_ERROR, HELIX_CODE_NOT_FOUND,
                    "there is no snapshot %u: it was dropped, refused, or never taken", request->frame.snapshot);
    }
}

void helix_stream_drop_snapshot(HelixStream *stream, guint32 number)
{
    HelixSnapshot *snapshot = find(stream, number);

    if (snapshot && snapshot->pending) {
        snapshot->dropped = TRUE;
    } else if (snapshot) {
        forget(stream, snapshot);
    }
}

guint helix_snapshot_count(const HelixStream *stream)
{
    return stream->snapshots.length;
}

/* ---- taken one after the other ---- */

/* The oldest request is answered; takes @surface and @error over. */
static void finish(HelixStream *stream, HelixSurface *surface, GError *error)
{
    HelixRequest *request = g_queue_pop_head(&stream->snapshot_requests);
    HelixSnapshot *snapshot = g_steal_pointer(&request->snapshot);

    if (error) {
        request->error = error;
    }
    if (snapshot) {
        helix_snapshot_finish(snapshot, surface, request->error);
        if (request->error || snapshot->dropped) {
            forget(stream, snapshot);
        }
        helix_snapshot_unref(snapshot);
    }
    request->state = HELIX_REQUEST_STATE_DONE;
    stream->sink->request_done(stream->owner, request);
}

static void resolved(gpointer data, HelixSurface *surface, GError *error)
{
    HelixPendingCapture *capture = data;
    HelixStream *stream = capture->stream;
    const HelixStreamSink *sink;
    gpointer owner;

    if (!stream) {
        helix_capture_discard(capture, surface, error);
        return;
    }
    sink = stream->sink;
    owner = stream->owner;
    sink->hold(owner);
    stream->taking = NULL;
    if (helix_frame_is_lost(stream, capture->request)) {
        g_clear_error(&error);
        error = helix_frame_lost_error(capture->request);
    } else if (surface) {
        helix_surface_pool_hold(stream->context->surface_pool, surface, &error);
    }
    if (error) {
        g_clear_pointer(&surface, helix_surface_unref);
    }
    g_free(capture);
    finish(stream, surface, error);
    helix_stream_pump(stream);
    sink->release(owner);
}

/* Into memory of the host's own, at its own size: it may be encoded at any. */
static void look_up(HelixStream *stream, HelixRequest *request)
{
    const HelixStreamContext *context = stream->context;
    const HelixCaptureTarget target = { 0 };
    HelixPendingCapture *capture = g_new0(HelixPendingCapture, 1);

    capture->stream = stream;
    capture->request = request;
    request->state = HELIX_REQUEST_STATE_RESOLVING;
    stream->taking = capture;
    context->resolver->resolve(context->resolver_data, &request->frame.picture, &target, context->surface_pool,
                               resolved, capture);
}

static HelixRequest *oldest(const HelixStream *stream)
{
    return stream->snapshot_requests.head ? stream->snapshot_requests.head->data : NULL;
}

gboolean helix_snapshot_is_wanted(const HelixStream *stream)
{
    const HelixRequest *request = oldest(stream);

    return request && request->life == stream->life;
}

gboolean helix_snapshot_may_begin(const HelixStream *stream)
{
    const HelixRequest *request = oldest(stream);

    return !stream->taking && helix_snapshot_is_wanted(stream) &&
        (request->error || helix_frame_is_lost(stream, request) || stream->context->running);
}

gboolean helix_snapshot_begin_all(HelixStream *stream)
{
    while (helix_snapshot_may_begin(stream)) {
        HelixRequest *request = oldest(stream);

        if (request->error) {
            finish(stream, NULL, NULL);
        } else if (helix_frame_is_lost(stream, request)) {
            finish(stream, NULL, helix_frame_lost_error(request));
        } else {
            look_up(stream, request);
        }
        if (helix_loop_budget_is_spent()) {
            return !helix_snapshot_may_begin(stream);
        }
    }
    return TRUE;
}

/* ---- the end of what they belong to ---- */

void helix_snapshot_reset(HelixStream *stream)
{
    if (stream->taking && helix_frame_is_lost(stream, stream->taking->request)) {
        GError *error = helix_frame_lost_error(stream->taking->request);

        helix_capture_cancel(stream, &stream->taking);
        finish(stream, NULL, error);
    }
}

void helix_snapshot_end_life(HelixStream *stream)
{
    for (GList *link = stream->snapshots.head, *next; link; link = next) {
        HelixSnapshot *snapshot = link->data;

        next = link->next;
        if (snapshot->life == stream->life) {
            g_queue_delete_link(&stream->snapshots, link);
            helix_snapshot_unref(snapshot);
        }
    }
    stream->life++;
}

void helix_snapshot_abandon(HelixStream *stream)
{
    helix_capture_cancel(stream, &stream->taking);
    g_queue_clear_full(&stream->snapshot_requests, (GDestroyNotify)helix_request_free);
    g_queue_clear_full(&stream->snapshots, (GDestroyNotify)helix_snapshot_unref);
}
