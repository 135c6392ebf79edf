/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream.c - the side of a stream that asks; see stream.h. */
#include <string.h>
#include "stream-private.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* A host that does not say how much it takes gets one picture to encode and one to come. */
#define OLD_HOST_IN_FLIGHT 2u
/* More than this adds latency and holds buffers, but no throughput: the host encodes one at a time. */
#define MAX_IN_FLIGHT 4u

/* ---- pieces ---- */

void vsock_answer_free(VsockAnswer *answer)
{
    g_clear_pointer(&answer->unit, g_bytes_unref);
    g_clear_pointer(&answer->unsent, vsock_pending_free);
    g_free(answer->message);
    g_free(answer);
}

VsockAnswer *vsock_answer_new(VsockAnswerKind kind, VsockPending *pending)
{
    VsockAnswer *answer;

    if (pending->discarded) {
        return NULL;
    }
    answer = g_new0(VsockAnswer, 1);
    answer->kind = kind;
    answer->frame = g_steal_pointer(&pending->frame);
    answer->was_forced = pending->request.force_keyframe;
    answer->was_repeat = pending->repeat || pending->again;
    answer->unjudged = pending->unjudged;
    answer->way = pending->way;
    answer->width = pending->request.width;
    answer->height = pending->request.height;
    return answer;
}

static guint in_flight_limit(const VsockStream *self)
{
    return self->host == HOST_NEW ? CLAMP(self->agreement.max_in_flight, 1, MAX_IN_FLIGHT) : OLD_HOST_IN_FLIGHT;
}

gboolean vsock_stream_has_capability(const VsockStream *self, guint32 bit)
{
    return self->host == HOST_NEW && (self->agreement.capabilities & bit);
}

gboolean vsock_stream_has_agreed(const VsockStream *self)
{
    return !self->away && (self->host == HOST_NEW || self->host == HOST_OLD);
}

/* Is it the host's answer to a picture? */
static gboolean is_of_picture(const VsockAnswer *answer)
{
    return answer->kind == VSOCK_ANSWER_UNIT || answer->kind == VSOCK_ANSWER_DROPPED ||
        answer->kind == VSOCK_ANSWER_ERROR;
}

/* Answers that downstream has not taken keep their places: or they would grow in number here. */
gboolean vsock_stream_has_room(const VsockStream *self)
{
    guint under_way = self->requests_pending + self->busy_pictures;

    for (const GList *l = self->answers.head; l; l = l->next) {
        under_way += is_of_picture(l->data) ? 1 : 0;
    }
    return vsock_stream_has_agreed(self) && under_way < in_flight_limit(self);
}

void vsock_stream_send_config(VsockStream *self)
{
    VsockOutgoing *outgoing = vsock_outgoing_new();
    guint32 form = vsock_wire_config_form(self->host == HOST_NEW ? self->agreement.capabilities : 0);
    gboolean answer = self->host != HOST_OLD;

    outgoing->head_len = vsock_wire_config(outgoing->head, VSOCK_SESSION, &self->config, form, answer);
    if (answer) {
        VsockPending *pending = g_new0(VsockPending, 1);

        pending->is_config = TRUE;
        pending->config = self->config;
        vsock_stream_push_pending(self, pending);
    }
    vsock_connection_send(self->connection, outgoing);
}

void vsock_stream_ask(VsockStream *self)
{
    VsockOutgoing *ping = vsock_outgoing_new();

    self->host = HOST_ASKED;
    vsock_stream_send_config(self);
    ping->head_len = vsock_wire_ping(ping->head, VSOCK_SESSION);
    vsock_connection_send(self->connection, ping);
}

void vsock_stream_push_pending(VsockStream *self, VsockPending *pending)
{
    if (g_queue_is_empty(&self->pending)) {
        self->progress_us = g_get_monotonic_time();
    }
    g_queue_push_tail(&self->pending, pending);
}

VsockPending *vsock_stream_pop_pending(VsockStream *self)
{
    VsockPending *pending = g_queue_pop_head(&self->pending);

    self->progress_us = g_get_monotonic_time();
    if (pending && !pending->is_config) {
        self->requests_pending--;
        self->frames_pending -= pending->discarded ? 0 : 1;
    }
    return pending;
}

/* ---- life ---- */

VsockStream *vsock_stream_new(const VsockStreamConfig *config, GError **error)
{
    VsockStream *self = g_new0(VsockStream, 1);

    self->refs = 1;
    g_mutex_init(&self->lock);
    g_cond_init(&self->cond);
    g_queue_init(&self->pending);
    g_queue_init(&self->behind_held);
    g_queue_init(&self->answers);
    self->stats = config->stats;
    self->failed_cb = config->failed;
    self->lost_cb = config->lost;
    self->user = config->user;
    self->connection = vsock_connection_new(&config->address, config->timeout_ms, config->reconnect,
                                            &vsock_stream_events, self, error);
    if (!self->connection) {
        vsock_stream_close(self, NULL);
        vsock_stream_unref(self);
        return NULL;
    }
    return self;
}

