/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session-input.c - the bytes of a connection parsed into messages. */
#include <string.h>

#include "../loop/loop-budget.h"
#include "../protocol/bytes.h"
#include "../protocol/error.h"
#include "session-private.h"

/* ---- messages ---- */

void helix_session_break_off(HelixSession *session, GError *error)
{
    const char *what = error->code == HELIX_CODE_NOT_PERMITTED ? "is refused" : "broke the protocol";

    session->settings->sink->log(session->settings->owner, "connection %" G_GUINT64_FORMAT " of %s %s: %s",
                                 session->number, session->peer, what, error->message);
    session->broken = TRUE;
    helix_session_abandon_streams(session);
    helix_session_send(session, helix_error_new(session->header.session_id, HELIX_ERROR_FLAGS_CONNECTION, error), NULL,
                       NULL);
    g_error_free(error);
}

static void end_request(HelixSession *session)
{
    HelixRequest *request = g_steal_pointer(&session->request);

    session->settings->stats->requests++;
    request->surface = helix_pixel_upload_finish(&session->upload);
    request->record.received_ns = helix_now_ns();
    helix_session_dispatch(session, request);
}

/* All of a FRAME_REQUEST is there but its pixels. */
static void begin_request(HelixSession *session)
{
    const HelixHeader *header = &session->header;
    HelixRequest *request = helix_request_new(HELIX_REQUEST_KIND_FRAME, header->session_id);
    HelixStream *stream = helix_session_find_stream(session, header->session_id);

    session->request = request;
    session->pixels_left = header->payload_size - session->have;
    if (helix_frame_request_parse(&request->frame, header, session->buffer, session->have, &request->error) &&
        (!stream || helix_stream_has_room(stream, &request->error)) && (header->flags & HELIX_REQUEST_PIXEL_DATA)) {
        helix_pixel_upload_start(&session->upload, session->settings->streams->surface_pool, &request->frame.picture,
                                 session->pixels_left, &request->error);
    }
    session->state = HELIX_READ_PIXELS;
}

static void config_request(HelixSession *session)
{
    HelixRequest *request = helix_request_new(HELIX_REQUEST_KIND_CONFIG, session->header.session_id);

    request->wants_answer = (session->header.flags & HELIX_CONFIG_ANSWER) != 0;
    if (request->wants_answer && !session->negotiated) {
        session->negotiated = TRUE;
        session->handshake = request->handshake = TRUE;
    }
    helix_config_request_parse(&request->config, session->buffer, session->have, &request->error);
    helix_session_dispatch(session, request);
}

static void snapshot_request(HelixSession *session)
{
    HelixRequest *request = helix_request_new(HELIX_REQUEST_KIND_SNAPSHOT, session->header.session_id);

    helix_snapshot_request_parse(&request->frame, &session->header, session->buffer, session->have, &request->error);
    helix_session_dispatch(session, request);
}

static void ping(HelixSession *session)
{
    GByteArray *pong = helix_pong_new(session->header.session_id, session->buffer, session->have);

    helix_session_pong(session, pong);
}

static void unknown_type(HelixSession *session)
{
    g_autoptr(GError)
        error = g_error_new(HELIX_ERROR, HELIX_CODE_INVALID, "message type 0x%02x is unknown: the message was skipped",
                            session->header.type);

    helix_session_send(session, helix_error_new(session->header.session_id, session->header.type, error), NULL, NULL);
}

/* To a guest that agreed to nothing these messages mean nothing, as before there were snapshots. */
static gboolean is_about_snapshots(guint8 type)
{
    return type == HELIX_MSG_SNAPSHOT || type == HELIX_MSG_SNAPSHOT_DROP;
}

/* A message other than a FRAME_REQUEST is complete. */
static void message(HelixSession *session)
{
    HelixStream *stream = helix_session_find_stream(session, session->header.session_id);

    if (!session->negotiated && is_about_snapshots(session->header.type)) {
        unknown_type(session);
        return;
    }
    switch (session->header.type) {
    case HELIX_MSG_KEYFRAME_REQ:
        if (stream) {
            helix_stream_force_idr(stream);
        }
        break;
    case HELIX_MSG_CONFIG_REQ:
        config_request(session);
        break;
    case HELIX_MSG_SESSION_CLOSE:
        if (stream) {
            helix_session_dispatch(session, helix_request_new(HELIX_REQUEST_KIND_CLOSE, session->header.session_id));
        }
        break;
    case HELIX_MSG_SNAPSHOT:
        snapshot_request(session);
        break;
    case HELIX_MSG_SNAPSHOT_DROP:
        if (stream) {
            helix_stream_drop_snapshot(stream, helix_get_u32(session->buffer));
        }
        break;
    case HELIX_MSG_PING:
        ping(session);
        break;
    default:
        unknown_type(session);
        break;
    }
}

