/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * answers.c - the host's messages, checked and matched with requests; the connection lost and made again. Connection's
 * thread.
 */
#include "client.h"

/* ---- frames ---- */

static void on_released(HelixClient *self, gint64 pts, guint32 resource_id)
{
    HelixClientFrame *frame = NULL;

    g_mutex_lock(&self->lock);
    for (GList *l = self->pending.head; l && !frame; l = l->next) {
        ClientRequest *request = l->data;

        if (!request->is_config && !request->unsent && request->wire.pts == pts &&
            request->wire.resource_id == resource_id) {
            frame = g_steal_pointer(&request->frame);
        }
    }
    g_mutex_unlock(&self->lock);
    /* Outside the lock: that runs the caller's code. */
    g_clear_pointer(&frame, helix_client_frame_unref);
}

/* A host has read a frame in @mode (@code 0), or refused it. */
static void note_copy(HelixClient *self, ClientCopyMode mode, gint32 code, const char *message)
{
    if (self->copier && code == 0) {
        client_copier_accepted(self->copier, mode);
    } else if (self->copier && helix_client_code_is_about_path(code)) {
        client_log(self, G_LOG_LEVEL_INFO, "the host cannot read frames by %s: %s", client_copy_mode_name(mode),
                   message);
        client_copier_refused(self->copier, mode, message);
    }
}

/* What the host makes of the copy mode of @request. */
static void note_copy_mode(HelixClient *self, const ClientRequest *request, const HelixClientEvent *event)
{
    if (request->unverified && event->type == HELIX_CLIENT_EVENT_ACCESS_UNIT) {
        note_copy(self, request->mode, 0, NULL);
    } else if (request->unverified && event->type == HELIX_CLIENT_EVENT_ERROR) {
        note_copy(self, request->mode, event->code, event->message);
    }
}

/* With the lock. The event that the host's @answer to @request is. */
static void push_answer(HelixClient *self, ClientRequest *request, HelixClientEvent *answer, char **message)
{
    ClientEvent *event = client_event_for(answer->type, request);

    note_copy_mode(self, request, answer);
    client_note_outcome(self, request, answer);
    if (!event) {
        return;
    }
    event->public.unit = g_steal_pointer(&answer->unit);
    event->public.keyframe = answer->keyframe;
    event->public.resolve_us = answer->resolve_us;
    event->public.wait_us = answer->wait_us;
    event->public.encode_us = answer->encode_us;
    event->public.code = answer->code;
    event->public.message = event->message = g_steal_pointer(message);
    event->public.took_us = g_get_monotonic_time() - request->queued_us;
    client_push_event(self, event);
}

/*
 * The answer to the oldest request. In one step, so that no thread sees the request gone and the event not there. The
 * unit of @answer, and @message, are taken over. @pts: what it must be; NULL for an ERROR, which carries none.
 */
static GError *answer_request(HelixClient *self, const gint64 *pts, HelixClientEvent *answer, char **message)
{
    ClientRequest *head, *request = NULL;
    GError *error = NULL;

    g_mutex_lock(&self->lock);
    head = g_queue_peek_head(&self->pending);
    if (!head || head->is_config) {
        error = client_protocol_error("it answers a frame that was not asked for");
    } else if (pts && head->wire.pts != *pts) {
        error = client_protocol_error("its pts is not the one of the oldest frame under way");
    } else {
        request = client_pop_pending(self);
        push_answer(self, request, answer, message);
    }
    client_settle_unsent(self);
    client_pump(self);
    g_mutex_unlock(&self->lock);
    g_clear_pointer(&answer->unit, g_bytes_unref);
    if (request) {
        client_stats_time(self->stats, HELIX_CLIENT_STAGE_ROUND_TRIP, g_get_monotonic_time() - request->queued_us);
        client_request_free(request);
    }
    return error;
}

/* The host's clock, so anything may stand there. */
static gint64 span_us(gint64 from_ns, gint64 to_ns)
{
    return (gint64)((guint64)to_ns - (guint64)from_ns) / 1000;
}

static GError *on_response(HelixClient *self, guint8 flags, GBytes *payload)
{
    HelixClientEvent answer = { .resolve_us = -1, .wait_us = -1, .encode_us = -1 };
    ClientWireResponse response;
    char *message = NULL;
    GError *error;

    if (!client_wire_parse_response(payload, flags, &response)) {
        return client_protocol_error("FRAME_RESPONSE is shorter than it says");
    }
    answer.type = response.unit && !response.dropped ? HELIX_CLIENT_EVENT_ACCESS_UNIT : HELIX_CLIENT_EVENT_DROPPED;
    answer.unit = response.unit;
    answer.keyframe = response.keyframe;
    if (response.has_timing) {
        answer.resolve_us = span_us(response.received, response.resolved);
        answer.wait_us = span_us(response.resolved, response.submitted);
        answer.encode_us = span_us(response.submitted, response.encoded);
    }
    error = answer_request(self, &response.pts, &answer, &message);
    if (!error && response.has_timing) {
        client_stats_time(self->stats, HELIX_CLIENT_STAGE_HOST_RESOLVE, answer.resolve_us);
        client_stats_time(self->stats, HELIX_CLIENT_STAGE_HOST_SUBMIT, answer.wait_us);
        client_stats_time(self->stats, HELIX_CLIENT_STAGE_HOST_ENCODE, answer.encode_us);
    }
    return error;
}

