/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.c - the frame module as a whole: settings, connections, statistics. */
#include "../protocol/error.h"
#include "host-private.h"
#include "session.h"
#include "../loop/loop-time.h"

#define LOG_BURST 100

/* Idle pictures kept: a stream in steady state uses three in turn, and few streams run at once. */
#define POOL_KEEP 6u

#define IDLE_TIMEOUT_MS 10000u
#define STALL_TIMEOUT_MS 30000u

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

static gboolean check_limit(const char *name, guint64 value, guint64 least, guint64 most, GError **error)
{
    if (value == 0 || (value >= least && value <= most)) {
        return TRUE;
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID,
                "%s=%" G_GUINT64_FORMAT " is out of range: from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
                ", or 0 for the default",
                name, value, least, most);
    return FALSE;
}

/* The names are those of the properties in QEMU. */
static gboolean check_limits(const HelixHostConfig *config, GError **error)
{
    return check_limit("helix-max-in-flight", config->max_in_flight, 1, 64, error) &&
        check_limit("helix-max-streams", config->max_streams, 1, 256, error) &&
        check_limit("helix-max-connections", config->max_connections, 1, 1024, error) &&
        check_limit("helix-max-encoders", config->max_encoders, 1, 512, error) &&
        check_limit("helix-max-memory", config->max_memory, G_GUINT64_CONSTANT(1) << 20, G_GUINT64_CONSTANT(1) << 36,
                    error);
}

/* To give the pages of a large one back takes the system half a millisecond. */
static void bury(HelixTask *task)
{
    HelixHost *host = (HelixHost *)(gpointer)((guint8 *)task - offsetof(HelixHost, bury));

    while (host->remains.length > 0) {
        g_byte_array_unref(g_queue_pop_head(&host->remains));
        if (helix_loop_budget_is_spent()) {
            helix_deferred_add(host->deferred, task);
            return;
        }
    }
}

static void free_pictures(HelixTask *task)
{
    HelixHost *host = (HelixHost *)(gpointer)((guint8 *)task - offsetof(HelixHost, free_task));

    while (helix_surface_pool_free_piece(host->pool)) {
        if (helix_loop_budget_is_spent()) {
            helix_deferred_add(host->deferred, task);
            return;
        }
    }
}

static void pictures_given_up(gpointer data)
{
    HelixHost *host = data;

    helix_deferred_add(host->deferred, &host->free_task);
}

/* The last thread of the crew has ended; once sessions are closed there are no new ones. */
static void crew_is_idle(gpointer data)
{
    HelixHost *host = data;

    if (host->retired && !host->sessions) {
        helix_host_free(host);
    }
}

HelixHost *helix_host_new(const HelixHostConfig *config, GError **error)
{
    const HelixEncoderClass *encoder = config->encoder_class;
    HelixHost *host;

    if (!check_limits(config, error)) {
        return NULL;
    }
    if (!encoder) {
        encoder = helix_encoder_find(config->encoder, config->hardware_only, error);
    }
    if (!encoder) {
        return NULL;
    }
    host = g_new0(HelixHost, 1);
    host->encoder = encoder;
    host->hardware_only = config->hardware_only;
    host->max_in_flight = config->max_in_flight ? config->max_in_flight : HELIX_DEFAULT_MAX_IN_FLIGHT;
    host->max_streams = config->max_streams ? config->max_streams : HELIX_DEFAULT_MAX_STREAMS;
    host->max_connections = config->max_connections ? config->max_connections : HELIX_DEFAULT_MAX_CONNECTIONS;
    host->max_encoders = config->max_encoders ? config->max_encoders : 2 * host->max_streams;
    host->privileged_ports = config->privileged_ports;
    host->idle_timeout = (config->idle_timeout_ms ? config->idle_timeout_ms : IDLE_TIMEOUT_MS) *
        G_TIME_SPAN_MILLISECOND;
    host->stall_timeout = (config->stall_timeout_ms ? config->stall_timeout_ms : STALL_TIMEOUT_MS) *
        G_TIME_SPAN_MILLISECOND;
    host->resolver = config->resolver;
    host->resolver_data = config->resolver_data;
    host->hooks = config->hooks;
    host->hooks_data = config->hooks_data;
    host->context = config->context ? g_main_context_ref(config->context) : NULL;
    host->deferred = helix_deferred_ref(config->context);
    host->encode_pool = helix_encode_pool_new(config->context);
    helix_encode_pool_set_idle(host->encode_pool, crew_is_idle, host);
    host->pool = helix_surface_pool_new(POOL_KEEP);
    host->free_task.run = free_pictures;
    helix_surface_pool_set_limit(host->pool, config->max_memory ? config->max_memory : HELIX_DEFAULT_MAX_MEMORY);
    helix_encode_pool_set_limit(host->encode_pool, config->max_memory ? config->max_memory : HELIX_DEFAULT_MAX_MEMORY);
    helix_encode_pool_set_room(host->encode_pool, HELIX_RESPONSE_HEADROOM, HELIX_RESPONSE_TAILROOM,
                               HELIX_MAX_ACCESS_UNIT);
    g_queue_init(&host->remains);
    host->bury.run = bury;
    host->unwanted = g_rc_box_new0(guint);
    host->running = TRUE;
    host->log_credit = LOG_BURST * G_TIME_SPAN_SECOND;
    host->log_last = g_get_monotonic_time();
    return host;
}

/* Calls @each, which may end its own session but no other. */
static void for_each_session(HelixHost *host, void (*each)(HelixSession *session))
{
    g_autoptr(GList) sessions = g_list_copy(host->sessions);

    for (GList *link = sessions; link; link = link->next) {
        each(link->data);
    }
}

