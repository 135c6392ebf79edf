/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * repeat-timers.c - screens that stand still: when the host's last frame is wanted again, for a keyframe or as a sign
 * of life, and when the host needs the client's last frame.
 */
#include "client.h"

/*
 * With the lock. A host that has a frame encodes it again, if it can; one that has none, though there was one, is given
 * that again.
 */
static gboolean can_be_wanted(const HelixClient *self)
{
    if (self->failed || self->flushing) {
        return FALSE; /* after a flush the next frame is a keyframe */
    }
    return self->host_has_frame ? client_has_capability(self, HELIX_CAP_REPEAT)
                                : self->needs_initial_frame && client_is_negotiated(self);
}

void client_want_frame(HelixClient *self, guint ms)
{
    if (!self->repeat_due_us && can_be_wanted(self)) {
        self->repeat_due_us = g_get_monotonic_time() + (gint64)ms * 1000;
        client_changed(self);
    }
}

void client_want_first(HelixClient *self)
{
    if (self->needs_initial_frame && !self->host_has_frame) {
        client_want_frame(self, CLIENT_FIRST_FRAME_MS);
    }
}

/*
 * Where no other frame is under way, one that failed for now may be the last for long. A host that has encoded none yet
 * is given it once more, and one that cannot read it in another mode; one that failed in encoding it has it, and is
 * asked to repeat it.
 */
void client_note_outcome(HelixClient *self, const ClientRequest *request, const HelixClientEvent *event)
{
    gboolean transient = event->type == HELIX_CLIENT_EVENT_DROPPED || helix_client_code_is_transient(event->code);
    gboolean other_mode = request->unverified && helix_client_code_is_about_path(event->code);
    gboolean has_none = request->repeat && event->code == HELIX_CODE_NOT_FOUND;

    if (event->type == HELIX_CLIENT_EVENT_ACCESS_UNIT) {
        self->host_has_encoded = TRUE;
    } else if (self->requests_pending > 0) {
        return;
    } else if (other_mode || (!self->host_has_encoded && (has_none || (transient && !request->repeat)))) {
        self->host_has_frame = FALSE;
        self->needs_initial_frame = TRUE;
    } else if (self->host_has_encoded && event->code == HELIX_CODE_ENCODE) {
        self->needs_repeat = !self->held;
    }
}

gint64 client_keepalive_due(const HelixClient *self)
{
    gboolean counts = self->keepalive_ms && self->still_source && self->keepalive_from_us;

    /* A frame under way is younger than its answer, and one that a host has lost it cannot repeat. */
    if (!counts || self->frames_pending > 0 || !self->host_has_frame || !can_be_wanted(self)) {
        return 0;
    }
    return self->keepalive_from_us + (gint64)self->keepalive_ms * 1000;
}

void helix_client_want_frame(HelixClient *self, guint ms)
{
    g_mutex_lock(&self->lock);
    client_want_frame(self, ms);
    g_mutex_unlock(&self->lock);
}

void helix_client_set_keepalive(HelixClient *self, guint ms)
{
    g_mutex_lock(&self->lock);
    self->keepalive_ms = ms;
    client_changed(self);
    g_mutex_unlock(&self->lock);
}

void helix_client_set_still_source(HelixClient *self, gboolean still_source)
{
    g_mutex_lock(&self->lock);
    self->still_source = still_source;
    self->keepalive_from_us = 0;
    client_changed(self);
    g_mutex_unlock(&self->lock);
}

void helix_client_restart_keepalive(HelixClient *self, gboolean from_now)
{
    g_mutex_lock(&self->lock);
    self->keepalive_from_us = from_now ? g_get_monotonic_time() : 0;
    client_changed(self);
    g_mutex_unlock(&self->lock);
}

gboolean helix_client_needs_initial_frame(HelixClient *self)
{
    gboolean needs;

    g_mutex_lock(&self->lock);
    needs = self->needs_initial_frame && !self->host_has_frame && !self->held && client_is_negotiated(self);
    g_mutex_unlock(&self->lock);
    return needs;
}

gboolean helix_client_needs_repeat(HelixClient *self)
{
    gboolean needs;

    g_mutex_lock(&self->lock);
    needs = self->needs_repeat && client_is_negotiated(self);
    g_mutex_unlock(&self->lock);
    return needs;
}
