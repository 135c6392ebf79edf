/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream.c - see stream.h. */
#include <string.h>
#include "stream.h"

GST_DEBUG_CATEGORY_EXTERN(vsockenc_debug);
#define GST_CAT_DEFAULT vsockenc_debug

/* Hosts that ignore the session answer with 0, so the only stream of a connection is 0. */
#define SESSION 0
/* A host that does not say how much it takes gets one picture to encode and one to come. */
#define OLD_HOST_IN_FLIGHT 2u
/* More than this adds latency and holds buffers, but no throughput: the host encodes one at a time. */
#define MAX_IN_FLIGHT 4u

typedef enum Host {
    HOST_UNKNOWN,               /* nothing asked yet */
    HOST_ASKED,                 /* CONFIG_REQ and PING are out */
    HOST_NEW,                   /* CONFIG_RESP came first */
    HOST_OLD,                   /* PONG came first: frozen messages only */
} Host;

/* Something sent that will be answered, in order. */
typedef struct Pending {
    gboolean is_config;
    gpointer frame;             /* NULL: discarded */
    GstBuffer *buffer;          /* held until released or answered */
    guint32 resource_id;
    guint32 width, height;
    gint64 pts;
    gint64 queued_us;
    gboolean forced, discarded;
} Pending;

struct VsockStream {
    VsockConnection *connection;
    VsockStats *stats;
    void (*failed_cb)(gpointer user, GError *error);
    gpointer user;

    GMutex lock;
    GCond cond;                 /* anything below changed */
    Host host;
    gboolean flushing, failed;
    VsockConfig config;         /* last asked for */
    gboolean has_agreement;
    VsockAgreement agreement;
    GQueue pending;             /* Pending */
    guint frames_pending;       /* of these, pictures not discarded */
    guint requests_pending;     /* of these, pictures */
    GQueue answers;             /* VsockAnswer */
    guint busy;                 /* answers taken and not done */
};

/* ---- pieces ---- */

static void pending_free(Pending *pending)
{
    gst_clear_buffer(&pending->buffer);
    g_free(pending);
}

void vsock_answer_free(VsockAnswer *answer)
{
    g_clear_pointer(&answer->unit, g_bytes_unref);
    g_free(answer->message);
    g_free(answer);
}

static guint in_flight_limit(const VsockStream *self)
{
    return self->host == HOST_NEW ? CLAMP(self->agreement.max_in_flight, 1, MAX_IN_FLIGHT) : OLD_HOST_IN_FLIGHT;
}

static gboolean has_capability(const VsockStream *self, guint32 bit)
{
    return self->host == HOST_NEW && (self->agreement.capabilities & bit);
}

/* With the lock. */
static void send_config(VsockStream *self, gboolean longer)
{
    VsockOutgoing *outgoing = vsock_outgoing_new();
    gboolean answer = self->host != HOST_OLD;

    outgoing->head_len = vsock_wire_config(outgoing->head, SESSION, &self->config, longer, answer);
    if (answer) {
        Pending *pending = g_new0(Pending, 1);

        pending->is_config = TRUE;
        g_queue_push_tail(&self->pending, pending);
    }
    vsock_connection_send(self->connection, outgoing);
}

/* With the lock; takes the head of pending. */
static Pending *pop_pending(VsockStream *self)
{
    Pending *pending = g_queue_pop_head(&self->pending);

    if (pending && !pending->is_config) {
        self->requests_pending--;
        self->frames_pending -= pending->discarded ? 0 : 1;
    }
    return pending;
}

/* With the lock. */
static void push_answer(VsockStream *self, VsockAnswer *answer)
{
    g_queue_push_tail(&self->answers, answer);
    g_cond_broadcast(&self->cond);
}

/* ---- what the host says: connection's thread ---- */

/* The host broke the protocol or refused the stream: nothing more can come of it. Without the lock. */
static void fail(VsockStream *self, GError *error)
{
    gboolean first;

    g_mutex_lock(&self->lock);
    first = !self->failed;
    self->failed = TRUE;
    g_cond_broadcast(&self->cond);
    g_mutex_unlock(&self->lock);
    if (first) {
        self->failed_cb(self->user, error);
    } else {
        g_error_free(error);
    }
}

