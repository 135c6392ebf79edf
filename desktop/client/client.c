/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client.c - a client's life: settings, connecting, closing. */
#include <stdarg.h>
#include <unistd.h>
#include "client.h"

#define DEFAULT_TIMEOUT_MS 10000

G_DEFINE_QUARK(helix - client - error - quark, helix_client_error)

G_STATIC_ASSERT((int)HELIX_CLIENT_CAP_SNAPSHOT == (int)HELIX_CAP_SNAPSHOT);
G_STATIC_ASSERT(HELIX_CLIENT_MAX_SNAPSHOTS == HELIX_MAX_SNAPSHOTS);
G_STATIC_ASSERT((int)HELIX_CLIENT_RATE_CQP == (int)HELIX_RATE_CQP);
G_STATIC_ASSERT(HELIX_CLIENT_DEFAULT_PORT == HELIX_WIRE_DEFAULT_PORT);
G_STATIC_ASSERT(HELIX_CLIENT_FORMAT_NV12 == HELIX_FORMAT_NV12);
G_STATIC_ASSERT(sizeof(((HelixClientHost *)NULL)->encoder) == HELIX_CONFIG_RESP_ENCODER_SIZE + 1);

HelixClient *helix_client_new(void)
{
    HelixClient *self = g_new0(HelixClient, 1);

    self->refs = 1;
    self->cid = HELIX_CLIENT_HOST_CID;
    self->port = HELIX_CLIENT_DEFAULT_PORT;
    self->timeout_ms = DEFAULT_TIMEOUT_MS;
    self->fd = self->socket = -1;
    self->disconnected = TRUE;
    self->stats = client_stats_new();
    self->snapshots = client_snapshots_new();
    g_mutex_init(&self->lock);
    g_cond_init(&self->cond);
    g_queue_init(&self->pending);
    g_queue_init(&self->behind_held);
    g_queue_init(&self->events);
    return self;
}

HelixClient *helix_client_ref(HelixClient *self)
{
    g_atomic_int_inc(&self->refs);
    return self;
}

void helix_client_unref(HelixClient *self)
{
    if (!g_atomic_int_dec_and_test(&self->refs)) {
        return;
    }
    helix_client_close(self);
    for (ClientEvent *event; (event = g_queue_pop_head(&self->events));) {
        client_event_destroy(self, event);
    }
    if (self->fd >= 0) {
        close(self->fd);
    }
    helix_client_set_socket(self, -1);
    g_clear_pointer(&self->copier, client_copier_free);
    g_clear_pointer(&self->gpu, helix_client_gpu_unref);
    client_stats_free(self->stats);
    client_snapshots_unref(self->snapshots);
    g_free(self->socket_path);
    g_free(self->avoid);
    g_cond_clear(&self->cond);
    g_mutex_clear(&self->lock);
    g_free(self);
}

/* ---- settings ---- */

void helix_client_set_vsock_address(HelixClient *self, guint cid, guint port)
{
    self->cid = cid;
    self->port = port;
}

void helix_client_set_socket_path(HelixClient *self, const char *path)
{
    g_free(self->socket_path);
    self->socket_path = g_strdup(path);
}

void helix_client_set_socket(HelixClient *self, int fd)
{
    if (self->socket >= 0) {
        close(self->socket);
    }
    self->socket = fd;
}

void helix_client_set_timeout(HelixClient *self, guint timeout_ms)
{
    self->timeout_ms = timeout_ms;
}

void helix_client_set_reconnect(HelixClient *self, gboolean reconnect)
{
    self->reconnect = reconnect;
}

void helix_client_set_frame_data_free(HelixClient *self, GDestroyNotify free_frame_data)
{
    self->free_frame_data = free_frame_data;
}

void helix_client_set_gpu(HelixClient *self, HelixClientGpu *gpu)
{
    g_return_if_fail(!self->gpu);
    self->gpu = helix_client_gpu_ref(gpu);
    self->copier = client_copier_new(gpu, self->avoid);
}

void helix_client_avoid(HelixClient *self, const char *modes)
{
    g_return_if_fail(!self->gpu);
    g_free(self->avoid);
    self->avoid = g_strdup(modes);
}

void helix_client_set_state_func(HelixClient *self, HelixClientStateFunc func, gpointer data)
{
    self->state_func = func;
    self->state_data = data;
}

void helix_client_set_log_func(HelixClient *self, HelixClientLogFunc func, gpointer data)
{
    self->log_func = func;
    self->log_data = data;
}

void client_log(HelixClient *self, GLogLevelFlags level, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list list;

    va_start(list, format);
    text = g_strdup_vprintf(format, list);
    va_end(list);
    if (self->log_func) {
        self->log_func(level, text, self->log_data);
    } else {
        g_log("helix-client", level, "%s", text);
    }
}

/* ---- connecting and closing ---- */

static ClientAddress address_of(const HelixClient *self)
{
    return (ClientAddress){ .socket_path = self->socket_path, .cid = self->cid, .port = self->port };
}

int helix_client_open_socket(HelixClient *self, GError **error)
{
    ClientAddress address = address_of(self);
    g_autofree char *name = client_address_name(&address);
    gboolean connecting;
    int code;

    return client_connect(&address, name, &connecting, &code, error);
}

gboolean helix_client_connect(HelixClient *self, GError **error)
{
    ClientAddress address = address_of(self);
    int fd = self->socket;

    g_return_val_if_fail(!self->connection, FALSE);
    self->disconnected = FALSE;
    self->socket = -1;
    if (!client_connection_open(&self->connection, &address, fd, self->timeout_ms, self->reconnect,
                                &client_connection_events, self, error)) {
        g_mutex_lock(&self->lock);
        self->disconnected = TRUE; /* nothing may be sent */
        g_mutex_unlock(&self->lock);
        return FALSE;
    }
    g_mutex_lock(&self->lock);
    if (self->configured && !self->disconnected && self->negotiation == NEGOTIATION_NONE) {
        client_negotiate(self);
    }
    g_mutex_unlock(&self->lock);
    return TRUE;
}

void helix_client_shutdown(HelixClient *self)
{
    g_mutex_lock(&self->lock);
    self->ended = TRUE;
    client_changed(self);
    g_mutex_unlock(&self->lock);
    client_snapshots_set_flushing(self->snapshots, TRUE);
}

void helix_client_close(HelixClient *self)
{
    GQueue pending = G_QUEUE_INIT, frames = G_QUEUE_INIT;

    g_mutex_lock(&self->lock);
    self->ended = TRUE;
    self->disconnected = TRUE; /* other references send nothing */
    client_changed(self);
    g_mutex_unlock(&self->lock);
    client_snapshots_end(self->snapshots, &frames);
    if (self->connection) {
        client_connection_free(self->connection); /* its thread uses the pointer until then */
        self->connection = NULL;
    }
    helix_client_discard(self);
    g_mutex_lock(&self->lock);
    pending = self->pending;
    g_queue_init(&self->pending);
    self->requests_pending = 0;
    g_mutex_unlock(&self->lock);
    g_queue_clear_full(&pending, (GDestroyNotify)client_request_free);
    g_queue_clear_full(&frames, (GDestroyNotify)helix_client_frame_unref);
    if (self->gpu) {
        helix_client_gpu_forget(self->gpu);
    }
}

/* ---- statistics ---- */

void helix_client_get_stats(HelixClient *self, HelixClientStats *stats)
{
    client_stats_read(self->stats, stats);
}

void helix_client_add_cpu_bytes(HelixClient *self, guint64 bytes)
{
    client_stats_count(self->stats, CLIENT_COUNT_CPU_BYTES, bytes);
}
