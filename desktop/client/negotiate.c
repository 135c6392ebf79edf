/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* negotiate.c - the configuration asked for and in force, and what the host can do. */
#include <string.h>
#include "client.h"

/* A host that does not say how much it takes gets one frame to encode and one to come. */
#define FROZEN_IN_FLIGHT 2u
/* More than this adds latency and holds buffers, but no throughput: the host encodes one at a time. */
#define MAX_IN_FLIGHT 4u

/* ---- asking ---- */

void client_send_config(HelixClient *self)
{
    ClientMessage *message = client_message_new();
    guint32 form = client_wire_config_form(self->negotiation == NEGOTIATION_DONE ? self->host.capabilities : 0);
    gboolean answer = self->negotiation != NEGOTIATION_FROZEN;

    message->head_len = client_wire_config(message->head, CLIENT_SESSION, &self->config, form, answer);
    if (answer) {
        ClientRequest *request = g_new0(ClientRequest, 1);

        request->is_config = TRUE;
        request->config = self->config;
        request->config_serial = self->config_serial;
        client_push_pending(self, request);
    }
    client_connection_send(self->connection, message);
}

void client_negotiate(HelixClient *self)
{
    ClientMessage *ping = client_message_new();

    self->negotiation = NEGOTIATION_ASKED;
    client_send_config(self);
    ping->head_len = client_wire_ping(ping->head, CLIENT_SESSION);
    client_connection_send(self->connection, ping);
}

void helix_client_configure(HelixClient *self, const HelixClientConfig *config)
{
    g_mutex_lock(&self->lock);
    self->config = *config;
    self->config_serial++;
    if (!self->configured) {
        self->configured = TRUE;
        self->negotiate_until_us = g_get_monotonic_time() + HELIX_CLIENT_NEGOTIATE_MS * G_TIME_SPAN_MILLISECOND;
    }
    if (self->disconnected || !self->connection) {
        /* Asked when the connection is there. */
    } else if (self->negotiation == NEGOTIATION_NONE) {
        client_negotiate(self);
    } else {
        /* Asked already and not answered: one more of the same kind, behind the PING. */
        client_send_config(self);
    }
    g_mutex_unlock(&self->lock);
}

/* ---- the host's answer ---- */

/* With the lock. The oldest of what was sent, if that is a configuration. */
static ClientRequest *pop_config(HelixClient *self)
{
    ClientRequest *head = g_queue_peek_head(&self->pending);

    return head && head->is_config ? client_pop_pending(self) : NULL;
}

/* With the lock. */
static void take_config_resp(HelixClient *self, const ClientRequest *request, const HelixClientHost *host, GQueue *gone)
{
    ClientEvent *event = client_event_new(HELIX_CLIENT_EVENT_CONFIGURED);
    gboolean first = self->negotiation == NEGOTIATION_ASKED, more;

    self->negotiation = NEGOTIATION_DONE;
    self->ever_negotiated = TRUE;
    self->host = *host;
    more = first &&
        MIN(client_wire_config_needs(&self->config), client_wire_config_form(host->capabilities)) > HELIX_CONFIG_SIZE;
    event->public.asked = request->config;
    if (more) {
        event->public.asked.tag = 0; /* the rest comes with the longer form */
    } else {
        self->accepted = request->config;
        self->has_accepted = TRUE;
    }
    event->public.host = *host;
    client_push_event(self, event);
    client_log(self, G_LOG_LEVEL_INFO, "host: encoder %s, %ux%u, %u in flight, capabilities 0x%x", host->encoder,
               host->active.width, host->active.height, host->max_in_flight, host->capabilities);
    if (more) {
        client_send_config(self);
    }
    client_snapshots_begin(self->snapshots, self->connection, host->capabilities, gone); /* before frames of them */
    client_pump(self);
    client_want_first(self);
}

GError *client_on_config_resp(HelixClient *self, const guint8 *payload, gsize len)
{
    HelixClientHost host;
    ClientRequest *request;
    GQueue gone = G_QUEUE_INIT;
    GError *error = NULL;

    if (!client_wire_parse_config_resp(payload, len, &host)) {
        return client_protocol_error("CONFIG_RESP is too short");
    }
    g_mutex_lock(&self->lock);
    request = pop_config(self);
    if (request) {
        take_config_resp(self, request, &host, &gone);
    } else if (self->negotiation == NEGOTIATION_DONE) {
        error = client_protocol_error("CONFIG_RESP where a frame's answer was due");
    }
    g_mutex_unlock(&self->lock);
    if (request) {
        client_tell_negotiated(self);
    }
    g_clear_pointer(&request, client_request_free);
    g_queue_clear_full(&gone, (GDestroyNotify)helix_client_frame_unref);
    return error;
}

