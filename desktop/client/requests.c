/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* requests.c - frames for the host: sent, or the newest of them held until there is room. */
#include "client.h"

void client_request_free(ClientRequest *request)
{
    if (request->unsent) {
        g_free(request->unsent); /* nothing was moved into it but frame_data, which discard() has */
    }
    g_clear_pointer(&request->frame, helix_client_frame_unref);
    g_clear_pointer(&request->message, client_message_free);
    g_free(request);
}

/* ---- what is under way ---- */

void client_push_pending(HelixClient *self, ClientRequest *request)
{
    if (g_queue_is_empty(&self->pending)) {
        self->progress_us = g_get_monotonic_time();
    }
    g_queue_push_tail(&self->pending, request);
}

ClientRequest *client_pop_pending(HelixClient *self)
{
    ClientRequest *request = g_queue_pop_head(&self->pending);

    self->progress_us = g_get_monotonic_time();
    if (request && !request->is_config) {
        self->requests_pending--;
        self->frames_pending -= request->discarded ? 0 : 1;
    }
    return request;
}

/* Events that the caller has not freed keep their places: or they would grow in number here. */
gboolean client_has_room(const HelixClient *self)
{
    guint under_way = self->requests_pending + self->frame_events_out;

    for (const GList *l = self->events.head; l; l = l->next) {
        under_way += client_event_is_of_frame(l->data) ? 1 : 0;
    }
    return client_is_negotiated(self) && under_way < client_in_flight_limit(self);
}

/* ---- making requests ---- */

/* What is said of a frame on the wire, and how its bytes go there. Takes @frame over; NULL: a repeat. */
static ClientRequest *request_new(HelixClientFrame *frame, gpointer frame_data)
{
    ClientRequest *request = g_new0(ClientRequest, 1);
    ClientMessage *message = client_message_new();

    request->frame_data = frame_data;
    request->message = message;
    request->queued_us = message->queued_us;
    request->repeat = frame == NULL;
    if (!frame) {
        request->wire.flags = HELIX_REQUEST_REPEAT;
        request->wire.fourcc = HELIX_FORMAT_XR24;
        return request;
    }
    client_frame_to_wire(frame, &request->wire);
    request->wire.flags = frame->snapshot             ? HELIX_REQUEST_SNAPSHOT
        : frame->path == HELIX_CLIENT_PATH_PIXEL_DATA ? HELIX_REQUEST_PIXEL_DATA
                                                      : 0;
    request->frame = frame->path == HELIX_CLIENT_PATH_PIXEL_DATA ? NULL : helix_client_frame_ref(frame);
    request->path = frame->path;
    request->needs = helix_client_frame_get_required(frame);
    request->unverified = frame->unverified;
    request->probing = frame->unverified || frame->snapshot;
    request->mode = frame->mode;
    request->again = frame->again;
    request->drawn = frame->drawn;
    request->cpu_bytes = frame->cpu_bytes;
    request->pixel_bytes = frame->pixel_bytes;
    message->fence_fd = frame->fence_fd;
    message->owner = frame;
    message->release = (GDestroyNotify)helix_client_frame_unref;
    for (guint i = 0; i < frame->n_parts; i++) {
        message->part[i].data = frame->part[i].data;
        message->part[i].len = frame->part[i].len;
    }
    message->n_parts = frame->n_parts;
    return request;
}

/* ---- sending ---- */

static void count_sent(HelixClient *self, const ClientRequest *request)
{
    if (request->repeat) {
        client_stats_count(self->stats, CLIENT_COUNT_REPEATS, 1);
        return;
    }
    client_stats_path(self->stats, request->path);
    client_stats_count(self->stats, CLIENT_COUNT_DRAWN, request->drawn ? 1 : 0);
    client_stats_count(self->stats, CLIENT_COUNT_CPU_BYTES, request->cpu_bytes);
    client_stats_count(self->stats, CLIENT_COUNT_PIXEL_BYTES, request->pixel_bytes);
}

/* With the lock. */
static void send_request(HelixClient *self, ClientRequest *request)
{
    ClientMessage *message = g_steal_pointer(&request->message);
    ClientWireRequest *wire = &request->wire;
    gboolean snapshot = (wire->flags & HELIX_REQUEST_SNAPSHOT) != 0;
    gboolean by_id = !(wire->flags & (HELIX_REQUEST_PIXEL_DATA | HELIX_REQUEST_REPEAT));

    wire->flags |= by_id && client_has_capability(self, HELIX_CAP_EXT) ? HELIX_REQUEST_EXT : 0;
    wire->flags |= by_id && !snapshot && client_has_capability(self, HELIX_CAP_RELEASE) ? HELIX_REQUEST_RELEASE : 0;
    wire->flags |= client_has_capability(self, HELIX_CAP_TIMING) ? HELIX_REQUEST_TIMING : 0;
    message->head_len = client_wire_request(message->head, CLIENT_SESSION, wire, (guint32)request->pixel_bytes);
    client_push_pending(self, request);
    self->requests_pending++;
    if (!self->host_has_frame) {
        self->repeat_due_us = 0; /* the first on a connection is a keyframe, */
        /* and may have been held since before it. After pixels no path is left. */
        request->probing |= self->needs_initial_frame && request->path != HELIX_CLIENT_PATH_PIXEL_DATA;
        request->unverified |= self->needs_initial_frame && request->path == HELIX_CLIENT_PATH_GUEST_COPY;
    }
    self->host_has_frame = TRUE;
    count_sent(self, request);
    client_connection_send(self->connection, message);
}

