/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.c - the frame module as a whole: settings, connections, statistics. */
#include "error.h"
#include "host-private.h"
#include "session.h"

#define DEFAULT_MAX_IN_FLIGHT 4u
#define DEFAULT_MAX_STREAMS 16u
#define DEFAULT_MAX_CONNECTIONS 64u

#define LOG_BURST 100

/* Idle pictures kept: a stream in steady state uses three in turn, and few streams run at once. */
#define POOL_KEEP 6u
/* Room for five streams of 5K pictures in host memory; a guest that asks for more gets errors, not the host's memory. */
#define POOL_LIMIT (G_GUINT64_CONSTANT(1) << 30)

/* A guest can make lines as fast as it can connect: a burst of them is logged, then one a second. */
static gboolean may_log(HelixHost *host)
{
    gint64 now = g_get_monotonic_time();

    host->log_credit = MIN(host->log_credit + now - host->log_last, LOG_BURST * G_TIME_SPAN_SECOND);
    host->log_last = now;
    if (host->log_credit < G_TIME_SPAN_SECOND) {
        host->log_left_out++;
        return FALSE;
    }
    host->log_credit -= G_TIME_SPAN_SECOND;
    return TRUE;
}

void helix_host_log(HelixHost *host, const char *format, ...)
{
    GString *line;
    va_list args;

    if (!host->hooks || !host->hooks->log || !may_log(host)) {
        return;
    }
    line = g_string_new(NULL);
    va_start(args, format);
    g_string_vprintf(line, format, args);
    va_end(args);
    if (host->log_left_out) {
        g_string_append_printf(line, " (%u lines before this one left out)", host->log_left_out);
        host->log_left_out = 0;
    }
    host->hooks->log(host->hooks_data, line->str);
    g_string_free(line, TRUE);
}

HelixHost *helix_host_new(const HelixHostConfig *config, GError **error)
{
    const HelixEncoderClass *encoder = config->encoder_class;
    HelixHost *host;

    if (!encoder) {
        encoder = helix_encoder_find(config->encoder, config->hardware_only, error);
    }
    if (!encoder) {
        return NULL;
    }
    host = g_new0(HelixHost, 1);
    host->encoder = encoder;
    host->hardware_only = config->hardware_only;
    host->max_in_flight = config->max_in_flight ? config->max_in_flight : DEFAULT_MAX_IN_FLIGHT;
    host->max_streams = config->max_streams ? config->max_streams : DEFAULT_MAX_STREAMS;
    host->max_connections = config->max_connections ? config->max_connections : DEFAULT_MAX_CONNECTIONS;
    host->resolver = config->resolver;
    host->resolver_data = config->resolver_data;
    host->hooks = config->hooks;
    host->hooks_data = config->hooks_data;
    host->crew = helix_crew_new(config->context);
    host->pool = helix_surface_pool_new(POOL_KEEP);
    helix_surface_pool_set_limit(host->pool, POOL_LIMIT);
    host->running = TRUE;
    host->log_credit = LOG_BURST * G_TIME_SPAN_SECOND;
    host->log_last = g_get_monotonic_time();
    return host;
}

void helix_host_free(HelixHost *host)
{
    if (!host) {
        return;
    }
    while (host->sessions) {
        helix_session_close(host->sessions->data);
    }
    helix_crew_free(host->crew);
    helix_surface_pool_unref(host->pool);
    g_free(host);
}

gboolean helix_host_accept(HelixChannel *channel, gpointer data)
{
    HelixHost *host = data;

    if (g_list_length(host->sessions) >= host->max_connections) {
        helix_host_log(host, "%s refused: %u connections are open, the limit", channel->peer, host->max_connections);
        return FALSE;
    }
    helix_session_new(host, channel);
    return TRUE;
}

/* Calls @each, which may end its own session but no other. */
static void for_each_session(HelixHost *host, void (*each)(HelixSession *session))
{
    g_autoptr(GList) sessions = g_list_copy(host->sessions);

    for (GList *link = sessions; link; link = link->next) {
        each(link->data);
    }
}

void helix_host_set_running(HelixHost *host, gboolean running)
{
    if (host->running != running) {
        host->running = running;
        for_each_session(host, helix_session_pump);
    }
}

guint helix_host_n_streams(const HelixHost *host)
{
    return host->n_streams;
}

void helix_host_reset(HelixHost *host)
{
    for_each_session(host, helix_session_reset);
}

gboolean helix_host_set_encoder(HelixHost *host, const char *name, GError **error)
{
    const HelixEncoderClass *encoder = helix_encoder_find(name, host->hardware_only, error);

    if (encoder) {
        host->encoder = encoder;
    }
    return encoder != NULL;
}

char *helix_host_stats_json(HelixHost *host)
{
    g_autoptr(GArray) infos = g_array_new(FALSE, FALSE, sizeof(HelixStreamInfo));

    for (GList *link = host->sessions; link; link = link->next) {
        helix_session_describe(link->data, infos);
    }
    return helix_stats_json(&host->stats, host->encoder->name, g_list_length(host->sessions),
                            (const HelixStreamInfo *)(gpointer)infos->data, infos->len);
}
