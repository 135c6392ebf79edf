/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* session-send.c - the connection, and jobs on their way to the host. The session's thread. */
#include <string.h>
#include "frame.h"
#include "ready.h"
#include "session-private.h"

#define DEFAULT_FPS 60u /* the host's own, where a client names none */

/* ---- the connection ---- */

static void on_log(GLogLevelFlags level, const char *message, gpointer data)
{
    hva_info(data, "%s", message);
}

gboolean hva_session_connect(HvaSession *self, GError **error)
{
    const HvaSettings *settings = &self->driver->settings;
    HelixClient *client;

    if (self->shared) {
        return TRUE;
    }
    client = helix_client_new();
    helix_client_set_vsock_address(client, settings->cid, settings->port);
    helix_client_set_socket_path(client, settings->socket);
    helix_client_set_timeout(client, settings->timeout_ms);
    helix_client_set_reconnect(client, TRUE);
    helix_client_set_log_func(client, on_log, self->driver);
    if (self->driver->gpu) {
        helix_client_avoid(client, settings->avoid);
        helix_client_set_gpu(client, self->driver->gpu);
    }
    helix_client_set_socket(client, hva_ready_take(settings));
    if (!helix_client_connect(client, error)) {
        helix_client_unref(client);
        return FALSE;
    }
    self->shared = client;
    return TRUE;
}

/* The thread takes note of the connection. */
static gboolean connect_host(HvaSession *self)
{
    g_autoptr(GError) error = NULL;

    g_mutex_lock(&self->lock);
    if (hva_session_connect(self, &error)) {
        self->client = helix_client_ref(self->shared);
    }
    g_mutex_unlock(&self->lock);
    if (!self->client) {
        hva_session_fail(self, error);
    }
    return self->client != NULL;
}

void hva_session_disconnect(HvaSession *self)
{
    HelixClient *shared;

    g_mutex_lock(&self->lock);
    shared = g_steal_pointer(&self->shared);
    g_mutex_unlock(&self->lock);
    if (shared) {
        helix_client_close(shared);
        helix_client_unref(shared);
    }
    g_clear_pointer(&self->client, helix_client_unref);
    self->configured = self->ever_negotiated = FALSE;
    self->without_host_us = 0;
}

/* ---- sending ---- */

static void configure(HvaSession *self, const HelixClientConfig *config)
{
    if (self->configured && memcmp(&self->config, config, sizeof(*config)) == 0) {
        return;
    }
    self->config = *config;
    self->configured = TRUE;
    helix_client_configure(self->client, config);
}

static guint64 duration_of(const HelixClientConfig *config)
{
    guint num = config->fps_num ? config->fps_num : DEFAULT_FPS, den = config->fps_num ? config->fps_den : 1;

    return MAX((guint64)den * 1000000000u / num, 1);
}

/* Takes the caller's reference over. */
static void submit(HvaSession *self, HvaJob *job)
{
    g_autoptr(GError) error = NULL;
    HelixClientFrame *frame = hva_frame_new(self->client, job->pixels, &job->rect, &error);
    guint64 duration = duration_of(&job->config);

    if (!frame) {
        hva_error(self->driver, "helix: a picture cannot be encoded: %s", error->message);
        hva_job_finish(job, VA_STATUS_ERROR_ENCODING_ERROR, NULL);
        self->idr_pending |= job->idr;
        hva_job_unref(job);
        return;
    }
    g_queue_push_tail(&self->under_way, job);
    helix_client_submit(self->client, frame, self->pts, duration, job->idr || self->idr_pending, job);
    self->idr_pending = FALSE;
    self->pts += duration;
}

static gboolean has_room(HvaSession *self)
{
    return helix_client_is_negotiated(self->client) &&
        self->under_way.length < helix_client_get_max_in_flight(self->client);
}

void hva_session_submit(HvaSession *self)
{
    while (self->waiting.length > 0) {
        HvaJob *job = g_queue_peek_head(&self->waiting);

        if (!self->client && !connect_host(self)) {
            return;
        }
        configure(self, &job->config);
        if (!has_room(self)) {
            return;
        }
        self->ever_negotiated = TRUE;
        hva_frame_learn(self->driver, self->client);
        g_queue_pop_head(&self->waiting);
        submit(self, job);
    }
}

void hva_session_send_again(HvaSession *self)
{
    HvaJob *job;

    helix_client_discard(self->client);
    while ((job = g_queue_pop_tail(&self->under_way))) {
        g_queue_push_head(&self->waiting, job);
    }
    self->idr_pending = TRUE;
}

/* ---- giving up ---- */

static void fail_queue(GQueue *queue, VAStatus status)
{
    HvaJob *job;

    while ((job = g_queue_pop_head(queue))) {
        hva_job_finish(job, status, NULL);
        hva_job_unref(job);
    }
}

void hva_session_fail_all(HvaSession *self, VAStatus status)
{
    fail_queue(&self->under_way, status);
    fail_queue(&self->waiting, status);
    self->idr_pending = TRUE;
}

void hva_session_give_up_late(HvaSession *self)
{
    gint64 now = g_get_monotonic_time(), limit = (gint64)self->driver->settings.timeout_ms * 1000;
    HvaJob *job = g_queue_peek_head(&self->waiting);

    if (!job || !self->client || helix_client_is_negotiated(self->client)) {
        self->without_host_us = 0;
        return;
    }
    if (self->without_host_us == 0) {
        self->without_host_us = now;
    } else if (now - self->without_host_us > limit) {
        hva_error(self->driver, "helix: there was no host for %u ms; the encode ends.",
                  self->driver->settings.timeout_ms);
        hva_session_disconnect(self);
        hva_session_fail_all(self, VA_STATUS_ERROR_OPERATION_FAILED);
    }
}
