/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session.c - one connection: framing, dispatch to its streams, answers on their way out. */
#include "bytes.h"
#include "error.h"
#include "pixels.h"
#include "session.h"
#include "turn.h"

/* Messages of a connection that may wait for their answers; beyond it nothing is read until some have left. Far above what
 * max_in_flight lets wait usefully: it bounds what refused requests cost while they wait for their turn to be answered. */
#define MAX_WAITING 1024u

typedef enum ReadState { READ_HEADER, READ_BODY, READ_PIXELS } ReadState;

struct HelixSession {
    HelixTask task;             /* first: goes on with what a turn had no time for; see go_on() */
    HelixHost *host;
    GList *link;                /* in host->sessions */
    HelixChannel *channel;      /* NULL: gone */
    guint64 number;
    char *peer;
    GHashTable *streams;        /* session_id to HelixStream */
    HelixOutbox outbox;
    guint depth;                /* of enter */
    guint waiting;              /* ops in the streams' queues */

    /* Reading. */
    ReadState state;
    HelixHeader header;
    guint8 buffer[HELIX_MAX_REQUEST_PAYLOAD];   /* header, then body */
    gsize have, need;           /* bytes in it */
    guint64 pixels_left;
    HelixPixelSink sink;
    HelixOp *request;           /* a FRAME_REQUEST whose pixels arrive */
    gboolean stalled;           /* the carrier waits for resume_input */
    gboolean eof;
    gboolean broken;            /* framing lost or not permitted: what comes is thrown away, what waits to leave is the last */
    gboolean permitted;
    gboolean stall_due;         /* the time is up: see check_stall */
    gint64 last_input;          /* g_get_monotonic_time() of the last byte that was taken, or of the connection's begin */

    /* CONFIG_REQ asked for an answer: the longer form may follow, and PINGs must not overtake the first answer, because
     * their order tells the guest whether this host can do more than the frozen messages. */
    gboolean agreed;
    gboolean handshake;         /* that first answer is still to come */
    GQueue held_pongs;          /* GByteArray, in the order of their PINGs */
};

/* ---- life ---- */

static void session_free(HelixSession *session)
{
    HelixHost *host = session->host;

    helix_later_remove(host->later, &session->task);
    helix_host_forget(host, session->link);
    g_hash_table_unref(session->streams);
    helix_outbox_clear(&session->outbox);
    g_queue_clear_full(&session->held_pongs, (GDestroyNotify)g_byte_array_unref);
    if (session->request) {
        helix_op_free(session->request);
    }
    helix_surface_unref(session->sink.surface);
    if (host->n_streams == 0) {
        helix_surface_pool_trim(host->pool);
    }
    g_free(session->peer);
    g_free(session);
}

static gboolean finished(const HelixSession *session)
{
    gboolean all_answered = session->waiting == 0 && session->held_pongs.length == 0;

    return helix_outbox_is_empty(&session->outbox) && (session->broken || (session->eof && all_answered));
}

/* Input stops while output waits, and while too much waits for its turn. */
static gboolean blocked(const HelixSession *session)
{
    return !session->broken &&
        (!helix_outbox_is_empty(&session->outbox) || session->waiting + session->held_pongs.length >= MAX_WAITING);
}

void helix_session_enter(HelixSession *session)
{
    session->depth++;
}

void helix_session_leave(HelixSession *session)
{
    if (--session->depth > 0) {
        return;
    }
    if (session->channel && finished(session)) {
        helix_channel_close(g_steal_pointer(&session->channel), FALSE);
    }
    if (!session->channel) {
        session_free(session);
    } else if (session->stalled && !blocked(session)) {
        session->stalled = FALSE;
        session->channel->carrier->resume_input(session->channel);
    }
}

void helix_session_close(HelixSession *session)
{
    helix_session_enter(session);
    if (session->channel) {
        helix_channel_close(g_steal_pointer(&session->channel), FALSE);
    }
    helix_session_leave(session);
}

gboolean helix_session_is_permitted(const HelixSession *session)
{
    return session->permitted;
}

gint64 helix_session_idle_since(const HelixSession *session)
{
    gboolean idle = g_hash_table_size(session->streams) == 0 && session->state == READ_HEADER &&
        helix_outbox_is_empty(&session->outbox);

    return idle ? session->last_input : 0;
}

HelixHost *helix_session_host(const HelixSession *session)
{
    return session->host;
}

guint64 helix_session_number(const HelixSession *session)
{
    return session->number;
}

const char *helix_session_peer(const HelixSession *session)
{
    return session->peer;
}

/* ---- output ---- */