VsockStream *vsock_stream_ref(VsockStream *self)
{
    g_atomic_int_inc(&self->refs);
    return self;
}

void vsock_stream_unref(VsockStream *self)
{
    if (!g_atomic_int_dec_and_test(&self->refs)) {
        return;
    }
    g_queue_clear_full(&self->answers, (GDestroyNotify)vsock_answer_free);
    g_queue_clear_full(&self->pending, (GDestroyNotify)vsock_pending_free);
    g_cond_clear(&self->cond);
    g_mutex_clear(&self->lock);
    g_free(self);
}

void vsock_stream_end(VsockStream *self)
{
    g_mutex_lock(&self->lock);
    self->ended = TRUE;
    g_cond_broadcast(&self->cond);
    g_mutex_unlock(&self->lock);
}

void vsock_stream_close(VsockStream *self, GDestroyNotify free_frame)
{
    GQueue pending = G_QUEUE_INIT;

    g_mutex_lock(&self->lock);
    self->ended = TRUE;
    self->away = TRUE; /* whoever still has a reference sends nothing */
    g_cond_broadcast(&self->cond);
    g_mutex_unlock(&self->lock);
    if (self->connection) {
        vsock_connection_free(self->connection); /* its thread uses the pointer until then */
        self->connection = NULL;
    }
    vsock_stream_discard(self, free_frame);
    g_mutex_lock(&self->lock);
    pending = self->pending;
    g_queue_init(&self->pending);
    self->requests_pending = 0;
    g_mutex_unlock(&self->lock);
    g_queue_clear_full(&pending, (GDestroyNotify)vsock_pending_free);
}

void vsock_stream_configure(VsockStream *self, const VsockConfig *config)
{
    g_mutex_lock(&self->lock);
    self->config = *config;
    if (!self->configured) {
        self->configured = TRUE;
        self->agree_us = g_get_monotonic_time() + VSOCK_AGREE_MS * G_TIME_SPAN_MILLISECOND;
    }
    if (self->away) {
        /* Asked when the connection is back. */
    } else if (self->host == HOST_UNKNOWN) {
        vsock_stream_ask(self);
    } else {
        /* Asked already and not answered: one more of the same kind, behind the PING. */
        vsock_stream_send_config(self);
    }
    g_mutex_unlock(&self->lock);
}

/* ---- waiting ---- */

/* With the lock. A VsockWait, or -1: go on waiting. */
static int wait_state(const VsockStream *self, gboolean ready)
{
    if (self->flushing || self->ended) {
        return VSOCK_WAIT_FLUSHING;
    }
    return self->failed ? (int)VSOCK_WAIT_FAILED : ready ? (int)VSOCK_WAIT_READY : -1;
}

/* With the lock. */
static gboolean may_submit(const VsockStream *self, gboolean live)
{
    if (live) {
        return self->ever_agreed || self->away || g_get_monotonic_time() >= self->agree_us;
    }
    return vsock_stream_has_room(self) && !self->held;
}

VsockWait vsock_stream_wait(VsockStream *self, gboolean live)
{
    int state;

    g_mutex_lock(&self->lock);
    while ((state = wait_state(self, may_submit(self, live))) < 0) {
        if (live) {
            g_cond_wait_until(&self->cond, &self->lock, self->agree_us);
        } else {
            g_cond_wait(&self->cond, &self->lock);
        }
    }
    g_mutex_unlock(&self->lock);
    return state;
}

gboolean vsock_stream_is_agreed(VsockStream *self)
{
    gboolean agreed;

    g_mutex_lock(&self->lock);
    agreed = vsock_stream_has_agreed(self);
    g_mutex_unlock(&self->lock);
    return agreed;
}

guint32 vsock_stream_capabilities(VsockStream *self)
{
    guint32 capabilities;

    g_mutex_lock(&self->lock);
    capabilities = self->agreement.capabilities; /* of the last host, while it is away */
    g_mutex_unlock(&self->lock);
    return capabilities;
}

guint32 vsock_stream_expected_capabilities(VsockStream *self)
{
    guint32 capabilities;

    g_mutex_lock(&self->lock);
    capabilities = self->ever_agreed ? self->agreement.capabilities : HELIX_CAP_ALL;
    g_mutex_unlock(&self->lock);
    return capabilities;
}

guint vsock_stream_depth(VsockStream *self)
{
    guint depth;

    g_mutex_lock(&self->lock);
    depth = in_flight_limit(self);
    g_mutex_unlock(&self->lock);
    return depth;
}

/* ---- answers ---- */

/* With the lock. What is to be told beside what the host said, or NULL. */
static VsockAnswer *own_answer(VsockStream *self)
{
    gint64 now = g_get_monotonic_time(), keepalive = vsock_stream_keepalive_due(self);
    VsockAnswer *answer = NULL;

    if (self->repeat_us && now >= self->repeat_us) {
        self->repeat_us = 0;
        answer = g_new0(VsockAnswer, 1);
        answer->kind = VSOCK_ANSWER_REPEAT;
    } else if (keepalive && now >= keepalive && !self->drain_later) {
        self->given_us = 0;
        answer = g_new0(VsockAnswer, 1);
        answer->kind = VSOCK_ANSWER_KEEPALIVE;
    } else if (self->drain_later && (self->failed || self->frames_pending == 0)) {
        self->drain_later = FALSE;
        answer = g_new0(VsockAnswer, 1);
        answer->kind = VSOCK_ANSWER_DRAINED;
    }
    return answer;
}

