/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.c - a message that is answered in order, and its answer. */
#include "../protocol/error.h"
#include "session.h"

HelixOp *helix_op_new(HelixOpKind kind, guint16 session_id)
{
    HelixOp *op = g_new0(HelixOp, 1);

    op->kind = kind;
    op->session_id = session_id;
    return op;
}

void helix_op_free(HelixOp *op)
{
    helix_surface_unref(op->surface);
    g_clear_error(&op->error);
    g_clear_pointer(&op->response, g_byte_array_unref);
    if (op->in_flight_of) {
        helix_stream_landed(op->in_flight_of);
    }
    g_free(op);
}

static void answer_left(gpointer data, gboolean sent)
{
    HelixOp *op = data;

    if (sent && op->kind == HELIX_OP_FRAME) {
        HelixHost *host = helix_session_host(op->session);

        op->record.returned_ns = helix_now_ns();
        helix_stats_frame(&host->stats, &op->record, op->unit_cpu_bytes);
        if (host->hooks && host->hooks->frame) {
            host->hooks->frame(host->hooks_data, &op->record);
        }
    }
    helix_op_free(op);
}

static GByteArray *frame_answer(HelixOp *op)
{
    HelixFrameRecord *record = &op->record;
    HelixTiming timing = { record->received_ns, record->resolved_ns, record->submitted_ns, record->encoded_ns };

    if (op->error) {
        record->error = op->error->domain == HELIX_ERROR ? op->error->code : HELIX_CODE_INTERNAL;
        return helix_error_new(op->session_id, HELIX_MSG_FRAME_REQUEST, op->error);
    }
    record->bytes = helix_frame_response_unit_size(op->response);
    record->dropped = record->bytes == 0;
    record->keyframe = !record->dropped && op->keyframe;
    record->cpu_bytes += op->unit_cpu_bytes;
    helix_frame_response_finish(op->response, op->session_id, op->frame.pts, op->keyframe,
                                op->frame.flags & HELIX_REQUEST_TIMING ? &timing : NULL);
    return g_steal_pointer(&op->response);
}

void helix_op_answer(HelixSession *session, HelixOp *op)
{
    HelixHost *host = helix_session_host(session);
    GByteArray *message = NULL;
    gboolean handshake = op->handshake;

    op->session = session;
    op->record.connection = helix_session_number(session);
    op->record.session_id = op->session_id;
    op->record.resource_id = op->frame.picture.resource_id;
    op->record.pts = op->frame.pts;

    if (op->kind == HELIX_OP_FRAME) {
        message = frame_answer(op);
    } else if (op->error && helix_session_hears_of_config(session, op)) {
        message = helix_error_new(op->session_id, HELIX_MSG_CONFIG_REQ, op->error);
    } else if (op->wants_answer && !op->error) {
        message = helix_config_response_new(op->session_id, &op->in_force, host->max_in_flight, host->encoder->name,
                                            op->config.has_vui);
    }
    if (message) {
        helix_session_send(session, message, answer_left, op);
    } else {
        helix_op_free(op);
    }
    if (handshake) {
        helix_session_handshake_done(session);
    }
}