static void flush(HelixSession *session)
{
    guint64 before = session->outbox.bytes;

    if (session->channel) {
        if (helix_outbox_flush(&session->outbox, session->channel)) {
            helix_later_add(session->host->later, &session->task);
        }
        session->host->stats.bytes_to_guest += session->outbox.bytes - before;
    }
}

void helix_session_send(HelixSession *session, GByteArray *message, HelixOutboxLeft left, gpointer data)
{
    gboolean waits = !helix_outbox_is_empty(&session->outbox);

    helix_outbox_push(&session->outbox, message, left, data);
    if (!waits) {
        flush(session);
    }
}

gboolean helix_session_hears_of_config(const HelixSession *session, const HelixOp *op)
{
    return op->wants_answer || session->agreed;
}

void helix_session_op_queued(HelixSession *session)
{
    session->waiting++;
}

void helix_session_op_unqueued(HelixSession *session)
{
    session->waiting--;
}

static void send_held_pongs(HelixSession *session)
{
    while (!session->handshake && session->held_pongs.length > 0) {
        helix_session_send(session, g_queue_pop_head(&session->held_pongs), NULL, NULL);
        if (session->held_pongs.length > 0 && helix_turn_is_over()) {
            helix_later_add(session->host->later, &session->task);
            return;
        }
    }
}

void helix_session_handshake_done(HelixSession *session)
{
    session->handshake = FALSE;
    send_held_pongs(session);
}

/* ---- streams ---- */

static HelixStream *find_stream(HelixSession *session, guint16 id)
{
    return g_hash_table_lookup(session->streams, GUINT_TO_POINTER(id));
}

/* A guest that knows only the frozen messages cannot end a stream: its idle one used longest ago makes room. */
static void make_room(HelixSession *session)
{
    HelixStream *stream, *oldest = NULL;
    GHashTableIter iter;
    gpointer id, oldest_id = NULL;

    g_hash_table_iter_init(&iter, session->streams);
    while (g_hash_table_iter_next(&iter, &id, (gpointer *)&stream)) {
        if (helix_stream_is_idle(stream) && (!oldest || helix_stream_last_used(stream) < helix_stream_last_used(oldest))) {
            oldest = stream;
            oldest_id = id;
        }
    }
    if (oldest) {
        g_hash_table_remove(session->streams, oldest_id);
    }
}

static HelixStream *need_stream(HelixSession *session, guint16 id, GError **error)
{
    HelixHost *host = session->host;
    HelixStream *stream = find_stream(session, id);

    if (stream) {
        return stream;
    }
    if (host->n_streams >= host->max_streams && !session->agreed) {
        make_room(session);
    }
    if (host->n_streams >= host->max_streams) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER, "%u streams are open, the limit: end one with SESSION_CLOSE or by "
                    "closing its connection", host->n_streams);
        return NULL;
    }
    stream = helix_stream_new(session, id);
    g_hash_table_insert(session->streams, GUINT_TO_POINTER(id), stream);
    return stream;
}

/* A request is complete. What is wrong already opens no stream, but waits for its turn in one that is there. */
static void dispatch(HelixSession *session, HelixOp *op)
{
    HelixStream *stream = find_stream(session, op->session_id);

    if (!stream && !op->error) {
        stream = need_stream(session, op->session_id, &op->error);
    }
    if (stream) {
        helix_stream_push(stream, op);
    } else {
        helix_op_answer(session, op);
    }
}

void helix_session_stream_ended(HelixSession *session, guint16 id)
{
    g_hash_table_remove(session->streams, GUINT_TO_POINTER(id));
}

static void for_each_stream(HelixSession *session, void (*each)(HelixStream *stream))
{
    GHashTableIter iter;
    gpointer stream;

    g_hash_table_iter_init(&iter, session->streams);
    while (g_hash_table_iter_next(&iter, NULL, &stream)) {
        each(stream);
    }
}

void helix_session_resume(HelixSession *session)
{
    session->last_input = g_get_monotonic_time();
    for_each_stream(session, helix_stream_pump_later);
}

void helix_session_reset(HelixSession *session)
{
    for_each_stream(session, helix_stream_reset);
}

void helix_session_describe(HelixSession *session, GArray *infos)
{
    GHashTableIter iter;
    gpointer stream;

    g_hash_table_iter_init(&iter, session->streams);
    while (g_hash_table_iter_next(&iter, NULL, &stream)) {
        HelixStreamInfo info;

        helix_stream_describe(stream, &info);
        g_array_append_val(infos, info);
    }
}

/* ---- messages ---- */

