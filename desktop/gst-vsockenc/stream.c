/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream.c - the side of a stream that asks; see stream.h. */
#include <string.h>
#include "stream-private.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* Hosts that ignore the session answer with 0, so the only stream of a connection is 0. */
#define SESSION 0
/* A host that does not say how much it takes gets one picture to encode and one to come. */
#define OLD_HOST_IN_FLIGHT 2u
/* More than this adds latency and holds buffers, but no throughput: the host encodes one at a time. */
#define MAX_IN_FLIGHT 4u

/* ---- pieces ---- */

void vsock_pending_free(VsockPending *pending)
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

gboolean vsock_stream_has_capability(const VsockStream *self, guint32 bit)
{
    return self->host == HOST_NEW && (self->agreement.capabilities & bit);
}

void vsock_stream_send_config(VsockStream *self, gboolean longer)
{
    VsockOutgoing *outgoing = vsock_outgoing_new();
    gboolean answer = self->host != HOST_OLD;

    outgoing->head_len = vsock_wire_config(outgoing->head, SESSION, &self->config, longer, answer);
    if (answer) {
        VsockPending *pending = g_new0(VsockPending, 1);

        pending->is_config = TRUE;
        g_queue_push_tail(&self->pending, pending);
    }
    vsock_connection_send(self->connection, outgoing);
}

VsockPending *vsock_stream_pop_pending(VsockStream *self)
{
    VsockPending *pending = g_queue_pop_head(&self->pending);

    if (pending && !pending->is_config) {
        self->requests_pending--;
        self->frames_pending -= pending->discarded ? 0 : 1;
    }
    return pending;
}

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
    self->connection = vsock_connection_new(&config->address, config->timeout_ms, &vsock_stream_events, self, error);
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
    g_queue_clear_full(&self->pending, (GDestroyNotify)vsock_pending_free);
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
        vsock_stream_send_config(self, FALSE);
        ping->head_len = vsock_wire_ping(ping->head, SESSION);
        vsock_connection_send(self->connection, ping);
    } else if (self->host != HOST_ASKED) {
        vsock_stream_send_config(self, vsock_stream_has_capability(self, HELIX_CAP_LONG_CONFIG));
    } else {
        /* Asked already and not answered: one more of the same kind, behind the PING. */
        vsock_stream_send_config(self, FALSE);
    }
    g_mutex_unlock(&self->lock);
}

/* With the lock. A VsockWait, or -1: go on waiting. */
static int wait_state(const VsockStream *self, gboolean ready)
{
    if (self->failed) {
        return VSOCK_WAIT_FAILED;
    }
    return self->flushing ? (int)VSOCK_WAIT_FLUSHING : ready ? (int)VSOCK_WAIT_READY : -1;
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
    VsockPending *pending = g_new0(VsockPending, 1);
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
    request.flags |= by_id && vsock_stream_has_capability(self, HELIX_CAP_EXT) ? HELIX_REQUEST_EXT : 0;
    request.flags |= by_id && vsock_stream_has_capability(self, HELIX_CAP_RELEASE) ? HELIX_REQUEST_RELEASE : 0;
    request.flags |= vsock_stream_has_capability(self, HELIX_CAP_TIMING) ? HELIX_REQUEST_TIMING : 0;
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
        VsockPending *pending = l->data;

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
    } else {
        g_queue_clear(&frames);
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
