/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer.c - the answer to a request: FRAME_RESPONSE around an access unit, CONFIG_RESP, SNAPSHOT_DONE. */
#include "../protocol/error.h"
#include "request.h"

static GByteArray *frame_answer(HelixRequest *request)
{
    HelixFrameRecord *record = &request->record;
    const HelixTiming all = { record->received_ns, record->resolved_ns, record->submitted_ns, record->encoded_ns };
    const HelixTiming *timing = request->frame.flags & HELIX_REQUEST_TIMING ? &all : NULL;

    record->session_id = request->session_id;
    record->resource_id = request->frame.picture.resource_id;
    record->pts = request->frame.pts;
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
    helix_frame_response_build(request->buffer, request->session_id, request->frame.pts, record->keyframe, timing);
    return g_steal_pointer(&request->buffer);
}

GByteArray *helix_request_build_answer(HelixRequest *request, guint max_in_flight, gboolean config_errors)
{
    if (request->kind == HELIX_REQUEST_KIND_FRAME) {
        return frame_answer(request);
    }
    if (request->kind == HELIX_REQUEST_KIND_SNAPSHOT) {
        return helix_snapshot_done_new(request->session_id, request->frame.snapshot, request->error);
    }
    if (request->error) {
        return config_errors ? helix_error_new(request->session_id, HELIX_MSG_CONFIG_REQ, request->error) : NULL;
    }
    if (request->wants_answer) {
        return helix_config_response_new(request->session_id, &request->active_config, max_in_flight, request->encoder,
                                         request->capabilities, request->config.has_vui);
    }
    return NULL;
}