/* ---- errors ---- */

/* Errors that no later frame escapes. */
static gboolean is_final(gint32 code)
{
    return code == HELIX_CODE_INVALID || code == HELIX_CODE_NOT_PERMITTED || code == HELIX_CODE_NO_ENCODER ||
        code == HELIX_CODE_NOT_CONFIGURED || code == HELIX_CODE_GEOMETRY || code == HELIX_CODE_NOT_READABLE ||
        code == HELIX_CODE_NO_IOSURFACE;
}

static GError *refused(gint32 code, const char *what, const char *message)
{
    return g_error_new(HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_REFUSED, "The host refuses %s (error %d): %s", what, code,
                       *message ? message : "it does not say why");
}

static GError *on_error(HelixClient *self, guint8 flags, const guint8 *payload, gsize len)
{
    HelixClientEvent answer = { .type = HELIX_CLIENT_EVENT_ERROR, .resolve_us = -1, .wait_us = -1, .encode_us = -1 };
    g_autofree char *message = NULL;
    gboolean config, may_fail;
    ClientRequest *head;
    gint32 code;

    if (!client_wire_parse_error(payload, len, &code, &message)) {
        return client_protocol_error("ERROR is not 260 bytes");
    }
    if (flags == HELIX_ERROR_FLAGS_CONNECTION) {
        return refused(code, "the connection", message);
    }
    g_mutex_lock(&self->lock);
    head = g_queue_peek_head(&self->pending);
    config = head && head->is_config;
    may_fail = head && (head->repeat || head->again || (head->probing && helix_client_code_is_about_path(code)));
    g_mutex_unlock(&self->lock);
    if (flags == HELIX_MSG_CONFIG_REQ && config) {
        return client_on_config_error(self, code, &message);
    }
    /* An old host may complain about CONFIG_REQ, with flags that mean a frame. */
    if ((flags != 0 && flags != HELIX_MSG_FRAME_REQUEST) || !head || config) {
        client_log(self, G_LOG_LEVEL_MESSAGE, "host: error %d about message type 0x%02x: %s", code, flags, message);
        return NULL;
    }
    if (!may_fail && is_final(code)) {
        return refused(code, "a frame", message);
    }
    answer.code = code;
    answer.message = message;
    return answer_request(self, NULL, &answer, &message);
}

/* ---- snapshots ---- */

static GError *on_snapshot_done(HelixClient *self, const guint8 *payload, gsize len)
{
    g_autofree char *message = NULL;
    GQueue gone = G_QUEUE_INIT;
    HelixClientFrame *frame;
    guint32 number;
    gint32 code;

    if (!client_wire_parse_snapshot_done(payload, len, &number, &code, &message)) {
        return client_protocol_error("SNAPSHOT_DONE is not 264 bytes");
    }
    frame = client_snapshots_asked(self->snapshots, number);
    if (!frame) {
        return client_protocol_error("it answers a snapshot that was not asked for");
    }
    if (frame->unverified) {
        note_copy(self, frame->mode, code, message);
    }
    client_snapshots_done(self->snapshots, number, code, message, &gone);
    g_queue_clear_full(&gone, (GDestroyNotify)helix_client_frame_unref);
    helix_client_frame_unref(frame);
    return NULL;
}

/* ---- events of the connection ---- */

static void on_message(gpointer user, guint8 type, guint8 flags, guint16 session, GBytes *payload)
{
    HelixClient *self = user;
    gsize len;
    const guint8 *p = g_bytes_get_data(payload, &len);
    GError *error = NULL;
    gint64 pts;
    guint32 resource_id;

    g_mutex_lock(&self->lock);
    if (self->failed) {
        type = 0;
    }
    g_mutex_unlock(&self->lock);
    switch (type) {
    case HELIX_MSG_FRAME_RESPONSE:
        error = on_response(self, flags, payload);
        break;
    case HELIX_MSG_FRAME_RELEASED:
        if (client_wire_parse_released(p, len, &pts, &resource_id)) {
            on_released(self, pts, resource_id);
        } else {
            error = client_protocol_error("FRAME_RELEASED is too short");
        }
        break;
    case HELIX_MSG_SNAPSHOT_DONE:
        error = on_snapshot_done(self, p, len);
        break;
    case HELIX_MSG_CONFIG_RESP:
        error = client_on_config_resp(self, p, len);
        break;
    case HELIX_MSG_PONG:
        client_on_pong(self);
        break;
    case HELIX_MSG_ERROR:
        error = on_error(self, flags, p, len);
        break;
    default:
        break; /* of a later version */
    }
    if (error) {
        client_fail(self, error);
    }
}

