/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * answers.c - the side of a stream that hears: what the host says, checked and put in order. Connection's thread.
 */
#include <string.h>
#include "stream-private.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* With the lock. */
static void push_answer(VsockStream *self, VsockAnswer *answer)
{
    g_queue_push_tail(&self->answers, answer);
    g_cond_broadcast(&self->cond);
}

/*
 * The host broke the protocol or refused the stream: nothing more can come of it. Without the lock. It is told before
 * whoever waits is woken: upstream's own error, which says nothing of the cause, comes of that.
 */
static void fail(VsockStream *self, GError *error)
{
    gboolean first;

    g_mutex_lock(&self->lock);
    first = !self->failed; /* nobody else sets it */
    g_mutex_unlock(&self->lock);
    if (first) {
        self->failed_cb(self->user, error);
    } else {
        g_error_free(error);
    }
    g_mutex_lock(&self->lock);
    self->failed = TRUE;
    self->repeat_us = 0;
    g_cond_broadcast(&self->cond);
    g_mutex_unlock(&self->lock);
}

static GError *broken(const char *what)
{
    return g_error_new(GST_STREAM_ERROR, GST_STREAM_ERROR_DECODE,
                       "The host's answer cannot be right: %s. Host and guest may be of versions that do not fit.",
                       what);
}

/* With the lock. The oldest of what was sent, if that is a config. */
static VsockPending *pop_config(VsockStream *self)
{
    VsockPending *head = g_queue_peek_head(&self->pending);

    return head && head->is_config ? vsock_stream_pop_pending(self) : NULL;
}

/* With the lock. A host that came back begins with the picture that is there, also where the screen stands still. */
static void want_first(VsockStream *self)
{
    if (self->owes_first && !self->had_picture) {
        vsock_stream_want(self, VSOCK_FIRST_PICTURE_MS);
    }
}

/* With the lock. */
static void agree(VsockStream *self, const VsockPending *pending, const VsockAgreement *agreement)
{
    VsockAnswer *answer = g_new0(VsockAnswer, 1);
    gboolean first = self->host == HOST_ASKED, more;

    self->host = HOST_NEW;
    self->ever_agreed = TRUE;
    self->agreement = *agreement;
    more = first &&
        MIN(vsock_wire_config_needs(&self->config), vsock_wire_config_form(agreement->capabilities)) >
            HELIX_CONFIG_SIZE;
    answer->kind = VSOCK_ANSWER_CONFIG;
    answer->asked = pending->config;
    if (more) {
        answer->asked.serial = 0; /* the rest comes with the longer form */
    } else {
        self->accepted = pending->config;
        self->settled = TRUE;
    }
    answer->agreement = *agreement;
    push_answer(self, answer);
    GST_INFO("host: encoder %s, %ux%u, %u in flight, capabilities 0x%x", agreement->encoder, agreement->config.width,
             agreement->config.height, agreement->max_in_flight, agreement->capabilities);
    if (more) {
        vsock_stream_send_config(self);
    }
    vsock_stream_pump(self);
    want_first(self);
}

/* The host has agreed. It is told when it had been lost: a connection alone may be a proxy's, which closes it again. */
static void settled(VsockStream *self)
{
    gboolean tell;

    vsock_connection_settled(self->connection);
    g_mutex_lock(&self->lock);
    tell = self->told_lost && !self->failed;
    self->told_lost = FALSE;
    g_mutex_unlock(&self->lock);
    if (tell) {
        self->lost_cb(self->user, NULL);
    }
}

static GError *on_config_resp(VsockStream *self, const guint8 *payload, gsize len)
{
    VsockAgreement agreement;
    VsockPending *pending;
    GError *error = NULL;

    if (!vsock_wire_parse_agreement(payload, len, &agreement)) {
        return broken("CONFIG_RESP is too short");
    }
    g_mutex_lock(&self->lock);
    pending = pop_config(self);
    if (pending) {
        agree(self, pending, &agreement);
    } else if (self->host == HOST_NEW) {
        error = broken("CONFIG_RESP where a picture's answer was due");
    }
    g_mutex_unlock(&self->lock);
    if (pending) {
        settled(self);
    }
    g_clear_pointer(&pending, vsock_pending_free);
    return error;
}

