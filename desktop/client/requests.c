/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* requests.c - a stream's pictures on their way to the host: sent, or the newest of them held until there is room. */
#include "stream-private.h"

#define GST_CAT_DEFAULT vsockenc_debug

/*
 * Pictures given up that wait for older ones, at most: without a limit a host that is stuck with timeout=0 would
 * collect them. At the default timeout a host is given up first, after 60 s, in which a source of 120 pictures a second
 * makes 7200. About 1 KiB each.
 */
#define MAX_GIVEN_UP 8192u

void vsock_pending_free(VsockPending *pending)
{
    g_clear_pointer(&pending->given_up, vsock_answer_free);
    gst_clear_buffer(&pending->buffer);
    g_clear_pointer(&pending->outgoing, vsock_outgoing_free);
    g_free(pending);
}

/* What is said of a picture on the wire, and how its bytes go there. Takes @picture over. */
static VsockPending *pending_new(VsockPicture *picture, gpointer frame)
{
    VsockPending *pending = g_new0(VsockPending, 1);
    VsockOutgoing *outgoing = vsock_outgoing_new();

    pending->frame = frame;
    pending->outgoing = outgoing;
    pending->queued_us = outgoing->queued_us;
    pending->repeat = picture == NULL;
    if (!picture) {
        pending->request.flags = HELIX_REQUEST_REPEAT;
        pending->request.fourcc = HELIX_FORMAT_XR24;
        return pending;
    }
    pending->request = (VsockRequest){
        .flags = picture->path == VSOCK_PATH_PIXEL_DATA ? HELIX_REQUEST_PIXEL_DATA : 0,
        .resource_id = picture->resource_id,
        .width = picture->width,
        .height = picture->height,
        .fourcc = picture->fourcc,
        .stride = picture->stride,
        .source = picture->source,
        .planes = picture->planes,
        .crop_x = picture->crop_x,
        .crop_y = picture->crop_y,
        .res_width = picture->res_width,
        .res_height = picture->res_height,
        .offset = { picture->offset[0], picture->offset[1] },
        .stride_of = { picture->stride_of[0], picture->stride_of[1] },
        .modifier = picture->modifier,
    };
    pending->buffer = picture->buffer ? gst_buffer_ref(picture->buffer) : NULL;
    pending->path = picture->path;
    pending->needs = vsock_picture_needs(picture);
    pending->trial = pending->unjudged = picture->trial;
    pending->way = picture->way;
    pending->again = picture->again;
    pending->drawn = picture->drawn;
    pending->cpu_bytes = picture->cpu_bytes;
    pending->pixel_bytes = picture->pixel_bytes;
    outgoing->fence_fd = picture->fence_fd;
    outgoing->owner = picture;
    outgoing->release = (GDestroyNotify)vsock_picture_free;
    for (guint i = 0; i < picture->n_parts; i++) {
        outgoing->part[i].data = picture->part[i].data;
        outgoing->part[i].len = picture->part[i].len;
    }
    outgoing->n_parts = picture->n_parts;
    return pending;
}

/* With the lock. */
static void send_request(VsockStream *self, VsockPending *pending)
{
    VsockOutgoing *outgoing = g_steal_pointer(&pending->outgoing);
    VsockRequest *request = &pending->request;
    gboolean by_id = !(request->flags & (HELIX_REQUEST_PIXEL_DATA | HELIX_REQUEST_REPEAT));

    request->flags |= by_id && vsock_stream_has_capability(self, HELIX_CAP_EXT) ? HELIX_REQUEST_EXT : 0;
    request->flags |= by_id && vsock_stream_has_capability(self, HELIX_CAP_RELEASE) ? HELIX_REQUEST_RELEASE : 0;
    request->flags |= vsock_stream_has_capability(self, HELIX_CAP_TIMING) ? HELIX_REQUEST_TIMING : 0;
    outgoing->head_len = vsock_wire_request(outgoing->head, VSOCK_SESSION, request, (guint32)pending->pixel_bytes);
    vsock_stream_push_pending(self, pending);
    self->requests_pending++;
    if (!self->had_picture) {
        self->repeat_us = 0; /* the first on a connection is a keyframe, */
        /* and may have been held since before it. After pixels no way is left. */
        pending->trial |= self->owes_first && pending->path != VSOCK_PATH_PIXEL_DATA;
        pending->unjudged |= self->owes_first && pending->path == VSOCK_PATH_GUEST_COPY;
    }
    self->had_picture = TRUE;
    if (pending->repeat) {
        vsock_stats_count(self->stats, VSOCK_COUNT_REPEATS, 1);
    } else {
        vsock_stats_path(self->stats, pending->path);
        vsock_stats_count(self->stats, VSOCK_COUNT_DRAWN, pending->drawn ? 1 : 0);
        vsock_stats_count(self->stats, VSOCK_COUNT_CPU_BYTES, pending->cpu_bytes);
        vsock_stats_count(self->stats, VSOCK_COUNT_PIXEL_BYTES, pending->pixel_bytes);
    }
    vsock_connection_send(self->connection, outgoing);
}

