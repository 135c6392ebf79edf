/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream-frame.c - a frame from its look-up to the end of its encode: a drop, a repeat, a snapshot. */
#include "../protocol/error.h"
#include "stream-private.h"

void helix_capture_cancel(HelixStream *stream, HelixPendingCapture **under_way)
{
    HelixPendingCapture *capture = g_steal_pointer(under_way);

    if (capture) {
        capture->stream = NULL;
        capture->n_cancelled = g_rc_box_acquire(stream->context->n_cancelled);
        ++*capture->n_cancelled;
    }
}

void helix_capture_discard(HelixPendingCapture *capture, HelixSurface *surface, GError *error)
{
    --*capture->n_cancelled;
    g_rc_box_release(capture->n_cancelled);
    g_free(capture);
    helix_surface_unref(surface);
    g_clear_error(&error);
}

static void send_released(HelixStream *stream, const HelixRequest *request)
{
    if (request->frame.flags & HELIX_REQUEST_RELEASE) {
        stream->sink->send(
            stream->owner,
            helix_frame_released_new(stream->id, request->frame.pts, request->frame.picture.resource_id));
    }
}

gboolean helix_frame_is_last(const HelixStream *stream, const HelixRequest *request)
{
    for (GList *link = stream->requests.tail; link && link->data != request; link = link->prev) {
        const HelixRequest *other = link->data;
        gboolean frame = other->kind == HELIX_REQUEST_KIND_FRAME && other->state != HELIX_REQUEST_STATE_DONE;
        gboolean change = other->kind == HELIX_REQUEST_KIND_CONFIG && other->state != HELIX_REQUEST_STATE_WAITING &&
            !other->error;

        if (frame || change) {
            return FALSE;
        }
    }
    return TRUE;
}

static void count_encoded(HelixStream *stream, const HelixRequest *request)
{
    if (stream->encoded++ == 0) {
        HelixStreamInfo info;

        stream->started_ns = helix_now_ns();
        info = helix_stream_describe(stream);
        stream->sink->started(stream->owner, &info, request->record.path);
    }
}

void helix_frame_done(HelixStream *stream, HelixRequest *request, HelixEncodeResult *result)
{
    request->record.submitted_ns = result->unit.submitted_ns;
    request->record.encoded_ns = result->encoded_ns;
    request->unit_cpu_bytes += result->unit.cpu_bytes;
    if (!result->error && result->unit.dropped && !request->retried && helix_frame_is_last(stream, request)) {
        request->retried = TRUE;
        helix_encode_thread_encode(stream->encode_thread, request->surface, request->frame.pts,
                                   request->frame.force_keyframe, request);
        return;
    }
    if (request->surface->borrows_guest) {
        send_released(stream, request);
    }
    request->buffer = g_steal_pointer(&result->buffer);
    request->record.bytes = result->unit_size;
    request->keyframe = result->unit.keyframe;
    request->error = g_steal_pointer(&result->error);
    helix_stream_request_done(stream, request);
    if (request->error) {
        request->frame.force_keyframe = FALSE; /* the encode thread repeats it, or begins anew with an IDR */
    } else if (result->unit.dropped) {
        stream->dropped++;
    } else {
        count_encoded(stream, request);
    }
}

/* Hand the picture on to the encode thread. Takes @surface over. */
static void submit(HelixStream *stream, HelixRequest *request, HelixSurface *surface, HelixHostPath path)
{
    GError *error = NULL;

    request->record.resolved_ns = helix_now_ns();
    request->surface = surface;
    if (!helix_stream_need_encode_thread(stream, &error)) {
        helix_stream_request_fail(stream, request, error);
        return;
    }
    request->record.path = path;
    request->record.cpu_bytes = path == HELIX_HOST_PATH_REPEAT ? 0 : surface->cpu_bytes;
    g_clear_pointer(&stream->last, helix_surface_unref);
    if (!surface->borrows_guest) {
        stream->last = helix_surface_ref(surface);
        stream->last_gpu_generation = stream->context->gpu_generation;
        send_released(stream, request);
    }
    request->state = HELIX_REQUEST_STATE_ENCODING;
    helix_encode_thread_encode(stream->encode_thread, surface, request->frame.pts, request->frame.force_keyframe,
                               request);
}

