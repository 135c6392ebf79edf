/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wait.c - waiting for room and for the end of what is under way; flushing. */
#include "client.h"

/* With the lock. A HelixClientWait, or -1: go on waiting. */
static int wait_state(const HelixClient *self, gboolean ready)
{
    if (self->flushing || self->ended) {
        return HELIX_CLIENT_WAIT_FLUSHING;
    }
    return self->failed ? (int)HELIX_CLIENT_WAIT_FAILED : ready ? (int)HELIX_CLIENT_WAIT_READY : -1;
}

/* With the lock. */
static gboolean may_submit(const HelixClient *self, gboolean live)
{
    if (live) {
        return self->ever_negotiated || self->disconnected || g_get_monotonic_time() >= self->negotiate_until_us;
    }
    return client_has_room(self) && !self->held;
}

HelixClientWait helix_client_wait_room(HelixClient *self, gboolean live)
{
    int state;

    g_mutex_lock(&self->lock);
    while ((state = wait_state(self, may_submit(self, live))) < 0) {
        if (live) {
            g_cond_wait_until(&self->cond, &self->lock, self->negotiate_until_us);
        } else {
            g_cond_wait(&self->cond, &self->lock);
        }
    }
    g_mutex_unlock(&self->lock);
    return state;
}

HelixClientWait helix_client_drain(HelixClient *self, guint ms)
{
    gint64 until = g_get_monotonic_time() + (gint64)ms * 1000;
    int state;

    g_mutex_lock(&self->lock);
    self->n_draining++;
    client_pump(self);
    while ((state = wait_state(self, self->frames_pending + self->events.length + self->events_out == 0)) < 0) {
        if (!ms) {
            g_cond_wait(&self->cond, &self->lock);
        } else if (!g_cond_wait_until(&self->cond, &self->lock, until)) {
            state = HELIX_CLIENT_WAIT_TIMEOUT;
            break;
        }
    }
    self->n_draining--;
    g_mutex_unlock(&self->lock);
    return state;
}

void helix_client_drain_async(HelixClient *self)
{
    g_mutex_lock(&self->lock);
    self->drain_async = TRUE;
    client_pump(self);
    g_mutex_unlock(&self->lock);
}

/* ---- flushing ---- */

void helix_client_set_flushing(HelixClient *self, gboolean flushing)
{
    g_mutex_lock(&self->lock);
    self->flushing = flushing;
    if (flushing) {
        self->drain_async = FALSE;
        self->repeat_due_us = self->keepalive_from_us = 0;
    }
    client_changed(self);
    client_snapshots_set_flushing(self->snapshots, flushing || self->ended);
    g_mutex_unlock(&self->lock);
}

gboolean helix_client_is_flushing(HelixClient *self)
{
    gboolean flushing;

    g_mutex_lock(&self->lock);
    flushing = self->flushing || self->ended;
    g_mutex_unlock(&self->lock);
    return flushing;
}

static gboolean is_of_frames(const ClientEvent *event)
{
    switch (event->public.type) {
    case HELIX_CLIENT_EVENT_CONFIGURED:
    case HELIX_CLIENT_EVENT_CONFIG_REFUSED:
    case HELIX_CLIENT_EVENT_DISCONNECTED:
    case HELIX_CLIENT_EVENT_CONNECTED:
    case HELIX_CLIENT_EVENT_FAILED:
        return FALSE;
    default:
        return TRUE;
    }
}

/* With the lock. Requests under way will bring no events; their data are moved to @data. */
static void discard_pending(HelixClient *self, GQueue *data)
{
    for (GList *l = self->pending.head; l; l = l->next) {
        ClientRequest *request = l->data;

        if (!request->is_config && !request->discarded && !request->unsent) {
            request->discarded = TRUE;
            g_queue_push_tail(data, g_steal_pointer(&request->frame_data));
        }
    }
}

void helix_client_discard(HelixClient *self)
{
    GQueue data = G_QUEUE_INIT, events = G_QUEUE_INIT, kept = G_QUEUE_INIT;
    ClientRequest *held;
    ClientEvent *event;

    g_mutex_lock(&self->lock);
    self->drain_async = FALSE;
    self->repeat_due_us = 0;
    discard_pending(self, &data);
    held = g_steal_pointer(&self->held);
    client_unhold(self); /* all that were not sent are events now */
    if (held) {
        g_queue_push_tail(&data, g_steal_pointer(&held->frame_data));
    }
    self->frames_pending = 0;
    while ((event = g_queue_pop_head(&self->events))) {
        g_queue_push_tail(is_of_frames(event) ? &events : &kept, event);
    }
    self->events = kept;
    client_changed(self);
    g_mutex_unlock(&self->lock);
    g_clear_pointer(&held, client_request_free);
    while ((event = g_queue_pop_head(&events))) {
        client_event_destroy(self, event);
    }
    for (GList *l = data.head; l; l = l->next) {
        if (l->data && self->free_frame_data) {
            self->free_frame_data(l->data);
        }
    }
    g_queue_clear(&data);
}