/* With the lock. Answer for a picture that was given up and has left its queue. */
static void answer_given_up(VsockStream *self, VsockPending *pending)
{
    VsockAnswer *answer = g_steal_pointer(&pending->given_up);

    self->n_given_up--;
    answer->unsent = pending;
    g_queue_push_tail(&self->answers, answer);
    g_cond_broadcast(&self->cond);
}

void vsock_stream_settle(VsockStream *self)
{
    for (GList *l = self->pending.head, *next; l; l = next) {
        VsockPending *pending = l->data;

        next = l->next;
        if (pending->given_up) {
            g_queue_delete_link(&self->pending, l);
            answer_given_up(self, pending);
        } else if (!pending->is_config && !pending->discarded) {
            break;
        }
    }
}

/*
 * With the lock. @pending, in no queue, is not sent. Its answer keeps its place: the base class pushes the events of
 * all frames up to one that it drops. What it holds is let go by the thread that takes the answer, without the lock.
 */
static void give_up(VsockStream *self, VsockPending *pending, VsockAnswerKind kind)
{
    pending->given_up = vsock_answer_new(kind, pending);
    if (pending->path == VSOCK_PATH_GUEST_COPY && !pending->repeat) {
        vsock_stats_count(self->stats, VSOCK_COUNT_CPU_BYTES, pending->cpu_bytes); /* copied all the same */
    }
    if (++self->n_given_up > MAX_GIVEN_UP) {
        answer_given_up(self, pending);
    } else {
        g_queue_push_tail(self->held ? &self->behind_held : &self->pending, pending);
        vsock_stream_settle(self);
    }
}

void vsock_stream_unhold(VsockStream *self)
{
    VsockPending *pending;

    while ((pending = g_queue_pop_head(&self->behind_held))) {
        g_queue_push_tail(&self->pending, pending);
    }
    vsock_stream_settle(self);
}

/* With the lock. What is held is not sent. What it holds alive is moved to @buffer and @outgoing, to be freed without
 * the lock. */
static void give_up_held(VsockStream *self, VsockAnswerKind kind, GstBuffer **buffer, VsockOutgoing **outgoing)
{
    VsockPending *held = g_steal_pointer(&self->held);

    self->frames_pending--;
    *buffer = g_steal_pointer(&held->buffer);
    *outgoing = g_steal_pointer(&held->outgoing);
    give_up(self, held, kind);
    vsock_stream_unhold(self);
}

/* With the lock. Is @pending one that this host can be asked for? A host that came back may know less. */
static gboolean can_send(const VsockStream *self, const VsockPending *pending)
{
    guint32 capabilities = self->host == HOST_NEW ? self->agreement.capabilities : 0;

    if (pending->repeat) {
        return self->had_picture && vsock_stream_has_capability(self, HELIX_CAP_REPEAT);
    }
    return (pending->needs & ~capabilities) == 0;
}

void vsock_stream_pump(VsockStream *self)
{
    if (self->held && vsock_stream_has_room(self)) {
        VsockPending *pending = g_steal_pointer(&self->held);

        if (can_send(self, pending)) {
            send_request(self, pending);
        } else {
            /* Made for a host that can do more than the one that came. */
            self->owes_first |= !pending->repeat && !self->had_picture;
            self->frames_pending--;
            give_up(self, pending, VSOCK_ANSWER_SKIPPED);
        }
        vsock_stream_unhold(self);
    } else if (self->held && self->away && (self->drain_later || self->draining)) {
        /* Nobody knows when a host comes, and the end of the stream or its new format wait behind this picture. */
        VsockPending *held = g_steal_pointer(&self->held);

        self->frames_pending--;
        give_up(self, held, VSOCK_ANSWER_LOST);
        vsock_stream_unhold(self);
    }
    g_cond_broadcast(&self->cond);
}

