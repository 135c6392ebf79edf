/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.c - the frame module as a whole: its settings, its lifetime, the state of VM and GPU. */
#include <stddef.h>

#include "../loop/loop-budget.h"
#include "../protocol/error.h"
#include "../protocol/wire.h"
#include "host-private.h"

/* Idle surfaces kept: a stream in steady state cycles through three, and few streams run at once. */
#define POOL_KEEP 6u

#define IDLE_TIMEOUT_MS 10000u
#define STALL_TIMEOUT_MS 30000u

static gboolean check_limit(const char *name, guint64 value, guint64 min, guint64 max, GError **error)
{
    if (value == 0 || (value >= min && value <= max)) {
        return TRUE;
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID,
                "%s=%" G_GUINT64_FORMAT " is out of range: from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
                ", or 0 for the default",
                name, value, min, max);
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

static void free_surfaces(HelixTask *task)
{
    HelixHost *host = (HelixHost *)(gpointer)((guint8 *)task - offsetof(HelixHost, free_task));

    while (helix_surface_pool_free_piece(host->streams.surface_pool)) {
        if (helix_loop_budget_is_spent()) {
            helix_deferred_add(host->streams.deferred, task);
            return;
        }
    }
}

void helix_host_surface_released(gpointer data)
{
    HelixHost *host = data;

    helix_deferred_add(host->streams.deferred, &host->free_task);
}

/* The last encode thread has ended. No new thread starts without a session. */
static void on_encode_pool_idle(gpointer data)
{
    HelixHost *host = data;

    if (host->retired && !host->sessions) {
        helix_host_free(host);
    }
}

/* Called from the loop, so no function of a session is on the stack. */
static void retire(HelixTask *task)
{
    HelixHost *host = (HelixHost *)(gpointer)((guint8 *)task - offsetof(HelixHost, retire_task));

    while (host->sessions) {
        helix_session_close(host->sessions->data);
        if (helix_loop_budget_is_spent()) {
            break;
        }
    }
    if (host->sessions) {
        helix_deferred_add(host->streams.deferred, task);
    } else if (helix_encode_pool_size(host->streams.encode_pool) == 0) {
        helix_host_free(host);
    }
}

static void on_frame_answered(gpointer data, const HelixFrameRecord *record, guint64 unit_cpu_bytes)
{
    HelixHost *host = data;

    helix_stats_frame(&host->stats, record, unit_cpu_bytes);
    if (host->hooks && host->hooks->frame) {
        host->hooks->frame(host->hooks_data, record);
    }
}

static const HelixSessionSink session_sink = {
    .log = helix_host_log,
    .frame_answered = on_frame_answered,
    .closed = helix_host_session_closed,
};

static guint or_default(guint value, guint fallback)
{
    return value ? value : fallback;
}

static void init_streams(HelixHost *host, const HelixHostConfig *config, const HelixEncoderClass *encoder)
{
    guint64 max_memory = config->max_memory ? config->max_memory : HELIX_DEFAULT_MAX_MEMORY;
    guint max_streams = or_default(config->max_streams, HELIX_DEFAULT_MAX_STREAMS);

    host->streams = (HelixStreamContext){
        .encoder = encoder,
        .hardware_only = config->hardware_only,
        .max_in_flight = or_default(config->max_in_flight, HELIX_DEFAULT_MAX_IN_FLIGHT),
        .max_streams = max_streams,
        .max_encoders = or_default(config->max_encoders, 2 * max_streams),
        .resolver = config->resolver,
        .resolver_data = config->resolver_data,
        .deferred = helix_deferred_ref(config->context),
        .encode_pool = helix_encode_pool_new(config->context),
        .surface_pool = helix_surface_pool_new(POOL_KEEP),
        .running = TRUE,
        .n_cancelled = g_rc_box_new0(guint),
    };
    helix_free_queue_init(&host->streams.free_queue, host->streams.deferred);
    helix_surface_pool_set_limit(host->streams.surface_pool, max_memory);
    helix_encode_pool_set_limit(host->streams.encode_pool, max_memory);
    helix_encode_pool_set_room(host->streams.encode_pool, HELIX_RESPONSE_HEADROOM, HELIX_RESPONSE_TAILROOM,
                               HELIX_MAX_ACCESS_UNIT);
    helix_encode_pool_set_idle(host->streams.encode_pool, on_encode_pool_idle, host);
}

static void init_connections(HelixHost *host, const HelixHostConfig *config)
{
    host->max_connections = or_default(config->max_connections, HELIX_DEFAULT_MAX_CONNECTIONS);
    host->privileged_ports = config->privileged_ports;
    host->idle_timeout = or_default(config->idle_timeout_ms, IDLE_TIMEOUT_MS) * G_TIME_SPAN_MILLISECOND;
    host->session_settings = (HelixSessionSettings){
        .streams = &host->streams,
        .stats = &host->stats,
        .stall_timeout = or_default(config->stall_timeout_ms, STALL_TIMEOUT_MS) * G_TIME_SPAN_MILLISECOND,
        .sink = &session_sink,
        .owner = host,
    };
}

HelixHost *helix_host_new(const HelixHostConfig *config, GError **error)
{
    const HelixEncoderClass *encoder = config->encoder_class;
    HelixHost *host;

    if (!check_limits(config, error)) {
        return NULL;
    }
    if (config->render_node) {
        helix_encoder_set_render_node(config->render_node);
    }
    if (!encoder) {
        encoder = helix_encoder_find(config->encoder, config->hardware_only, error);
    }
    if (!encoder) {
        return NULL;
    }
    host = g_new0(HelixHost, 1);
    host->hooks = config->hooks;
    host->hooks_data = config->hooks_data;
    host->context = config->context ? g_main_context_ref(config->context) : NULL;
    host->free_task.run = free_surfaces;
    host->retire_task.run = retire;
    helix_host_log_init(host);
    init_streams(host, config, encoder);
    init_connections(host, config);
    return host;
}

/* @each may close the session that it is called for, and no other. */
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
    helix_deferred_remove(host->streams.deferred, &host->retire_task);
    helix_encode_pool_free(host->streams.encode_pool);
    if (host->sessions) {
        /* exit() inside a session's callback: that session still uses the host, so the host is leaked on purpose. */
        return;
    }
    if (host->on_gone) {
        host->on_gone(host->on_gone_data);
    }
    helix_free_queue_clear(&host->streams.free_queue);
    helix_deferred_remove(host->streams.deferred, &host->free_task);
    helix_deferred_unref(host->streams.deferred);
    helix_surface_pool_unref(host->streams.surface_pool);
    g_clear_pointer(&host->context, g_main_context_unref);
    g_rc_box_release(host->streams.n_cancelled);
    g_free(host);
}