static void on_pong(VsockStream *self)
{
    gboolean first;

    g_mutex_lock(&self->lock);
    first = self->host == HOST_ASKED;
    if (first) {
        GST_INFO("host answers PING before CONFIG_REQ: frozen messages only");
        self->host = HOST_OLD;
        self->ever_agreed = TRUE;
        memset(&self->agreement, 0, sizeof(self->agreement));
        /* Only CONFIG_REQs are out yet, and none of them will be answered. */
        g_queue_clear_full(&self->pending, (GDestroyNotify)vsock_pending_free);
        g_queue_init(&self->pending);
        vsock_stream_pump(self);
        want_first(self);
    }
    g_mutex_unlock(&self->lock);
    if (first) {
        settled(self);
    }
}

static void on_released(VsockStream *self, gint64 pts, guint32 resource_id)
{
    GstBuffer *buffer = NULL;

    g_mutex_lock(&self->lock);
    for (GList *l = self->pending.head; l && !buffer; l = l->next) {
        VsockPending *pending = l->data;

        if (!pending->is_config && !pending->given_up && pending->request.pts == pts &&
            pending->request.resource_id == resource_id) {
            buffer = g_steal_pointer(&pending->buffer);
        }
    }
    g_mutex_unlock(&self->lock);
    /* Back to its pool outside the lock: that runs upstream's code. */
    gst_clear_buffer(&buffer);
}

/*
 * With the lock. Where no other picture is under way, one that failed for now may be the last for long. A host that has
 * made nothing of any yet is given it once more, and one that cannot read it in another way; who failed in encoding it
 * has it, and is asked to repeat it.
 */
static void note_outcome(VsockStream *self, const VsockPending *pending, const VsockAnswer *told)
{
    gboolean passes = told->kind == VSOCK_ANSWER_DROPPED || vsock_is_passing_code(told->code);
    gboolean other_way = pending->unjudged && vsock_is_trial_code(told->code);
    gboolean has_none = pending->repeat && told->code == HELIX_CODE_NOT_FOUND;

    if (told->kind == VSOCK_ANSWER_UNIT) {
        self->had_unit = TRUE;
    } else if (self->requests_pending > 0) {
        return;
    } else if (other_way || (!self->had_unit && (has_none || (passes && !pending->repeat)))) {
        self->had_picture = FALSE;
        self->owes_first = TRUE;
    } else if (self->had_unit && told->code == HELIX_CODE_ENCODE) {
        self->owes_last = !self->held;
    }
}

/*
 * The answer to the oldest request. In one step, so that nobody sees the request gone and the answer not there. @told
 * says what the host said, its unit and message taken over. @pts: what it must be; NULL for an ERROR, which carries
 * none.
 */
static GError *answer_request(VsockStream *self, const gint64 *pts, VsockAnswer *told)
{
    VsockPending *head, *pending = NULL;
    VsockAnswer *answer = NULL;
    GError *error = NULL;

    g_mutex_lock(&self->lock);
    head = g_queue_peek_head(&self->pending);
    if (!head || head->is_config) {
        error = broken("it answers a picture that was not asked for");
    } else if (pts && head->request.pts != *pts) {
        error = broken("its pts is not the one of the oldest picture under way");
    } else {
        pending = vsock_stream_pop_pending(self);
        answer = vsock_answer_new(told->kind, pending);
        note_outcome(self, pending, told);
    }
    if (answer) {
        answer->unit = g_steal_pointer(&told->unit);
        answer->keyframe = told->keyframe;
        answer->code = told->code;
        answer->message = g_steal_pointer(&told->message);
        answer->took_us = g_get_monotonic_time() - pending->queued_us;
        g_queue_push_tail(&self->answers, answer);
    }
    vsock_stream_settle(self);
    vsock_stream_pump(self);
    g_mutex_unlock(&self->lock);
    g_clear_pointer(&told->unit, g_bytes_unref);
    g_clear_pointer(&told->message, g_free);
    if (pending) {
        vsock_stats_time(self->stats, VSOCK_STAGE_ROUND_TRIP, g_get_monotonic_time() - pending->queued_us);
        vsock_pending_free(pending);
    }
    return error;
}

/* The host's clock, so anything may stand there. */
static gint64 span_us(gint64 from_ns, gint64 to_ns)
{
    return (gint64)((guint64)to_ns - (guint64)from_ns) / 1000;
}