void vsock_stream_submit(VsockStream *self, VsockPicture *picture, gpointer frame, GstClockTime pts,
                         GstClockTime duration, gboolean force_keyframe)
{
    VsockPending *pending = pending_new(picture, frame);
    VsockOutgoing *outgoing = NULL;
    GstBuffer *buffer = NULL;

    pending->request.pts = (gint64)pts;
    pending->request.duration = GST_CLOCK_TIME_IS_VALID(duration) ? (gint64)duration : 0;
    g_mutex_lock(&self->lock);
    pending->request.force_keyframe = force_keyframe || (self->held && self->held->request.force_keyframe);
    if (pending->request.force_keyframe) {
        self->repeat_us = 0;
    }
    if (self->held) {
        /* Its keyframe goes with the newer picture. */
        self->held->request.force_keyframe = FALSE;
        give_up_held(self, VSOCK_ANSWER_SKIPPED, &buffer, &outgoing);
    }
    self->frames_pending++;
    self->given_us = g_get_monotonic_time();
    self->held = pending;
    self->owes_last = FALSE;
    vsock_stream_pump(self);
    g_mutex_unlock(&self->lock);
    /* Not when the answer is taken: downstream may keep that waiting, and upstream wants its buffers. */
    gst_clear_buffer(&buffer);
    g_clear_pointer(&outgoing, vsock_outgoing_free);
}

void vsock_stream_skip_held(VsockStream *self)
{
    VsockOutgoing *outgoing = NULL;
    GstBuffer *buffer = NULL;

    g_mutex_lock(&self->lock);
    if (self->held) {
        give_up_held(self, VSOCK_ANSWER_SKIPPED, &buffer, &outgoing);
    }
    g_mutex_unlock(&self->lock);
    gst_clear_buffer(&buffer);
    g_clear_pointer(&outgoing, vsock_outgoing_free);
}

void vsock_stream_give_up(VsockStream *self, gpointer frame, VsockAnswerKind kind)
{
    VsockPending *pending = g_new0(VsockPending, 1);

    pending->frame = frame;
    g_mutex_lock(&self->lock);
    give_up(self, pending, kind);
    g_mutex_unlock(&self->lock);
}

gboolean vsock_stream_key_held(VsockStream *self)
{
    gboolean held;

    g_mutex_lock(&self->lock);
    held = self->held && !self->held->repeat;
    if (held) {
        self->held->request.force_keyframe = TRUE;
    }
    g_mutex_unlock(&self->lock);
    return held;
}

/* A host that has a picture encodes it again, if it can; one that has none, though there was one, is given that again.
 */
static gboolean can_be_wanted(const VsockStream *self)
{
    if (self->failed || self->flushing) {
        return FALSE; /* after a flush the next picture is a keyframe */
    }
    return self->had_picture ? vsock_stream_has_capability(self, HELIX_CAP_REPEAT)
                             : self->owes_first && vsock_stream_has_agreed(self);
}

void vsock_stream_want(VsockStream *self, guint ms)
{
    if (!self->repeat_us && can_be_wanted(self)) {
        self->repeat_us = g_get_monotonic_time() + (gint64)ms * 1000;
        g_cond_broadcast(&self->cond);
    }
}

void vsock_stream_want_picture(VsockStream *self, guint ms)
{
    g_mutex_lock(&self->lock);
    vsock_stream_want(self, ms);
    g_mutex_unlock(&self->lock);
}

void vsock_stream_set_keepalive(VsockStream *self, guint ms)
{
    g_mutex_lock(&self->lock);
    self->keepalive_ms = ms;
    g_cond_broadcast(&self->cond);
    g_mutex_unlock(&self->lock);
}

void vsock_stream_set_still(VsockStream *self, gboolean may_stand_still)
{
    g_mutex_lock(&self->lock);
    self->may_stand_still = may_stand_still;
    self->given_us = 0;
    g_mutex_unlock(&self->lock);
}

void vsock_stream_count_keepalive(VsockStream *self, gboolean again)
{
    g_mutex_lock(&self->lock);
    self->given_us = again ? g_get_monotonic_time() : 0;
    g_cond_broadcast(&self->cond);
    g_mutex_unlock(&self->lock);
}

gint64 vsock_stream_keepalive_due(const VsockStream *self)
{
    gboolean counts = self->keepalive_ms && self->may_stand_still && self->given_us;

    /* A picture under way is younger than its answer, and one that a host has lost it cannot repeat. */
    if (!counts || self->frames_pending > 0 || !self->had_picture || !can_be_wanted(self)) {
        return 0;
    }
    return self->given_us + (gint64)self->keepalive_ms * 1000;
}

gboolean vsock_stream_wants_first(VsockStream *self)
{
    gboolean wants;

    g_mutex_lock(&self->lock);
    wants = self->owes_first && !self->had_picture && !self->held && vsock_stream_has_agreed(self);
    g_mutex_unlock(&self->lock);
    return wants;
}

gboolean vsock_stream_wants_last(VsockStream *self)
{
    gboolean wants;

    g_mutex_lock(&self->lock);
    wants = self->owes_last && vsock_stream_has_agreed(self);
    g_mutex_unlock(&self->lock);
    return wants;
}