void helix_host_retire(HelixHost *host, void (*on_gone)(gpointer data), gpointer data)
{
    host->retired = TRUE;
    host->streams.running = FALSE;
    host->on_gone = on_gone;
    host->on_gone_data = data;
    helix_deferred_add(host->streams.deferred, &host->retire_task);
}

void helix_host_set_running(HelixHost *host, gboolean running)
{
    if (host->streams.running == running || host->retired) {
        return;
    }
    host->streams.running = running;
    for (GList *link = host->sessions; link; link = link->next) {
        helix_session_resume(link->data);
    }
}

guint helix_host_n_streams(const HelixHost *host)
{
    return host->streams.n_streams;
}

void helix_host_gpu_reset_begin(HelixHost *host)
{
    host->streams.gpu_generation++;
    host->gpu_lost = TRUE;
}

void helix_host_gpu_reset_end(HelixHost *host)
{
    if (!host->gpu_lost) {
        helix_host_gpu_reset_begin(host);
    }
    host->gpu_lost = FALSE;
    for (GList *link = host->sessions; link; link = link->next) {
        helix_session_reset(link->data);
    }
}

gboolean helix_host_set_encoder(HelixHost *host, const char *name, GError **error)
{
    const HelixEncoderClass *encoder = helix_encoder_find(name, host->streams.hardware_only, error);

    if (encoder) {
        host->streams.encoder = encoder;
    }
    return encoder != NULL;
}

char *helix_host_stats_json(HelixHost *host)
{
    g_autoptr(GArray) infos = g_array_new(FALSE, FALSE, sizeof(HelixStreamInfo));

    host->stats.picture_bytes = helix_surface_pool_bytes(host->streams.surface_pool);
    for (GList *link = host->sessions; link; link = link->next) {
        helix_session_describe(link->data, infos);
    }
    return helix_stats_json(&host->stats, host->streams.encoder->name, g_list_length(host->sessions),
                            (const HelixStreamInfo *)(gpointer)infos->data, infos->len);
}