void helix_host_free(HelixHost *host)
{
    if (!host) {
        return;
    }
    for_each_session(host, helix_session_close);
    helix_deferred_remove(host->deferred, &host->retire);
    helix_encode_pool_free(host->encode_pool);
    if (host->sessions) {
        return; /* called from inside of one, at the program's exit: it finds its host, and nothing runs again */
    }
    if (host->gone) {
        host->gone(host->gone_data);
    }
    g_queue_clear_full(&host->remains, (GDestroyNotify)g_byte_array_unref);
    helix_deferred_remove(host->deferred, &host->bury);
    helix_deferred_remove(host->deferred, &host->free_task);
    helix_deferred_unref(host->deferred);
    helix_surface_pool_unref(host->pool);
    g_clear_pointer(&host->context, g_main_context_unref);
    g_rc_box_release(host->unwanted);
    g_free(host);
}

/* No session is on the stack here, as there may be where the host was retired. */
static void retire(HelixTask *task)
{
    HelixHost *host = (HelixHost *)(gpointer)((guint8 *)task - offsetof(HelixHost, retire));

    while (host->sessions) {
        helix_session_close(host->sessions->data);
        if (helix_loop_budget_is_spent()) {
            break;
        }
    }
    if (host->sessions) {
        helix_deferred_add(host->deferred, task);
    } else if (helix_encode_pool_size(host->encode_pool) == 0) {
        helix_host_free(host);
    }
}

void helix_host_retire(HelixHost *host, void (*gone)(gpointer data), gpointer data)
{
    host->retired = TRUE;
    host->running = FALSE;
    host->gone = gone;
    host->gone_data = data;
    host->retire.run = retire;
    helix_deferred_add(host->deferred, &host->retire);
}

/* Looks a few times in each stall_timeout, while there are connections. Ends none from here. */
static gboolean look_for_stalls(gpointer data)
{
    HelixHost *host = data;
    HELIX_LOOP_SCOPE;

    for (GList *link = host->running ? host->sessions : NULL; link; link = link->next) {
        helix_session_check_stall(link->data);
    }
    return G_SOURCE_CONTINUE;
}

static void start_clock(HelixHost *host)
{
    if (!host->clock) {
        host->clock = g_timeout_source_new((guint)(host->stall_timeout / G_TIME_SPAN_MILLISECOND / 4) + 1);
        g_source_set_callback(host->clock, look_for_stalls, host, NULL);
        g_source_attach(host->clock, host->context);
    }
}

void helix_host_forget(HelixHost *host, GList *link)
{
    host->sessions = g_list_delete_link(host->sessions, link);
    if (!host->sessions && host->clock) {
        g_source_destroy(host->clock);
        g_clear_pointer(&host->clock, g_source_unref);
    }
}

static guint count_sessions(const HelixHost *host, gboolean permitted)
{
    guint n = 0;

    for (GList *link = host->sessions; link; link = link->next) {
        n += helix_session_is_permitted(link->data) == permitted;
    }
    return n;
}

/* The connection that has had nothing to do for longest gives way, if that is long enough. */
static void make_room(HelixHost *host)
{
    gint64 oldest = g_get_monotonic_time() - host->idle_timeout;
    HelixSession *idle = NULL;

    for (GList *link = host->sessions; link; link = link->next) {
        gint64 since = helix_session_idle_since(link->data);

        if (since && since <= oldest && helix_session_is_permitted(link->data)) {
            oldest = since;
            idle = link->data;
        }
    }
    if (idle) {
        helix_session_close(idle);
    }
}

gboolean helix_host_accept(HelixChannel *channel, gpointer data)
{
    HelixHost *host = data;
    gboolean permitted = !host->privileged_ports || channel->peer_port < HELIX_PRIVILEGED_PORTS;
    guint most = permitted ? host->max_connections : HELIX_MAX_NOT_PERMITTED;

    if (host->retired) {
        return FALSE;
    }
    if (permitted && count_sessions(host, TRUE) >= most) {
        make_room(host);
    }
    if (count_sessions(host, permitted) >= most) {
        helix_host_log(host, "%s refused: %u connections%s are open, the limit", channel->peer, most,
                       permitted ? "" : " that are not permitted");
        return FALSE;
    }
    helix_surface_pool_free_later(host->pool, pictures_given_up, host);
    helix_session_new(host, channel);
    start_clock(host);
    return TRUE;
}

void helix_host_set_running(HelixHost *host, gboolean running)
{
    if (host->running == running || host->retired) {
        return;
    }
    host->running = running;
    for (GList *link = host->sessions; link; link = link->next) {
        helix_session_resume(link->data);
    }
}

guint helix_host_n_streams(const HelixHost *host)
{
    return host->n_streams;
}

void helix_host_lose_gpu(HelixHost *host)
{
    host->gpu++;
    host->gpu_lost = TRUE;
}

void helix_host_reset(HelixHost *host)
{
    if (!host->gpu_lost) {
        helix_host_lose_gpu(host);
    }
    host->gpu_lost = FALSE;
    for (GList *link = host->sessions; link; link = link->next) {
        helix_session_reset(link->data);
    }
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

    host->stats.picture_bytes = helix_surface_pool_bytes(host->pool);
    for (GList *link = host->sessions; link; link = link->next) {
        helix_session_describe(link->data, infos);
    }
    return helix_stats_json(&host->stats, host->encoder->name, g_list_length(host->sessions),
                            (const HelixStreamInfo *)(gpointer)infos->data, infos->len);
}