static void resolved(gpointer data, HelixSurface *surface, GError *error)
{
    HelixPendingCapture *capture = data;
    HelixStream *stream = capture->stream;
    HelixRequest *request = capture->request;
    const HelixStreamSink *sink;
    gpointer owner;

    if (!stream) {
        helix_capture_discard(capture, surface, error);
        return;
    }
    g_free(capture);
    sink = stream->sink;
    owner = stream->owner;
    sink->hold(owner);
    stream->resolving = NULL;
    if (helix_frame_is_lost(stream, request)) {
        helix_surface_unref(surface);
        g_clear_error(&error);
        helix_frame_lost(stream, request);
    } else if (error) {
        helix_stream_request_fail(stream, request, error);
    } else {
        submit(stream, request, surface, surface->path);
    }
    helix_stream_pump(stream);
    sink->release(owner);
}

static void look_up(HelixStream *stream, HelixRequest *request)
{
    const HelixStreamContext *context = stream->context;
    const HelixCaptureTarget target = {
        .coded_width = stream->coded_width,
        .coded_height = stream->coded_height,
        .surface_kinds = stream->encoder->surface_kinds,
        .wants_nv12 = stream->encoder->wants_nv12,
    };
    HelixPendingCapture *capture = g_new(HelixPendingCapture, 1);

    *capture = (HelixPendingCapture){ .stream = stream, .request = request };
    stream->resolving = capture;
    context->resolver->resolve(context->resolver_data, &request->frame.picture, &target, context->surface_pool,
                               resolved, capture);
}

/* A picture that no encoder takes at its own size is refused before anything is read. */
static gboolean can_be_coded(const HelixStream *stream, const HelixPicture *picture, GError **error)
{
    return stream->coded_width != 0 || helix_encoder_check_size(picture->width, picture->height, error);
}

static void begin_repeat(HelixStream *stream, HelixRequest *request)
{
    if (stream->last && stream->last_gpu_generation == stream->context->gpu_generation) {
        submit(stream, request, helix_surface_ref(stream->last), HELIX_HOST_PATH_REPEAT);
    } else {
        helix_stream_request_fail(
            stream, request,
            g_error_new(HELIX_ERROR, HELIX_CODE_NOT_FOUND, "this stream has no picture to repeat: send one"));
    }
}

static void begin_snapshot(HelixStream *stream, HelixRequest *request)
{
    const HelixPicture *picture = &request->frame.picture;
    HelixSurface *part = NULL;
    GError *error = NULL;

    if (can_be_coded(stream, picture, &error)) {
        part = helix_snapshot_part(request->snapshot, picture, &error);
    }
    if (part) {
        submit(stream, request, part, HELIX_HOST_PATH_SNAPSHOT);
    } else {
        helix_stream_request_fail(stream, request, error);
    }
}

void helix_frame_begin(HelixStream *stream, HelixRequest *request)
{
    GError *error = NULL;

    request->record.lookup_ns = helix_now_ns();
    request->state = HELIX_REQUEST_STATE_RESOLVING;
    request->frame.force_keyframe |= stream->idr_pending;
    stream->idr_pending = FALSE;
    stream->active++;
    if (request->surface) {
        HelixSurface *pixels = g_steal_pointer(&request->surface);

        submit(stream, request, pixels, pixels->path);
    } else if (request->frame.flags & HELIX_REQUEST_REPEAT) {
        begin_repeat(stream, request);
    } else if (request->snapshot) {
        begin_snapshot(stream, request);
    } else if (can_be_coded(stream, &request->frame.picture, &error)) {
        look_up(stream, request);
    } else {
        helix_stream_request_fail(stream, request, error);
    }
}
