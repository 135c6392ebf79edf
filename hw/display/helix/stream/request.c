/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.c - a message that is answered in order, and its answer. */
#include "../protocol/error.h"
#include "session.h"

HelixRequest *helix_request_new(HelixRequestKind kind, guint16 session_id)
{
    HelixRequest *request = g_new0(HelixRequest, 1);

    request->kind = kind;
    request->session_id = session_id;
    return request;
}

void helix_request_free(HelixRequest *request)
{
    helix_surface_unref(request->surface);
    g_clear_error(&request->error);
    g_clear_pointer(&request->buffer, g_byte_array_unref);
    if (request->in_flight_of) {
        helix_stream_landed(request->in_flight_of);
    }
    g_free(request);
}

static void answer_left(gpointer data, gboolean sent)
{
    HelixRequest *request = data;

    if (sent && request->kind == HELIX_REQUEST_KIND_FRAME) {
        HelixHost *host = helix_session_host(request->session);

        request->record.returned_ns = helix_now_ns();
        helix_stats_frame(&host->stats, &request->record, request->unit_cpu_bytes);
        if (host->hooks && host->hooks->frame) {
            host->hooks->frame(host->hooks_data, &request->record);
        }
    }
    helix_request_free(request);
}

static GByteArray *frame_answer(HelixRequest *request)
{
    HelixFrameRecord *record = &request->record;
    const HelixTiming all = { record->received_ns, record->resolved_ns, record->submitted_ns, record->encoded_ns };
    const HelixTiming *timing = request->frame.flags & HELIX_REQUEST_TIMING ? &all : NULL;

    if (request->error) {
        record->error = request->error->domain == HELIX_ERROR ? request->error->code : HELIX_CODE_INTERNAL;
        return helix_error_new(request->session_id, HELIX_MSG_FRAME_REQUEST, request->error);
    }
    record->dropped = !request->buffer;
    record->keyframe = !record->dropped && request->keyframe;
    record->cpu_bytes += request->unit_cpu_bytes;
    if (record->dropped) {
        return helix_frame_dropped_new(request->session_id, request->frame.pts, timing);
    }
    helix_frame_response_frame(request->buffer, request->session_id, request->frame.pts, record->keyframe, timing);
    return g_steal_pointer(&request->buffer);
}

void helix_request_answer(HelixSession *session, HelixRequest *request)
{
    HelixHost *host = helix_session_host(session);
    GByteArray *message = NULL;
    gboolean handshake = request->handshake;

    request->session = session;
    request->record.connection = helix_session_number(session);
    request->record.session_id = request->session_id;
    request->record.resource_id = request->frame.picture.resource_id;
    request->record.pts = request->frame.pts;

    if (request->kind == HELIX_REQUEST_KIND_FRAME) {
        message = frame_answer(request);
    } else if (request->error && helix_session_hears_of_config(session, request)) {
        message = helix_error_new(request->session_id, HELIX_MSG_CONFIG_REQ, request->error);
    } else if (request->wants_answer && !request->error) {
        message = helix_config_response_new(request->session_id, &request->in_force, host->max_in_flight,
                                            host->encoder->name, request->config.has_vui);
    }
    if (message) {
        helix_session_send(session, message, answer_left, request);
    } else {
        helix_request_free(request);
    }
    if (handshake) {
        helix_session_handshake_done(session);
    }
}
