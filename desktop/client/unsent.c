/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unsent.c - frames that are not sent: the event of each comes in its place, behind those of the frames before it.
 * (A caller may keep other things in order with its frames, as GStreamer's base class does with events.)
 */
#include "client.h"

/*
 * Frames not sent that wait for older ones, at most: without a limit a host that is stuck, with no timeout, would
 * collect them. At a timeout of 10 s a host is given up first, after 60 s, in which a source of 120 frames a second
 * makes 7200. About 1 KiB each.
 */
#define MAX_UNSENT 8192u

/* With the lock. The event of a frame that was not sent and has left its queue. */
static void bring_event(HelixClient *self, ClientRequest *request)
{
    ClientEvent *event = g_steal_pointer(&request->unsent);

    self->n_unsent--;
    event->unsent = request;
    client_push_event(self, event);
}

void client_settle_unsent(HelixClient *self)
{
    for (GList *l = self->pending.head, *next; l; l = next) {
        ClientRequest *request = l->data;

        next = l->next;
        if (request->unsent) {
            g_queue_delete_link(&self->pending, l);
            bring_event(self, request);
        } else if (!request->is_config && !request->discarded) {
            break;
        }
    }
}

/* What the request holds is let go by the thread that frees the event, without the lock. */
void client_give_up(HelixClient *self, ClientRequest *request, HelixClientEventType type)
{
    request->unsent = client_event_for(type, request);
    if (request->path == HELIX_CLIENT_PATH_GUEST_COPY && !request->repeat) {
        client_stats_count(self->stats, CLIENT_COUNT_CPU_BYTES, request->cpu_bytes); /* copied all the same */
    }
    if (++self->n_unsent > MAX_UNSENT) {
        bring_event(self, request);
    } else {
        g_queue_push_tail(self->held ? &self->behind_held : &self->pending, request);
        client_settle_unsent(self);
    }
}

void client_unhold(HelixClient *self)
{
    ClientRequest *request;

    while ((request = g_queue_pop_head(&self->behind_held))) {
        g_queue_push_tail(&self->pending, request);
    }
    client_settle_unsent(self);
}