static gboolean has_snapshot_in_state(const ClientRequest *request, HelixClientSnapshotState state)
{
    HelixClientSnapshot *snapshot = request->frame ? request->frame->snapshot : NULL;

    return snapshot && helix_client_snapshot_wait(snapshot, 0) == state;
}

/* With the lock. Is @request one that this host can be asked for? A host that came back may know less. */
static gboolean can_send(const HelixClient *self, const ClientRequest *request)
{
    guint32 capabilities = self->negotiation == NEGOTIATION_DONE ? self->host.capabilities : 0;

    if (request->repeat) {
        return self->host_has_frame && client_has_capability(self, HELIX_CAP_REPEAT);
    }
    return (request->needs & ~capabilities) == 0 && !has_snapshot_in_state(request, HELIX_CLIENT_SNAPSHOT_REFUSED);
}

/* With the lock. What is held is LOST. */
static void lose_held(HelixClient *self)
{
    ClientRequest *held = g_steal_pointer(&self->held);

    self->frames_pending--;
    client_give_up(self, held, HELIX_CLIENT_EVENT_LOST);
    client_unhold(self);
}

void client_pump(HelixClient *self)
{
    gboolean snapshot_lost = self->held && has_snapshot_in_state(self->held, HELIX_CLIENT_SNAPSHOT_LOST);

    if (self->held && !snapshot_lost && client_has_room(self)) {
        ClientRequest *request = g_steal_pointer(&self->held);

        if (can_send(self, request)) {
            send_request(self, request);
        } else {
            /* Made for a host that can do more than the one that came. */
            self->needs_initial_frame |= !request->repeat && !self->host_has_frame;
            self->frames_pending--;
            client_give_up(self, request, HELIX_CLIENT_EVENT_SKIPPED);
        }
        client_unhold(self);
    } else if (snapshot_lost || (self->held && self->disconnected && (self->drain_async || self->n_draining))) {
        /* It is not known when a host comes, and the end of the stream or its new format wait behind this frame. */
        lose_held(self);
    }
    client_changed(self);
}

/* ---- submitting ---- */

/* With the lock. What is held is not sent. What it holds alive is moved to @frame and @message, to be freed without the
 * lock. */
static void give_up_held(HelixClient *self, HelixClientFrame **frame, ClientMessage **message)
{
    ClientRequest *held = g_steal_pointer(&self->held);

    self->frames_pending--;
    *frame = g_steal_pointer(&held->frame);
    *message = g_steal_pointer(&held->message);
    client_give_up(self, held, HELIX_CLIENT_EVENT_SKIPPED);
    client_unhold(self);
}

static void submit(HelixClient *self, ClientRequest *request, guint64 pts, guint64 duration, gboolean force_keyframe)
{
    ClientMessage *message = NULL;
    HelixClientFrame *frame = NULL;

    request->wire.pts = (gint64)pts;
    request->wire.duration = duration == HELIX_CLIENT_TIME_NONE ? 0 : (gint64)duration;
    g_mutex_lock(&self->lock);
    request->wire.force_keyframe = force_keyframe || self->force_next ||
        (self->held && self->held->wire.force_keyframe);
    self->force_next = FALSE;
    if (request->wire.force_keyframe) {
        self->repeat_due_us = 0;
    }
    if (self->held) {
        /* Its keyframe goes with the newer frame. */
        self->held->wire.force_keyframe = FALSE;
        give_up_held(self, &frame, &message);
    }
    self->frames_pending++;
    self->keepalive_from_us = g_get_monotonic_time();
    self->held = request;
    self->needs_repeat = FALSE;
    client_pump(self);
    g_mutex_unlock(&self->lock);
    /* Not when the event is taken: that may be late, and the caller wants its buffers. */
    g_clear_pointer(&frame, helix_client_frame_unref);
    g_clear_pointer(&message, client_message_free);
}

void helix_client_submit(HelixClient *self, HelixClientFrame *frame, guint64 pts, guint64 duration,
                         gboolean force_keyframe, gpointer frame_data)
{
    submit(self, request_new(frame, frame_data), pts, duration, force_keyframe);
}

void helix_client_submit_repeat(HelixClient *self, guint64 pts, guint64 duration, gboolean force_keyframe,
                                gpointer frame_data)
{
    submit(self, request_new(NULL, frame_data), pts, duration, force_keyframe);
}

void helix_client_submit_nothing(HelixClient *self, HelixClientEventType type, gpointer frame_data)
{
    ClientRequest *request = g_new0(ClientRequest, 1);

    request->frame_data = frame_data;
    g_mutex_lock(&self->lock);
    client_give_up(self, request, type);
    client_changed(self);
    g_mutex_unlock(&self->lock);
}

void helix_client_skip_held(HelixClient *self)
{
    ClientMessage *message = NULL;
    HelixClientFrame *frame = NULL;

    g_mutex_lock(&self->lock);
    if (self->held) {
        give_up_held(self, &frame, &message);
    }
    g_mutex_unlock(&self->lock);
    g_clear_pointer(&frame, helix_client_frame_unref);
    g_clear_pointer(&message, client_message_free);
}

gboolean helix_client_force_keyframe(HelixClient *self)
{
    gboolean held;

    g_mutex_lock(&self->lock);
    held = self->held && !self->held->repeat;
    if (held) {
        self->held->wire.force_keyframe = TRUE;
    } else {
        self->force_next = TRUE;
    }
    g_mutex_unlock(&self->lock);
    return held;
}