static GError *broken(const char *what)
{
    return g_error_new(GST_STREAM_ERROR, GST_STREAM_ERROR_DECODE,
                       "The host's answer cannot be right: %s. Host and guest may be of versions that do not fit.", what);
}

static GError *on_config_resp(VsockStream *self, const guint8 *payload, gsize len)
{
    VsockAgreement agreement;
    GError *error = NULL;

    if (!vsock_wire_parse_agreement(payload, len, &agreement)) {
        return broken("CONFIG_RESP is too short");
    }
    g_mutex_lock(&self->lock);
    if (!g_queue_is_empty(&self->pending) && ((Pending *)g_queue_peek_head(&self->pending))->is_config) {
        VsockAnswer *answer = g_new0(VsockAnswer, 1);
        gboolean first = self->host == HOST_ASKED;

        pending_free(pop_pending(self));
        self->host = HOST_NEW;
        self->has_agreement = TRUE;
        self->agreement = agreement;
        answer->kind = VSOCK_ANSWER_CONFIG;
        answer->agreement = agreement;
        push_answer(self, answer);
        GST_INFO("host: encoder %s, %ux%u, %u in flight, capabilities 0x%x", agreement.encoder, agreement.config.width,
                 agreement.config.height, agreement.max_in_flight, agreement.capabilities);
        if (first && self->config.key_int_max && has_capability(self, HELIX_CAP_LONG_CONFIG)) {
            send_config(self, TRUE);
        }
    } else if (self->host == HOST_NEW) {
        error = broken("CONFIG_RESP where a picture's answer was due");
    }
    g_mutex_unlock(&self->lock);
    return error;
}

static void on_pong(VsockStream *self)
{
    g_mutex_lock(&self->lock);
    if (self->host == HOST_ASKED) {
        GST_INFO("host answers PING before CONFIG_REQ: frozen messages only");
        self->host = HOST_OLD;
        /* Only CONFIG_REQs are out yet, and none of them will be answered. */
        g_queue_clear_full(&self->pending, (GDestroyNotify)pending_free);
        g_queue_init(&self->pending);
        g_cond_broadcast(&self->cond);
    }
    g_mutex_unlock(&self->lock);
}

static void on_released(VsockStream *self, gint64 pts, guint32 resource_id)
{
    GstBuffer *buffer = NULL;

    g_mutex_lock(&self->lock);
    for (GList *l = self->pending.head; l && !buffer; l = l->next) {
        Pending *pending = l->data;

        if (!pending->is_config && pending->pts == pts && pending->resource_id == resource_id) {
            buffer = g_steal_pointer(&pending->buffer);
        }
    }
    g_mutex_unlock(&self->lock);
    /* Back to its pool outside the lock: that runs upstream's code. */
    gst_clear_buffer(&buffer);
}

/* The request an answer belongs to, or NULL with @error. @pts: NULL for an ERROR, which carries none. */
static Pending *take_request(VsockStream *self, const gint64 *pts, GError **error)
{
    Pending *head, *taken = NULL;

    g_mutex_lock(&self->lock);
    head = g_queue_peek_head(&self->pending);
    if (!head || head->is_config) {
        g_propagate_error(error, broken("it answers a picture that was not asked for"));
    } else if (pts && head->pts != *pts) {
        g_propagate_error(error, broken("its pts is not the one of the oldest picture under way"));
    } else {
        taken = pop_pending(self);
        g_cond_broadcast(&self->cond);
    }
    g_mutex_unlock(&self->lock);
    return taken;
}

/* Hand the answer on, or let it go if the picture was flushed. Takes both over. */
static void finish_request(VsockStream *self, Pending *pending, VsockAnswer *answer)
{
    vsock_stats_time(self->stats, VSOCK_STAGE_ROUND_TRIP, g_get_monotonic_time() - pending->queued_us);
    g_mutex_lock(&self->lock);
    if (pending->discarded) {
        g_clear_pointer(&answer, vsock_answer_free);
    } else {
        answer->frame = pending->frame;
        answer->was_forced = pending->forced;
        answer->width = pending->width;
        answer->height = pending->height;
        push_answer(self, answer);
    }
    g_mutex_unlock(&self->lock);
    pending_free(pending);
}