/* ---- input ---- */

void helix_session_next_message(HelixSession *session)
{
    session->state = HELIX_READ_HEADER;
    session->have = 0;
    session->need = HELIX_WIRE_HEADER_SIZE;
}

static void header_complete(HelixSession *session)
{
    HelixHeader *header = &session->header;
    GError *error = NULL;

    if (!helix_header_parse(header, session->buffer)) {
        header->session_id = 0; /* bytes without the magic name no stream */
        helix_session_break_off(session,
                                g_error_new(HELIX_ERROR, HELIX_CODE_INVALID,
                                            "a message began with a wrong magic: it must be 0x%08x", HELIX_WIRE_MAGIC));
        return;
    }
    if (!session->permitted) {
        helix_session_break_off(
            session,
            g_error_new(HELIX_ERROR, HELIX_CODE_NOT_PERMITTED,
                        "requests are accepted from vsock ports "
                        "below %u only (helix-privileged-ports=on), this is port %u: bind a lower one "
                        "before connecting, which needs CAP_NET_BIND_SERVICE",
                        HELIX_PRIVILEGED_PORTS, session->channel->peer_port));
        return;
    }
    if (header->type == HELIX_MSG_FRAME_REQUEST && !session->negotiated) {
        header->flags &= (guint8)~HELIX_REQUEST_SNAPSHOT; /* no meaning, so ignored */
    }
    if (!helix_header_check(header, session->negotiated, &error)) {
        helix_session_break_off(session, error);
        return;
    }
    session->state = HELIX_READ_BODY;
    session->have = 0;
    session->need = header->type == HELIX_MSG_FRAME_REQUEST ? helix_frame_request_head(header, session->buffer, 0)
                                                            : header->payload_size;
}

/* The bytes that were needed are in the buffer; they may be none: go on as far as possible. */
static void advance(HelixSession *session)
{
    if (session->state == HELIX_READ_HEADER) {
        header_complete(session);
    }
    if (session->state == HELIX_READ_BODY && !session->broken && session->have == session->need) {
        if (session->header.type == HELIX_MSG_FRAME_REQUEST) {
            session->need = helix_frame_request_head(&session->header, session->buffer, session->have);
            if (session->have < session->need) {
                return;
            }
            begin_request(session);
        } else {
            message(session);
            helix_session_next_message(session);
        }
    }
    if (session->state == HELIX_READ_PIXELS && session->pixels_left == 0) {
        end_request(session);
        helix_session_next_message(session);
    }
}

static gsize feed(HelixSession *session, const guint8 *data, gsize len)
{
    gsize piece;

    if (session->state == HELIX_READ_PIXELS) {
        piece = (gsize)MIN(len, session->pixels_left);
        helix_pixel_upload_feed(&session->upload, data, piece);
        session->pixels_left -= piece;
    } else {
        piece = MIN(len, session->need - session->have);
        memcpy(session->buffer + session->have, data, piece);
        session->have += piece;
    }
    if (session->state == HELIX_READ_PIXELS || session->have == session->need) {
        advance(session);
    }
    return piece;
}

/* Takes one step at least: the carrier has checked the loop's budget. It offers the rest again after
 * helix_session_leave() has resumed input. */
gsize helix_session_input(HelixChannel *channel, const guint8 *data, gsize len)
{
    HelixSession *session = channel->user_data;
    gsize used = 0;

    helix_session_enter(session);
    while (used < len && !session->broken && !helix_session_is_blocked(session)) {
        used += feed(session, data + used, len - used);
        if (helix_loop_budget_is_spent()) {
            break;
        }
    }
    if (session->broken) {
        used = len;
    }
    session->settings->stats->bytes_from_guest += used;
    if (used && !session->broken) {
        session->last_input = g_get_monotonic_time();
    }
    session->input_paused = used < len;
    helix_session_leave(session);
    return used;
}

void helix_session_input_eof(HelixChannel *channel)
{
    HelixSession *session = channel->user_data;

    helix_session_enter(session);
    if (!session->broken && (session->state != HELIX_READ_HEADER || session->have > 0)) {
        session->settings->sink->log(session->settings->owner,
                                     "connection %" G_GUINT64_FORMAT " of %s ended inside a message", session->number,
                                     session->peer);
    }
    session->eof = TRUE;
    helix_session_leave(session);
}
