/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* event-queue.c - events in order, and those that time alone brings; the descriptor that says when there is one. */
#include <sys/timerfd.h>
#include "client.h"

/* ---- when there is one ---- */

/* With the lock. */
static gboolean is_drained(const HelixClient *self)
{
    return self->drain_async && (self->failed || self->frames_pending == 0);
}

/* With the lock. When the next event is due (g_get_monotonic_time()); 1: now, 0: nobody knows. */
static gint64 next_due(const HelixClient *self)
{
    gint64 keepalive = client_keepalive_due(self);

    if (self->flushing || self->ended) {
        return 0;
    }
    if (self->events.length || is_drained(self)) {
        return 1;
    }
    return self->repeat_due_us && keepalive ? MIN(self->repeat_due_us, keepalive) : self->repeat_due_us + keepalive;
}

/* With the lock. */
static void arm_descriptor(const HelixClient *self)
{
    gint64 due = next_due(self);
    struct itimerspec when = {
        .it_value = { .tv_sec = due / G_USEC_PER_SEC, .tv_nsec = due % G_USEC_PER_SEC * 1000 },
    };

    /* A time that has passed makes it readable at once, 0 never. */
    if (timerfd_settime(self->fd, TFD_TIMER_ABSTIME, &when, NULL) != 0) {
        g_warn_if_reached();
    }
}

void client_changed(HelixClient *self)
{
    g_cond_broadcast(&self->cond);
    if (self->fd >= 0) {
        arm_descriptor(self);
    }
}

int helix_client_get_fd(HelixClient *self)
{
    int fd;

    g_mutex_lock(&self->lock);
    if (self->fd < 0) {
        self->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        client_changed(self);
    }
    fd = self->fd;
    g_mutex_unlock(&self->lock);
    return fd;
}

/* ---- making them ---- */

ClientEvent *client_event_new(HelixClientEventType type)
{
    ClientEvent *event = g_new0(ClientEvent, 1);

    event->public.type = type;
    event->public.resolve_us = event->public.wait_us = event->public.encode_us = -1;
    return event;
}

ClientEvent *client_event_for(HelixClientEventType type, ClientRequest *request)
{
    ClientEvent *event;

    if (request->discarded) {
        return NULL;
    }
    event = client_event_new(type);
    event->public.frame_data = g_steal_pointer(&request->frame_data);
    event->public.pts = (guint64)request->wire.pts;
    event->public.was_forced = request->wire.force_keyframe;
    event->public.was_repeat = request->repeat || request->again;
    event->public.unverified = request->unverified;
    event->public.width = request->wire.width;
    event->public.height = request->wire.height;
    return event;
}

void client_push_event(HelixClient *self, ClientEvent *event)
{
    g_queue_push_tail(&self->events, event);
    client_changed(self);
}

gboolean client_event_is_of_frame(const ClientEvent *event)
{
    HelixClientEventType type = event->public.type;

    return type == HELIX_CLIENT_EVENT_ACCESS_UNIT || type == HELIX_CLIENT_EVENT_DROPPED ||
        type == HELIX_CLIENT_EVENT_ERROR;
}

/* With the lock. What time alone brings, or NULL. */
static ClientEvent *own_event(HelixClient *self)
{
    gint64 now = g_get_monotonic_time(), keepalive = client_keepalive_due(self);

    if (self->repeat_due_us && now >= self->repeat_due_us) {
        self->repeat_due_us = 0;
        return client_event_new(HELIX_CLIENT_EVENT_REPEAT);
    }
    if (keepalive && now >= keepalive && !self->drain_async) {
        self->keepalive_from_us = 0;
        return client_event_new(HELIX_CLIENT_EVENT_KEEPALIVE);
    }
    if (is_drained(self)) {
        self->drain_async = FALSE;
        return client_event_new(HELIX_CLIENT_EVENT_DRAINED);
    }
    return NULL;
}

/* ---- counting them ---- */

static void count_lost_frame(HelixClient *self, const HelixClientEvent *event, ClientCounter why)
{
    if (!event->was_repeat) {
        client_stats_count(self->stats, CLIENT_COUNT_DROPPED, 1);
        client_stats_count(self->stats, why, why == CLIENT_COUNT_DROPPED ? 0 : 1);
    }
}