static GError *on_response(VsockStream *self, guint8 flags, GBytes *payload)
{
    VsockAnswer answer = { 0 };
    VsockResponse response;
    GError *error;

    if (!vsock_wire_parse_response(payload, flags, &response)) {
        return broken("FRAME_RESPONSE is shorter than it says");
    }
    answer.kind = response.unit && !response.dropped ? VSOCK_ANSWER_UNIT : VSOCK_ANSWER_DROPPED;
    answer.unit = response.unit;
    answer.keyframe = response.keyframe;
    error = answer_request(self, &response.pts, &answer);
    if (!error && response.has_timing) {
        vsock_stats_time(self->stats, VSOCK_STAGE_HOST_RESOLVE, span_us(response.received, response.resolved));
        vsock_stats_time(self->stats, VSOCK_STAGE_HOST_SUBMIT, span_us(response.resolved, response.submitted));
        vsock_stats_time(self->stats, VSOCK_STAGE_HOST_ENCODE, span_us(response.submitted, response.encoded));
    }
    return error;
}

gboolean vsock_is_trial_code(gint32 code)
{
    return code == HELIX_CODE_NOT_FOUND || code == HELIX_CODE_NOT_READABLE || code == HELIX_CODE_NO_IOSURFACE ||
        code == HELIX_CODE_GEOMETRY;
}

gboolean vsock_is_passing_code(gint32 code)
{
    return code == HELIX_CODE_BUSY || code == HELIX_CODE_ENCODE;
}

/* Errors that no later picture escapes. */
static gboolean is_final(gint32 code)
{
    return code == HELIX_CODE_INVALID || code == HELIX_CODE_NOT_PERMITTED || code == HELIX_CODE_NO_ENCODER ||
        code == HELIX_CODE_NOT_CONFIGURED || code == HELIX_CODE_GEOMETRY || code == HELIX_CODE_NOT_READABLE ||
        code == HELIX_CODE_NO_IOSURFACE;
}

static GError *refused(gint32 code, const char *what, const char *message)
{
    return g_error_new(GST_STREAM_ERROR, GST_STREAM_ERROR_ENCODE, "The host refuses %s (error %d): %s", what, code,
                       *message ? message : "it does not say why");
}

/*
 * A change that the host refuses changes nothing, and the stream goes on with what it had. Without it, or where another
 * size or other colours were asked for, there is nothing to go on with.
 */
static GError *config_refused(VsockStream *self, gint32 code, char **message)
{
    VsockPending *pending;
    GError *error;
    gboolean go_on;

    g_mutex_lock(&self->lock);
    pending = pop_config(self);
    go_on = self->settled && code == HELIX_CODE_INVALID && pending->config.width == self->accepted.width &&
        pending->config.height == self->accepted.height &&
        vsock_wire_vui_equal(&pending->config.vui, &self->accepted.vui);
    if (go_on) {
        VsockAnswer *answer = g_new0(VsockAnswer, 1);

        answer->kind = VSOCK_ANSWER_REFUSED;
        answer->asked = pending->config;
        answer->code = code;
        answer->message = g_steal_pointer(message);
        push_answer(self, answer);
        /* What a fresh connection asks for; unless another change is under way already. */
        if (self->config.serial == pending->config.serial && self->config.width == pending->config.width &&
            self->config.height == pending->config.height) {
            self->config = self->accepted;
        }
    }
    g_mutex_unlock(&self->lock);
    vsock_pending_free(pending);
    if (go_on) {
        return NULL;
    }
    error = refused(code, "the stream's settings", *message);
    if (code == HELIX_CODE_INVALID) {
        error->domain = GST_LIBRARY_ERROR;
        error->code = GST_LIBRARY_ERROR_SETTINGS;
    }
    return error;
}

static GError *on_error(VsockStream *self, guint8 flags, const guint8 *payload, gsize len)
{
    g_autofree char *message = NULL;
    VsockAnswer answer = { .kind = VSOCK_ANSWER_ERROR };
    gboolean config, may_fail;
    VsockPending *head;
    gint32 code;

    if (!vsock_wire_parse_error(payload, len, &code, &message)) {
        return broken("ERROR is not 260 bytes");
    }
    if (flags == HELIX_ERROR_FLAGS_CONNECTION) {
        return refused(code, "the connection", message);
    }
    g_mutex_lock(&self->lock);
    head = g_queue_peek_head(&self->pending);
    config = head && head->is_config;
    may_fail = head && (head->repeat || head->again || (head->trial && vsock_is_trial_code(code)));
    g_mutex_unlock(&self->lock);
    if (flags == HELIX_MSG_CONFIG_REQ && config) {
        return config_refused(self, code, &message);
    }
    /* An old host may complain about CONFIG_REQ, with flags that mean a picture. */
    if ((flags != 0 && flags != HELIX_MSG_FRAME_REQUEST) || !head || config) {
        GST_WARNING("host: error %d about message type 0x%02x: %s", code, flags, message);
        return NULL;
    }
    if (!may_fail && is_final(code)) {
        return refused(code, "a picture", message);
    }
    answer.code = code;
    answer.message = g_steal_pointer(&message);
    return answer_request(self, NULL, &answer);
}

