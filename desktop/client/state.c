/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state.c - what the caller is told of the connection. On the connection's thread, without the lock. */
#include "client.h"

GError *client_protocol_error(const char *what)
{
    return g_error_new(HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_PROTOCOL,
                       "The host's answer cannot be right: %s. Host and guest may be of versions that do not fit.",
                       what);
}

/* With the lock, where there is no function to be called. Takes @error over. */
static void push_state(HelixClient *self, HelixClientState state, GError *error)
{
    static const HelixClientEventType types[] = {
        [HELIX_CLIENT_DISCONNECTED] = HELIX_CLIENT_EVENT_DISCONNECTED,
        [HELIX_CLIENT_CONNECTED] = HELIX_CLIENT_EVENT_CONNECTED,
        [HELIX_CLIENT_FAILED] = HELIX_CLIENT_EVENT_FAILED,
    };
    ClientEvent *event = client_event_new(types[state]);

    event->public.error = event->error = error;
    client_push_event(self, event);
}

void client_tell_state(HelixClient *self, HelixClientState state, GError *error)
{
    if (self->state_func) {
        self->state_func(self, state, error, self->state_data);
        g_clear_error(&error);
    } else {
        g_mutex_lock(&self->lock);
        push_state(self, state, error);
        g_mutex_unlock(&self->lock);
    }
}

/*
 * The caller is told before anything that waits is woken: what is woken reports an error of its own, which says nothing
 * of the cause.
 */
void client_fail(HelixClient *self, GError *error)
{
    GQueue frames = G_QUEUE_INIT;
    gboolean first;

    g_mutex_lock(&self->lock);
    first = !self->failed; /* no other thread sets it */
    g_mutex_unlock(&self->lock);
    if (first && self->state_func) {
        self->state_func(self, HELIX_CLIENT_FAILED, error, self->state_data);
    }
    g_mutex_lock(&self->lock);
    self->failed = TRUE;
    self->repeat_due_us = 0;
    if (first && !self->state_func) {
        push_state(self, HELIX_CLIENT_FAILED, g_steal_pointer(&error));
    }
    client_changed(self);
    g_mutex_unlock(&self->lock);
    client_snapshots_end(self->snapshots, &frames);
    g_queue_clear_full(&frames, (GDestroyNotify)helix_client_frame_unref);
    g_clear_error(&error);
}

/* Not as soon as a connection is made: that may be a proxy's, which closes it again. */
void client_tell_negotiated(HelixClient *self)
{
    gboolean tell;

    client_connection_reset_backoff(self->connection);
    g_mutex_lock(&self->lock);
    tell = self->reported_disconnected && !self->failed;
    self->reported_disconnected = FALSE;
    g_mutex_unlock(&self->lock);
    if (tell) {
        client_tell_state(self, HELIX_CLIENT_CONNECTED, NULL);
    }
}