/* Framing is lost, or nothing will be answered here: say so, and close as soon as that has left. */
static void break_off(HelixSession *session, GError *error)
{
    helix_host_log(session->host, "connection %" G_GUINT64_FORMAT " of %s %s: %s", session->number, session->peer,
                   error->code == HELIX_CODE_NOT_PERMITTED ? "is refused" : "broke the protocol", error->message);
    session->broken = TRUE;
    g_hash_table_remove_all(session->streams);
    helix_session_send(session, helix_error_new(session->header.session_id, HELIX_ERROR_FLAGS_CONNECTION, error), NULL, NULL);
    g_error_free(error);
}

static void end_request(HelixSession *session)
{
    HelixOp *op = g_steal_pointer(&session->request);

    session->host->stats.requests++;
    op->surface = helix_pixel_sink_finish(&session->sink);
    op->record.received_ns = helix_now_ns();
    dispatch(session, op);
}

/* All of a FRAME_REQUEST is there but its pixels. */
static void begin_request(HelixSession *session)
{
    const HelixHeader *header = &session->header;
    HelixOp *op = helix_op_new(HELIX_OP_FRAME, header->session_id);
    HelixStream *stream = find_stream(session, header->session_id);

    session->request = op;
    session->pixels_left = header->payload_size - session->have;
    if (helix_frame_request_parse(&op->frame, header, session->buffer, session->have, &op->error) &&
        (!stream || helix_stream_has_room(stream, &op->error)) && (header->flags & HELIX_REQUEST_PIXEL_DATA)) {
        helix_pixel_sink_start(&session->sink, session->host->pool, &op->frame.picture, session->pixels_left, &op->error);
    }
    session->state = READ_PIXELS;
}

static void config_request(HelixSession *session)
{
    HelixOp *op = helix_op_new(HELIX_OP_CONFIG, session->header.session_id);

    op->wants_answer = (session->header.flags & HELIX_CONFIG_ANSWER) != 0;
    if (op->wants_answer && !session->agreed) {
        session->agreed = TRUE;
        session->handshake = op->handshake = TRUE;
    }
    helix_config_request_parse(&op->config, session->buffer, session->have, &op->error);
    dispatch(session, op);
}

static void ping(HelixSession *session)
{
    GByteArray *pong = helix_pong_new(session->header.session_id, session->buffer, session->have);

    if (session->handshake || session->held_pongs.length > 0) {
        g_queue_push_tail(&session->held_pongs, pong);
    } else {
        helix_session_send(session, pong, NULL, NULL);
    }
}

static void unknown_type(HelixSession *session)
{
    g_autoptr(GError) error = g_error_new(HELIX_ERROR, HELIX_CODE_INVALID, "message type 0x%02x is unknown here: it was skipped",
                                          session->header.type);

    helix_session_send(session, helix_error_new(session->header.session_id, session->header.type, error), NULL, NULL);
}