void client_on_pong(HelixClient *self)
{
    GQueue gone = G_QUEUE_INIT;
    gboolean first;

    g_mutex_lock(&self->lock);
    first = self->negotiation == NEGOTIATION_ASKED;
    if (first) {
        client_log(self, G_LOG_LEVEL_INFO, "host answers PING before CONFIG_REQ: frozen messages only");
        self->negotiation = NEGOTIATION_FROZEN;
        self->ever_negotiated = TRUE;
        memset(&self->host, 0, sizeof(self->host));
        /* Only CONFIG_REQs are out yet, and none of them will be answered. */
        g_queue_clear_full(&self->pending, (GDestroyNotify)client_request_free);
        g_queue_init(&self->pending);
        client_snapshots_begin(self->snapshots, self->connection, 0, &gone);
        client_pump(self);
        client_want_first(self);
    }
    g_mutex_unlock(&self->lock);
    g_queue_clear_full(&gone, (GDestroyNotify)helix_client_frame_unref);
    if (first) {
        client_tell_negotiated(self);
    }
}

/*
 * A change that the host refuses changes nothing, and the stream goes on with what it had. Without it, or where another
 * size or shape or other colours were asked for, there is nothing to go on with.
 */
GError *client_on_config_error(HelixClient *self, gint32 code, char **message)
{
    ClientRequest *request;
    gboolean go_on;

    g_mutex_lock(&self->lock);
    request = pop_config(self);
    go_on = self->has_accepted && code == HELIX_CODE_INVALID && request->config.width == self->accepted.width &&
        request->config.height == self->accepted.height && request->config.letterbox == self->accepted.letterbox &&
        client_wire_vui_equal(&request->config.vui, &self->accepted.vui);
    if (go_on) {
        ClientEvent *event = client_event_new(HELIX_CLIENT_EVENT_CONFIG_REFUSED);

        event->public.asked = request->config;
        event->public.code = code;
        event->public.message = event->message = g_steal_pointer(message);
        client_push_event(self, event);
        /* What a fresh connection asks for; unless another change is under way already. */
        if (self->config_serial == request->config_serial) {
            self->config = self->accepted;
        }
    }
    g_mutex_unlock(&self->lock);
    client_request_free(request);
    if (go_on) {
        return NULL;
    }
    return g_error_new(
        HELIX_CLIENT_ERROR, code == HELIX_CODE_INVALID ? HELIX_CLIENT_ERROR_CONFIG : HELIX_CLIENT_ERROR_REFUSED,
        "The host refuses the stream's settings (error %d): %s", code, **message ? *message : "it does not say why");
}

/* ---- what is known of the host ---- */

guint client_in_flight_limit(const HelixClient *self)
{
    return self->negotiation == NEGOTIATION_DONE ? CLAMP(self->host.max_in_flight, 1, MAX_IN_FLIGHT) : FROZEN_IN_FLIGHT;
}

gboolean client_has_capability(const HelixClient *self, guint32 bit)
{
    return self->negotiation == NEGOTIATION_DONE && (self->host.capabilities & bit);
}

gboolean client_is_negotiated(const HelixClient *self)
{
    return !self->disconnected && (self->negotiation == NEGOTIATION_DONE || self->negotiation == NEGOTIATION_FROZEN);
}

gboolean helix_client_is_negotiated(HelixClient *self)
{
    gboolean negotiated;

    g_mutex_lock(&self->lock);
    negotiated = client_is_negotiated(self);
    g_mutex_unlock(&self->lock);
    return negotiated;
}

gboolean helix_client_get_host(HelixClient *self, HelixClientHost *host)
{
    gboolean ever;

    g_mutex_lock(&self->lock);
    ever = self->ever_negotiated;
    *host = self->host; /* of the last host, while it is disconnected */
    g_mutex_unlock(&self->lock);
    return ever;
}

guint32 helix_client_get_capabilities(HelixClient *self)
{
    guint32 capabilities;

    g_mutex_lock(&self->lock);
    capabilities = self->ever_negotiated ? self->host.capabilities : HELIX_CAP_ALL;
    g_mutex_unlock(&self->lock);
    return capabilities;
}

guint helix_client_get_max_in_flight(HelixClient *self)
{
    guint limit;

    g_mutex_lock(&self->lock);
    limit = client_in_flight_limit(self);
    g_mutex_unlock(&self->lock);
    return limit;
}