static void on_message(gpointer user, guint8 type, guint8 flags, guint16 session, GBytes *payload)
{
    VsockStream *self = user;
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
        if (vsock_wire_parse_released(p, len, &pts, &resource_id)) {
            on_released(self, pts, resource_id);
        } else {
            error = broken("FRAME_RELEASED is too short");
        }
        break;
    case HELIX_MSG_CONFIG_RESP:
        error = on_config_resp(self, p, len);
        break;
    case HELIX_MSG_PONG:
        on_pong(self);
        break;
    case HELIX_MSG_ERROR:
        error = on_error(self, flags, p, len);
        break;
    default:
        GST_DEBUG("message of type 0x%02x skipped", type);
        break;
    }
    if (error) {
        fail(self, error);
    }
}

static void on_sent(gpointer user, const VsockOutgoing *outgoing, gsize bytes)
{
    VsockStream *self = user;

    self->was_there = TRUE;
    vsock_stats_count(self->stats, VSOCK_COUNT_BYTES_TO_HOST, bytes);
    if (outgoing->owner) { /* a picture: no more than may be under way */
        g_mutex_lock(&self->lock);
        self->progress_us = g_get_monotonic_time();
        g_mutex_unlock(&self->lock);
    }
    if (outgoing->fence_us) {
        vsock_stats_time(self->stats, VSOCK_STAGE_FENCE, outgoing->fence_us - outgoing->queued_us);
    }
}

static gint64 on_waiting(gpointer user)
{
    VsockStream *self = user;
    gboolean waiting;
    gint64 since;

    g_mutex_lock(&self->lock);
    waiting = !self->failed && (!g_queue_is_empty(&self->pending) || self->host == HOST_ASKED);
    since = waiting ? self->progress_us : 0;
    g_mutex_unlock(&self->lock);
    return since;
}

static void on_failed(gpointer user, GError *error)
{
    fail(user, error);
}

/* What was under way is lost; what is held goes to the host that comes, unless something waits for the end. */
static void on_lost(gpointer user, GError *error)
{
    VsockStream *self = user;
    GQueue gone = G_QUEUE_INIT;
    VsockPending *pending;
    gboolean tell;

    g_mutex_lock(&self->lock);
    self->away = TRUE;
    self->host = HOST_UNKNOWN;
    self->had_picture = self->had_unit = self->settled = self->owes_last = FALSE;
    self->owes_first = TRUE;
    self->repeat_us = 0; /* the next host begins with a keyframe, and has nothing to repeat */
    while ((pending = vsock_stream_pop_pending(self))) {
        VsockAnswer *answer = pending->is_config ? NULL : vsock_answer_new(VSOCK_ANSWER_LOST, pending);

        if (answer) {
            push_answer(self, answer);
        }
        g_queue_push_tail(&gone, pending);
        vsock_stream_settle(self);
    }
    tell = !self->told_lost && !self->failed;
    self->told_lost = TRUE;
    vsock_stream_pump(self);
    g_mutex_unlock(&self->lock);
    g_queue_clear_full(&gone, (GDestroyNotify)vsock_pending_free);
    if (tell) {
        self->lost_cb(self->user, error);
    } else {
        g_error_free(error);
    }
}

static void on_connected(gpointer user)
{
    VsockStream *self = user;

    g_mutex_lock(&self->lock);
    self->away = FALSE;
    if (self->configured && !self->failed) {
        vsock_stream_ask(self);
    }
    vsock_stats_count(self->stats, VSOCK_COUNT_RECONNECTS, self->was_there ? 1 : 0);
    g_cond_broadcast(&self->cond);
    g_mutex_unlock(&self->lock);
}

const VsockConnectionEvents vsock_stream_events = {
    .message = on_message,
    .sent = on_sent,
    .waiting = on_waiting,
    .failed = on_failed,
    .lost = on_lost,
    .connected = on_connected,
};