/* A message other than a FRAME_REQUEST is complete. */
static void message(HelixSession *session)
{
    HelixStream *stream = find_stream(session, session->header.session_id);

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
            helix_stream_push(stream, helix_op_new(HELIX_OP_CLOSE, session->header.session_id));
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

/* Whether it owes the rest of a message, or its last words cannot leave, for too long. */
static gboolean is_stalled(const HelixSession *session)
{
    gboolean unfinished = (session->state != READ_HEADER || session->have > 0) && !session->stalled && !session->eof;

    return (session->broken || unfinished) && g_get_monotonic_time() - session->last_input >= session->host->stall_timeout;
}

void helix_session_check_stall(HelixSession *session)
{
    if (is_stalled(session)) {
        session->stall_due = TRUE;
        helix_later_add(session->host->later, &session->task);
    }
}

static void end_stall(HelixSession *session)
{
    session->stall_due = FALSE;
    if (!is_stalled(session) || !session->channel) {
        return;
    }
    if (session->broken) {
        helix_channel_close(g_steal_pointer(&session->channel), TRUE);
        return;
    }
    session->last_input = g_get_monotonic_time();
    break_off(session, g_error_new(HELIX_ERROR, HELIX_CODE_INVALID, "a message was begun and nothing came for %" G_GINT64_FORMAT
                                   " s: send it whole, its pixels too", session->host->stall_timeout / G_TIME_SPAN_SECOND));
}

static void go_on(HelixTask *task)
{
    HelixSession *session = (HelixSession *)task;

    helix_session_enter(session);
    flush(session);
    send_held_pongs(session);
    if (session->stall_due) {
        end_stall(session);
    }
    helix_session_leave(session);
}

/* ---- input ---- */

static void next_message(HelixSession *session)
{
    session->state = READ_HEADER;
    session->have = 0;
    session->need = HELIX_WIRE_HEADER_SIZE;
}

static void header_complete(HelixSession *session)
{
    HelixHeader *header = &session->header;
    GError *error = NULL;

    if (!helix_header_parse(header, session->buffer)) {
        header->session_id = 0;     /* whatever these bytes are, they name no stream */
        break_off(session, g_error_new(HELIX_ERROR, HELIX_CODE_INVALID, "a message began with the wrong magic: 0x%08x is the right one",
                                       HELIX_WIRE_MAGIC));
        return;
    }
    if (!session->permitted) {
        break_off(session, g_error_new(HELIX_ERROR, HELIX_CODE_NOT_PERMITTED, "requests are taken from vsock ports below %u only "
                                       "(helix-privileged-ports=on), this is %u: bind one first, for which a program needs "
                                       "CAP_NET_BIND_SERVICE", HELIX_PRIVILEGED_PORTS, session->channel->peer_port));
        return;
    }
    if (!helix_header_check(header, session->agreed, &error)) {
        break_off(session, error);
        return;
    }
    session->state = READ_BODY;
    session->have = 0;
    session->need = header->type == HELIX_MSG_FRAME_REQUEST ? helix_frame_request_head(header, session->buffer, 0)
                                                            : header->payload_size;
}

/* Everything asked for is in the buffer, which may be nothing: go on as far as that leads. */
static void advance(HelixSession *session)
{
    if (session->state == READ_HEADER) {
        header_complete(session);
    }
    if (session->state == READ_BODY && !session->broken && session->have == session->need) {
        if (session->header.type == HELIX_MSG_FRAME_REQUEST) {
            session->need = helix_frame_request_head(&session->header, session->buffer, session->have);
            if (session->have < session->need) {
                return;
            }
            begin_request(session);
        } else {
            message(session);
            next_message(session);
        }
    }
    if (session->state == READ_PIXELS && session->pixels_left == 0) {
        end_request(session);
        next_message(session);
    }
}

static gsize feed(HelixSession *session, const guint8 *data, gsize len)
{
    gsize piece;

    if (session->state == READ_PIXELS) {
        piece = (gsize)MIN(len, session->pixels_left);
        helix_pixel_sink_feed(&session->sink, data, piece);
        session->pixels_left -= piece;
    } else {
        piece = MIN(len, session->need - session->have);
        memcpy(session->buffer + session->have, data, piece);
        session->have += piece;
    }
    if (session->state == READ_PIXELS || session->have == session->need) {
        advance(session);
    }
    return piece;
}

/* One step at least: the carrier has looked at the turn before. What is left it offers again, as leave() resumes input. */
static gsize on_input(HelixChannel *channel, const guint8 *data, gsize len)
{
    HelixSession *session = channel->user_data;
    gsize used = 0;

    helix_session_enter(session);
    while (used < len && !session->broken && !blocked(session)) {
        used += feed(session, data + used, len - used);
        if (helix_turn_is_over()) {
            break;
        }
    }
    if (session->broken) {
        used = len;
    }
    session->host->stats.bytes_from_guest += used;
    if (used && !session->broken) {
        session->last_input = g_get_monotonic_time();
    }
    session->stalled = used < len;
    helix_session_leave(session);
    return used;
}

static void on_input_eof(HelixChannel *channel)
{
    HelixSession *session = channel->user_data;

    helix_session_enter(session);
    if (!session->broken && (session->state != READ_HEADER || session->have > 0)) {
        helix_host_log(session->host, "connection %" G_GUINT64_FORMAT " of %s ended inside a message", session->number, session->peer);
    }
    session->eof = TRUE;
    helix_session_leave(session);
}

static void on_writable(HelixChannel *channel)
{
    HelixSession *session = channel->user_data;

    helix_session_enter(session);
    flush(session);
    helix_session_leave(session);
}

static void on_closed(HelixChannel *channel)
{
    HelixSession *session = channel->user_data;

    helix_session_enter(session);
    session->channel = NULL;
    helix_session_leave(session);
}

static const HelixChannelUser session_user = {
    .input = on_input, .input_eof = on_input_eof, .writable = on_writable, .closed = on_closed,
};

HelixSession *helix_session_new(HelixHost *host, HelixChannel *channel)
{
    HelixSession *session = g_new0(HelixSession, 1);

    session->task.run = go_on;
    session->host = host;
    session->channel = channel;
    session->number = ++host->stats.connections;
    session->peer = g_strdup(channel->peer ? channel->peer : "unknown");
    session->permitted = !host->privileged_ports || channel->peer_port < HELIX_PRIVILEGED_PORTS;
    session->last_input = g_get_monotonic_time();
    session->streams = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)helix_stream_abandon);
    helix_outbox_init(&session->outbox);
    g_queue_init(&session->held_pongs);
    next_message(session);
    host->sessions = session->link = g_list_prepend(host->sessions, session);
    helix_channel_attach(channel, &session_user, session);
    return session;
}