static GError *on_response(VsockStream *self, guint8 flags, GBytes *payload)
{
    VsockResponse response;
    VsockAnswer *answer;
    Pending *pending;
    GError *error = NULL;

    if (!vsock_wire_parse_response(payload, flags, &response)) {
        return broken("FRAME_RESPONSE is shorter than it says");
    }
    pending = take_request(self, &response.pts, &error);
    if (!pending) {
        g_clear_pointer(&response.unit, g_bytes_unref);
        return error;
    }
    if (response.has_timing) {
        vsock_stats_time(self->stats, VSOCK_STAGE_HOST_RESOLVE, (response.resolved - response.received) / 1000);
        vsock_stats_time(self->stats, VSOCK_STAGE_HOST_SUBMIT, (response.submitted - response.resolved) / 1000);
        vsock_stats_time(self->stats, VSOCK_STAGE_HOST_ENCODE, (response.encoded - response.submitted) / 1000);
    }
    answer = g_new0(VsockAnswer, 1);
    answer->kind = response.unit && !response.dropped ? VSOCK_ANSWER_UNIT : VSOCK_ANSWER_DROPPED;
    answer->unit = response.unit;
    answer->keyframe = response.keyframe;
    finish_request(self, pending, answer);
    return NULL;
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

static GError *on_error(VsockStream *self, guint8 flags, const guint8 *payload, gsize len)
{
    g_autofree char *message = NULL;
    gint32 code;
    VsockAnswer *answer;
    Pending *pending;
    gboolean config;
    GError *error = NULL;

    if (!vsock_wire_parse_error(payload, len, &code, &message)) {
        return broken("ERROR is not 260 bytes");
    }
    if (flags == HELIX_ERROR_FLAGS_CONNECTION) {
        return refused(code, "the connection", message);
    }
    g_mutex_lock(&self->lock);
    pending = g_queue_peek_head(&self->pending);
    config = pending && pending->is_config;
    g_mutex_unlock(&self->lock);
    if (flags == HELIX_MSG_CONFIG_REQ && config) {
        return refused(code, "the stream's settings", message);
    }
    /* An old host may complain about CONFIG_REQ, with flags that mean a picture. */
    if ((flags != 0 && flags != HELIX_MSG_FRAME_REQUEST) || !pending || config) {
        GST_WARNING("host: error %d about message type 0x%02x: %s", code, flags, message);
        return NULL;
    }
    if (is_final(code)) {
        return refused(code, "a picture", message);
    }
    pending = take_request(self, NULL, &error);
    if (!pending) {
        return error;
    }
    answer = g_new0(VsockAnswer, 1);
    answer->kind = VSOCK_ANSWER_ERROR;
    answer->code = code;
    answer->message = g_steal_pointer(&message);
    finish_request(self, pending, answer);
    return NULL;
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

    vsock_stats_count(self->stats, VSOCK_COUNT_BYTES_TO_HOST, bytes);
    if (outgoing->fence_us) {
        vsock_stats_time(self->stats, VSOCK_STAGE_FENCE, outgoing->fence_us - outgoing->queued_us);
    }
}

static gboolean on_waiting(gpointer user)
{
    VsockStream *self = user;
    gboolean waiting;

    g_mutex_lock(&self->lock);
    waiting = !self->failed && (!g_queue_is_empty(&self->pending) || self->host == HOST_ASKED);
    g_mutex_unlock(&self->lock);
    return waiting;
}

static void on_failed(gpointer user, GError *error)
{
    fail(user, error);
}

static const VsockConnectionEvents connection_events = {
    .message = on_message,
    .sent = on_sent,
    .waiting = on_waiting,
    .failed = on_failed,
};

/* ---- public ---- */

VsockStream *vsock_stream_new(const VsockStreamConfig *config, GError **error)
{
    VsockStream *self = g_new0(VsockStream, 1);

    g_mutex_init(&self->lock);
    g_cond_init(&self->cond);
    g_queue_init(&self->pending);
    g_queue_init(&self->answers);
    self->stats = config->stats;
    self->failed_cb = config->failed;
    self->user = config->user;
    self->connection = vsock_connection_new(&config->address, config->timeout_ms, &connection_events, self, error);
    if (!self->connection) {
        vsock_stream_free(self, NULL);
        return NULL;
    }
    return self;
}

void vsock_stream_free(VsockStream *self, GDestroyNotify free_frame)
{
    g_clear_pointer(&self->connection, vsock_connection_free);
    vsock_stream_discard(self, free_frame);
    g_queue_clear_full(&self->answers, (GDestroyNotify)vsock_answer_free);
    g_queue_clear_full(&self->pending, (GDestroyNotify)pending_free);
    g_cond_clear(&self->cond);
    g_mutex_clear(&self->lock);
    g_free(self);
}

void vsock_stream_configure(VsockStream *self, const VsockConfig *config)
{
    g_mutex_lock(&self->lock);
    self->config = *config;
    if (self->host == HOST_UNKNOWN) {
        VsockOutgoing *ping = vsock_outgoing_new();

        self->host = HOST_ASKED;
        send_config(self, FALSE);
        ping->head_len = vsock_wire_ping(ping->head, SESSION);
        vsock_connection_send(self->connection, ping);
    } else if (self->host != HOST_ASKED) {
        send_config(self, has_capability(self, HELIX_CAP_LONG_CONFIG));
    } else {
        /* Asked already and not answered: one more of the same kind, behind the PING. */
        send_config(self, FALSE);
    }
    g_mutex_unlock(&self->lock);
}

/* With the lock. A VsockWait, or -1: go on waiting. */
static int wait_state(const VsockStream *self, gboolean ready)
{
    return self->failed ? (int)VSOCK_WAIT_FAILED : self->flushing ? (int)VSOCK_WAIT_FLUSHING : ready ? (int)VSOCK_WAIT_READY : -1;
}

VsockWait vsock_stream_wait_slot(VsockStream *self)
{
    int state;

    g_mutex_lock(&self->lock);
    for (;;) {
        gboolean agreed = self->host == HOST_NEW || self->host == HOST_OLD;
        guint under_way = self->requests_pending + self->answers.length + self->busy;

        state = wait_state(self, agreed && under_way < in_flight_limit(self));
        if (state >= 0) {
            break;
        }
        g_cond_wait(&self->cond, &self->lock);
    }
    g_mutex_unlock(&self->lock);
    return state;
}

guint32 vsock_stream_capabilities(VsockStream *self)
{
    guint32 capabilities;

    g_mutex_lock(&self->lock);
    capabilities = self->host == HOST_NEW ? self->agreement.capabilities : 0;
    g_mutex_unlock(&self->lock);
    return capabilities;
}

void vsock_stream_submit(VsockStream *self, VsockPicture *picture, gpointer frame, GstClockTime pts,
                         GstClockTime duration, gboolean force_keyframe)
{
    gboolean by_id = picture->path != VSOCK_PATH_PIXEL_DATA;
    VsockOutgoing *outgoing = vsock_outgoing_new();
    Pending *pending = g_new0(Pending, 1);
    VsockRequest request = {
        .flags = by_id ? 0 : HELIX_REQUEST_PIXEL_DATA,
        .resource_id = picture->resource_id, .width = picture->width, .height = picture->height,
        .fourcc = picture->fourcc, .stride = picture->stride,
        .pts = (gint64)pts, .duration = GST_CLOCK_TIME_IS_VALID(duration) ? (gint64)duration : 0,
        .force_keyframe = force_keyframe,
        .crop_x = picture->crop_x, .crop_y = picture->crop_y,
        .res_width = picture->res_width, .res_height = picture->res_height,
        .offset = picture->offset, .modifier = picture->modifier,
    };

    pending->frame = frame;
    pending->buffer = picture->buffer ? gst_buffer_ref(picture->buffer) : NULL;
    pending->resource_id = picture->resource_id;
    pending->width = picture->width;
    pending->height = picture->height;
    pending->pts = request.pts;
    pending->queued_us = outgoing->queued_us;
    pending->forced = force_keyframe;
    outgoing->fence_fd = picture->fence_fd;
    outgoing->owner = picture;
    outgoing->release = (GDestroyNotify)vsock_picture_free;
    for (guint i = 0; i < picture->n_parts; i++) {
        outgoing->part[i].data = picture->part[i].data;
        outgoing->part[i].len = picture->part[i].len;
    }
    outgoing->n_parts = picture->n_parts;
    vsock_stats_path(self->stats, picture->path);
    vsock_stats_count(self->stats, VSOCK_COUNT_CPU_BYTES, picture->cpu_bytes);
    vsock_stats_count(self->stats, VSOCK_COUNT_PIXEL_BYTES, picture->pixel_bytes);

    g_mutex_lock(&self->lock);
    request.flags |= by_id && has_capability(self, HELIX_CAP_EXT) ? HELIX_REQUEST_EXT : 0;
    request.flags |= by_id && has_capability(self, HELIX_CAP_RELEASE) ? HELIX_REQUEST_RELEASE : 0;
    request.flags |= has_capability(self, HELIX_CAP_TIMING) ? HELIX_REQUEST_TIMING : 0;
    outgoing->head_len = vsock_wire_request(outgoing->head, SESSION, &request, picture->pixel_bytes);
    g_queue_push_tail(&self->pending, pending);
    self->requests_pending++;
    self->frames_pending++;
    vsock_connection_send(self->connection, outgoing);
    g_mutex_unlock(&self->lock);
}

VsockAnswer *vsock_stream_next_answer(VsockStream *self)
{
    VsockAnswer *answer = NULL;

    g_mutex_lock(&self->lock);
    while (!self->flushing && !(answer = g_queue_pop_head(&self->answers)) && !self->failed) {
        g_cond_wait(&self->cond, &self->lock);
    }
    if (answer) {
        self->busy++;
    }
    g_mutex_unlock(&self->lock);
    return answer;
}

void vsock_stream_answer_done(VsockStream *self)
{
    g_mutex_lock(&self->lock);
    self->busy--;
    g_cond_broadcast(&self->cond);
    g_mutex_unlock(&self->lock);
}

VsockWait vsock_stream_drain(VsockStream *self)
{
    int state;

    g_mutex_lock(&self->lock);
    while ((state = wait_state(self, self->frames_pending + self->answers.length + self->busy == 0)) < 0) {
        g_cond_wait(&self->cond, &self->lock);
    }
    g_mutex_unlock(&self->lock);
    return state;
}

void vsock_stream_set_flushing(VsockStream *self, gboolean flushing)
{
    g_mutex_lock(&self->lock);
    self->flushing = flushing;
    g_cond_broadcast(&self->cond);
    g_mutex_unlock(&self->lock);
}

gboolean vsock_stream_discard(VsockStream *self, GDestroyNotify free_frame)
{
    GQueue frames = G_QUEUE_INIT, answers = G_QUEUE_INIT, kept = G_QUEUE_INIT;
    VsockAnswer *answer;
    gboolean any;

    g_mutex_lock(&self->lock);
    for (GList *l = self->pending.head; l; l = l->next) {
        Pending *pending = l->data;

        if (!pending->is_config && !pending->discarded) {
            pending->discarded = TRUE;
            g_queue_push_tail(&frames, g_steal_pointer(&pending->frame));
        }
    }
    self->frames_pending = 0;
    while ((answer = g_queue_pop_head(&self->answers))) {
        g_queue_push_tail(answer->kind == VSOCK_ANSWER_CONFIG ? &kept : &answers, answer);
    }
    self->answers = kept;
    g_cond_broadcast(&self->cond);
    g_mutex_unlock(&self->lock);
    while ((answer = g_queue_pop_head(&answers))) {
        g_queue_push_tail(&frames, answer->frame);
        vsock_answer_free(answer);
    }
    any = !g_queue_is_empty(&frames);
    if (free_frame) {
        g_queue_clear_full(&frames, free_frame);
    }
    return any;
}

gboolean vsock_stream_agreement(VsockStream *self, VsockAgreement *agreement)
{
    gboolean has;

    g_mutex_lock(&self->lock);
    has = self->has_agreement;
    *agreement = self->agreement;
    g_mutex_unlock(&self->lock);
    return has;
}