static void count(HelixClient *self, const HelixClientEvent *event)
{
    switch (event->type) {
    case HELIX_CLIENT_EVENT_ACCESS_UNIT:
        client_stats_count(self->stats, CLIENT_COUNT_FRAMES, 1);
        client_stats_count(self->stats, CLIENT_COUNT_KEYFRAMES, event->keyframe ? 1 : 0);
        client_stats_count(self->stats, CLIENT_COUNT_BITSTREAM_BYTES, g_bytes_get_size(event->unit));
        break;
    case HELIX_CLIENT_EVENT_DROPPED:
    case HELIX_CLIENT_EVENT_GIVEN_UP:
        count_lost_frame(self, event, CLIENT_COUNT_DROPPED);
        break;
    case HELIX_CLIENT_EVENT_ERROR:
        count_lost_frame(self, event, CLIENT_COUNT_ERRORS);
        break;
    case HELIX_CLIENT_EVENT_SKIPPED:
        count_lost_frame(self, event, CLIENT_COUNT_SKIPPED);
        break;
    case HELIX_CLIENT_EVENT_LATE:
        count_lost_frame(self, event, CLIENT_COUNT_LATE);
        break;
    case HELIX_CLIENT_EVENT_LOST:
        count_lost_frame(self, event, CLIENT_COUNT_LOST);
        break;
    default:
        break;
    }
}

/* ---- giving them to the caller, and taking them back ---- */

/* With the lock. The next event, now the caller's, or NULL. */
static ClientEvent *take(HelixClient *self)
{
    ClientEvent *event;

    if (self->flushing || self->ended) {
        return NULL;
    }
    event = g_queue_pop_head(&self->events);
    event = event ? event : own_event(self);
    if (event) {
        event->client = helix_client_ref(self);
        self->events_out++;
        self->frame_events_out += client_event_is_of_frame(event) ? 1 : 0;
        count(self, &event->public);
    }
    return event;
}

HelixClientEvent *helix_client_next_event(HelixClient *self)
{
    ClientEvent *event;

    g_mutex_lock(&self->lock);
    event = take(self);
    if (self->fd >= 0) {
        arm_descriptor(self);
    }
    g_mutex_unlock(&self->lock);
    return event ? &event->public : NULL;
}

HelixClientEvent *helix_client_wait_event(HelixClient *self)
{
    ClientEvent *event;

    g_mutex_lock(&self->lock);
    while (!(event = take(self)) && !self->flushing && !self->ended) {
        gint64 until = next_due(self);

        if (until) {
            g_cond_wait_until(&self->cond, &self->lock, until);
        } else {
            g_cond_wait(&self->cond, &self->lock);
        }
    }
    if (self->fd >= 0) {
        arm_descriptor(self);
    }
    g_mutex_unlock(&self->lock);
    return event ? &event->public : NULL;
}

void client_event_destroy(HelixClient *self, ClientEvent *event)
{
    if (event->public.frame_data && self->free_frame_data) {
        self->free_frame_data(event->public.frame_data);
    }
    g_clear_pointer(&event->public.unit, g_bytes_unref);
    g_clear_pointer(&event->unsent, client_request_free);
    g_free(event->message);
    g_clear_error(&event->error);
    g_free(event);
}

void helix_client_event_free(HelixClientEvent *public)
{
    ClientEvent *event = (ClientEvent *)public;
    HelixClient *self = event->client;
    gboolean of_frame = client_event_is_of_frame(event);

    client_event_destroy(self, event);
    g_mutex_lock(&self->lock);
    self->events_out--;
    self->frame_events_out -= of_frame ? 1 : 0;
    client_pump(self);
    g_mutex_unlock(&self->lock);
    helix_client_unref(self);
}

gpointer helix_client_event_steal_frame_data(HelixClientEvent *event)
{
    return g_steal_pointer(&event->frame_data);
}

gpointer helix_client_event_take_back(HelixClientEvent *event)
{
    ClientStats *stats = ((ClientEvent *)event)->client->stats;

    if (event->type == HELIX_CLIENT_EVENT_ERROR && !event->was_repeat) {
        client_stats_uncount(stats, CLIENT_COUNT_DROPPED);
        client_stats_uncount(stats, CLIENT_COUNT_ERRORS);
    }
    return g_steal_pointer(&event->frame_data);
}

guint helix_client_dispatch(HelixClient *self, HelixClientEventFunc func, gpointer data)
{
    HelixClientEvent *event;
    guint n = 0;

    for (; (event = helix_client_next_event(self)); n++) {
        func(self, event, data);
    }
    return n;
}

/* ---- what an error says ---- */

gboolean helix_client_code_is_about_path(gint32 code)
{
    return code == HELIX_CODE_NOT_FOUND || code == HELIX_CODE_NOT_READABLE || code == HELIX_CODE_NO_IOSURFACE ||
        code == HELIX_CODE_GEOMETRY;
}

gboolean helix_client_code_is_transient(gint32 code)
{
    return code == HELIX_CODE_BUSY || code == HELIX_CODE_ENCODE;
}

gboolean helix_client_event_refuses_copy_mode(const HelixClientEvent *event)
{
    return event->type == HELIX_CLIENT_EVENT_ERROR && event->unverified && helix_client_code_is_about_path(event->code);
}