/* With the lock. When there is something to be told without the host's doing; 0: not. */
static gint64 next_own_answer(const VsockStream *self)
{
    gint64 keepalive = vsock_stream_keepalive_due(self);

    return self->repeat_us && keepalive ? MIN(self->repeat_us, keepalive) : self->repeat_us + keepalive;
}

VsockAnswer *vsock_stream_next_answer(VsockStream *self)
{
    VsockAnswer *answer = NULL;

    g_mutex_lock(&self->lock);
    while (!self->flushing && !self->ended && !(answer = g_queue_pop_head(&self->answers)) &&
           !(answer = own_answer(self))) {
        gint64 until = next_own_answer(self);

        if (until) {
            g_cond_wait_until(&self->cond, &self->lock, until);
        } else {
            g_cond_wait(&self->cond, &self->lock);
        }
    }
    if (answer) {
        self->busy++;
        self->busy_pictures = is_of_picture(answer) ? 1 : 0;
    }
    g_mutex_unlock(&self->lock);
    return answer;
}

void vsock_stream_answer_done(VsockStream *self)
{
    g_mutex_lock(&self->lock);
    self->busy--;
    self->busy_pictures = 0;
    vsock_stream_pump(self);
    g_mutex_unlock(&self->lock);
}

VsockWait vsock_stream_drain(VsockStream *self, guint ms)
{
    gint64 until = g_get_monotonic_time() + (gint64)ms * 1000;
    int state;

    g_mutex_lock(&self->lock);
    self->draining++;
    vsock_stream_pump(self);
    while ((state = wait_state(self, self->frames_pending + self->answers.length + self->busy == 0)) < 0) {
        if (!ms) {
            g_cond_wait(&self->cond, &self->lock);
        } else if (!g_cond_wait_until(&self->cond, &self->lock, until)) {
            state = VSOCK_WAIT_LATE;
            break;
        }
    }
    self->draining--;
    g_mutex_unlock(&self->lock);
    return state;
}

void vsock_stream_drain_later(VsockStream *self)
{
    g_mutex_lock(&self->lock);
    self->drain_later = TRUE;
    vsock_stream_pump(self);
    g_mutex_unlock(&self->lock);
}

/* ---- flushing ---- */

void vsock_stream_set_flushing(VsockStream *self, gboolean flushing)
{
    g_mutex_lock(&self->lock);
    self->flushing = flushing;
    if (flushing) {
        self->drain_later = FALSE;
        self->repeat_us = self->given_us = 0;
    }
    g_cond_broadcast(&self->cond);
    g_mutex_unlock(&self->lock);
}

gboolean vsock_stream_is_flushing(VsockStream *self)
{
    gboolean flushing;

    g_mutex_lock(&self->lock);
    flushing = self->flushing || self->ended;
    g_mutex_unlock(&self->lock);
    return flushing;
}

static gboolean is_about_config(const VsockAnswer *answer)
{
    return answer->kind == VSOCK_ANSWER_CONFIG || answer->kind == VSOCK_ANSWER_REFUSED;
}

void vsock_stream_discard(VsockStream *self, GDestroyNotify free_frame)
{
    GQueue frames = G_QUEUE_INIT, answers = G_QUEUE_INIT, kept = G_QUEUE_INIT;
    VsockPending *held;
    VsockAnswer *answer;

    g_mutex_lock(&self->lock);
    self->drain_later = FALSE;
    self->repeat_us = 0;
    for (GList *l = self->pending.head; l; l = l->next) {
        VsockPending *pending = l->data;

        if (!pending->is_config && !pending->discarded && !pending->given_up) {
            pending->discarded = TRUE;
            g_queue_push_tail(&frames, g_steal_pointer(&pending->frame));
        }
    }
    held = g_steal_pointer(&self->held);
    vsock_stream_unhold(self); /* all that were given up are answers now */
    if (held) {
        g_queue_push_tail(&frames, g_steal_pointer(&held->frame));
    }
    self->frames_pending = 0;
    while ((answer = g_queue_pop_head(&self->answers))) {
        g_queue_push_tail(is_about_config(answer) ? &kept : &answers, answer);
    }
    self->answers = kept;
    g_cond_broadcast(&self->cond);
    g_mutex_unlock(&self->lock);
    g_clear_pointer(&held, vsock_pending_free);
    while ((answer = g_queue_pop_head(&answers))) {
        g_queue_push_tail(&frames, answer->frame);
        vsock_answer_free(answer);
    }
    if (free_frame) {
        g_queue_clear_full(&frames, free_frame);
    } else {
        g_queue_clear(&frames);
    }
}