static void on_sent(gpointer user, const ClientMessage *message, gsize bytes)
{
    HelixClient *self = user;

    self->was_connected = TRUE;
    client_stats_count(self->stats, CLIENT_COUNT_BYTES_TO_HOST, bytes);
    if (message->owner) { /* a frame: no more than may be under way */
        g_mutex_lock(&self->lock);
        self->progress_us = g_get_monotonic_time();
        g_mutex_unlock(&self->lock);
        client_snapshots_progress(self->snapshots);
    }
    if (message->fence_us) {
        client_stats_time(self->stats, HELIX_CLIENT_STAGE_FENCE, message->fence_us - message->queued_us);
    }
}

static gint64 on_waiting(gpointer user)
{
    HelixClient *self = user;
    gint64 since, snapshot_since = client_snapshots_waiting(self->snapshots);
    gboolean waiting;

    g_mutex_lock(&self->lock);
    waiting = !self->failed && (!g_queue_is_empty(&self->pending) || self->negotiation == NEGOTIATION_ASKED);
    since = waiting ? self->progress_us : 0;
    snapshot_since = self->failed ? 0 : snapshot_since;
    g_mutex_unlock(&self->lock);
    return since && snapshot_since ? MIN(since, snapshot_since) : MAX(since, snapshot_since);
}

static void on_failed(gpointer user, GError *error)
{
    client_fail(user, error);
}

/* With the lock. All that is under way is LOST; what it held is moved to @gone, to be freed without the lock. */
static void lose_pending(HelixClient *self, GQueue *gone)
{
    ClientRequest *request;

    while ((request = client_pop_pending(self))) {
        ClientEvent *event = request->is_config ? NULL : client_event_for(HELIX_CLIENT_EVENT_LOST, request);

        if (event) {
            client_push_event(self, event);
        }
        g_queue_push_tail(gone, request);
        client_settle_unsent(self);
    }
}

/* What was under way is lost; what is held goes to the host that comes, unless something waits for the end. */
static void on_lost(gpointer user, GError *error)
{
    HelixClient *self = user;
    GQueue gone = G_QUEUE_INIT, frames = G_QUEUE_INIT;
    gboolean tell;

    g_mutex_lock(&self->lock);
    self->disconnected = TRUE;
    self->negotiation = NEGOTIATION_NONE;
    self->host_has_frame = self->host_has_encoded = self->has_accepted = self->needs_repeat = FALSE;
    self->needs_initial_frame = TRUE;
    self->repeat_due_us = 0; /* the next host begins with a keyframe, and has nothing to repeat */
    lose_pending(self, &gone);
    client_snapshots_lose(self->snapshots, &frames); /* first: the frame that is held may be of one */
    tell = !self->reported_disconnected && !self->failed;
    self->reported_disconnected = TRUE;
    client_pump(self);
    g_mutex_unlock(&self->lock);
    g_queue_clear_full(&gone, (GDestroyNotify)client_request_free);
    g_queue_clear_full(&frames, (GDestroyNotify)helix_client_frame_unref);
    if (self->copier) {
        client_copier_forget_host(self->copier); /* the next host may be another one */
    }
    if (tell) {
        client_tell_state(self, HELIX_CLIENT_DISCONNECTED, error);
    } else {
        g_error_free(error);
    }
}

static void on_connected(gpointer user)
{
    HelixClient *self = user;

    g_mutex_lock(&self->lock);
    self->disconnected = self->ended; /* what ends sends nothing */
    if (self->configured && !self->failed && !self->ended) {
        client_negotiate(self);
    }
    client_stats_count(self->stats, CLIENT_COUNT_RECONNECTS, self->was_connected ? 1 : 0);
    client_changed(self);
    g_mutex_unlock(&self->lock);
}

static void on_fence_timed_out(gpointer user)
{
    client_log(user, G_LOG_LEVEL_MESSAGE, "a frame's write fence was not signalled within 2 s; sent unfinished");
}

const ClientConnectionEvents client_connection_events = {
    .message = on_message,
    .sent = on_sent,
    .waiting = on_waiting,
    .failed = on_failed,
    .lost = on_lost,
    .connected = on_connected,
    .fence_timed_out = on_fence_timed_out,
};
