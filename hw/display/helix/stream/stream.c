/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.c - one session_id of one connection: its life and its encode thread. */
#include <string.h>

#include "../protocol/error.h"
#include "stream-private.h"

static void stream_unref(HelixStream *stream)
{
    if (--stream->refs == 0) {
        g_free(stream);
    }
}

static void go_on(HelixTask *task)
{
    HelixStream *stream = (HelixStream *)task;
    const HelixStreamSink *sink = stream->sink;
    gpointer owner = stream->owner;

    sink->hold(owner);
    if (stream->reset_due) {
        helix_frame_reset(stream);
    }
    helix_stream_pump(stream);
    sink->release(owner);
}

HelixStream *helix_stream_new(HelixStreamContext *context, const HelixStreamSink *sink, gpointer owner, guint16 id)
{
    HelixStream *stream = g_new0(HelixStream, 1);

    stream->task.run = go_on;
    stream->refs = 1;
    stream->context = context;
    stream->sink = sink;
    stream->owner = owner;
    stream->encoder = context->encoder;
    stream->id = id;
    stream->last_used = g_get_monotonic_time();
    g_queue_init(&stream->requests);
    g_queue_init(&stream->snapshot_requests);
    g_queue_init(&stream->snapshots);
    context->n_streams++;
    return stream;
}

void helix_stream_stop(HelixStream *stream, gboolean more)
{
    const HelixStreamInfo info = helix_stream_describe(stream);

    stream->sink->stopped(stream->owner, &info, more);
    helix_capture_cancel(stream, &stream->resolving);
    g_clear_pointer(&stream->encode_thread, helix_encode_thread_retire);
    g_clear_pointer(&stream->last, helix_surface_unref);
    stream->encoded = stream->dropped = 0;
    stream->started_ns = 0;
    stream->idr_pending = FALSE;
    stream->coded_width = stream->coded_height = stream->resizing = 0;
    memset(&stream->active_config, 0, sizeof stream->active_config);
}

void helix_stream_abandon(HelixStream *stream)
{
    HelixStreamContext *context = stream->context;
    HelixRequest *request;

    helix_stream_stop(stream, FALSE);
    helix_snapshot_abandon(stream);
    helix_deferred_remove(context->deferred, &stream->task);
    while ((request = g_queue_pop_head(&stream->requests))) {
        if (request->buffer) {
            helix_free_queue_push(&context->free_queue, g_steal_pointer(&request->buffer));
        }
        helix_request_free(request);
    }
    context->n_streams--;
    stream->owner = NULL;
    stream_unref(stream);
}

static void encode_done(gpointer owner, gpointer tag, HelixEncodeResult *result)
{
    HelixStream *stream = owner;
    const HelixStreamSink *sink = stream->sink;
    gpointer stream_owner = stream->owner;
    HelixRequest *request = tag;

    sink->hold(stream_owner);
    if (!result->error) {
        stream->active_config = result->config;
    }
    if (request->kind == HELIX_REQUEST_KIND_FRAME) {
        helix_frame_done(stream, request, result);
    } else {
        helix_stream_config_done(stream, request, result);
    }
    helix_stream_pump(stream);
    sink->release(stream_owner);
}

/* Threads of encoders that hang outlive their streams: they count too, or a guest could accumulate them. */
gboolean helix_stream_need_encode_thread(HelixStream *stream, GError **error)
{
    HelixStreamContext *context = stream->context;
    guint n_threads = helix_encode_pool_size(context->encode_pool);

    if (stream->encode_thread) {
        return TRUE;
    }
    if (n_threads >= context->max_encoders) {
        g_set_error(
            error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
            "%u encoders are open or have not ended yet, all that helix-max-encoders allows: try again later, or "
            "raise that property of the host's GPU device",
            n_threads);
        return FALSE;
    }
    stream->encode_thread = helix_encode_thread_new(context->encode_pool, stream->encoder, context->hardware_only,
                                                    encode_done, stream, error);
    return stream->encode_thread != NULL;
}

static void leave_flight(gpointer data)
{
    HelixStream *stream = data;

    stream->in_flight--;
    stream_unref(stream);
}

gboolean helix_stream_has_room(const HelixStream *stream, GError **error)
{
    if (stream->in_flight < stream->context->max_in_flight) {
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
    request->gpu_generation = stream->context->gpu_generation;
    request->encoder = stream->encoder->name;
    request->capabilities = HELIX_CAP_ALL & ~(stream->encoder->letterboxes ? 0 : HELIX_CAP_LETTERBOX);
    if (request->kind == HELIX_REQUEST_KIND_SNAPSHOT) {
        helix_snapshot_push(stream, request);
        helix_stream_pump(stream);
        return;
    }
    stream->life_asked += request->kind == HELIX_REQUEST_KIND_CLOSE;
    if (request->kind == HELIX_REQUEST_KIND_FRAME && !request->error &&
        (request->frame.flags & HELIX_REQUEST_SNAPSHOT)) {
        helix_snapshot_bind(stream, request);
    }
    if (request->kind == HELIX_REQUEST_KIND_FRAME && !request->error &&
        helix_stream_has_room(stream, &request->error)) {
        stream->in_flight++;
        stream->refs++;
        request->release = leave_flight;
        request->release_data = stream;
    }
    if (request->error) {
        helix_stream_request_done(stream, request);
    }
    g_queue_push_tail(&stream->requests, request);
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
    stream->reset_due = TRUE;
    helix_stream_pump_later(stream);
}

void helix_stream_pump_later(HelixStream *stream)
{
    helix_deferred_add(stream->context->deferred, &stream->task);
}

gboolean helix_stream_is_idle(const HelixStream *stream)
{
    return stream->requests.length == 0 && stream->snapshot_requests.length == 0;
}

gint64 helix_stream_last_used(const HelixStream *stream)
{
    return stream->last_used;
}

HelixStreamInfo helix_stream_describe(const HelixStream *stream)
{
    return (HelixStreamInfo){
        .session_id = stream->id,
        .in_flight = stream->in_flight,
        .snapshots = helix_snapshot_count(stream),
        .encoded = stream->encoded,
        .dropped = stream->dropped,
        .started_ns = stream->started_ns,
        .encoder = stream->encoder->name,
        .config = stream->active_config,
    };
}
