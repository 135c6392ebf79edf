/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host-connections.c - the connections of a host: limits, closing idle ones for new ones, stalls. */
#include "../loop/loop-budget.h"
#include "host-private.h"

/* Called four times per stall_timeout while there are connections. It closes none itself: that is deferred. */
static gboolean look_for_stalls(gpointer data)
{
    HelixHost *host = data;
    HELIX_LOOP_SCOPE;

    for (GList *link = host->streams.running ? host->sessions : NULL; link; link = link->next) {
        helix_session_check_stall(link->data);
    }
    return G_SOURCE_CONTINUE;
}

static void start_stall_timer(HelixHost *host)
{
    if (!host->stall_timer) {
        host->stall_timer = g_timeout_source_new(
            (guint)(host->session_settings.stall_timeout / G_TIME_SPAN_MILLISECOND / 4) + 1);
        g_source_set_callback(host->stall_timer, look_for_stalls, host, NULL);
        g_source_attach(host->stall_timer, host->context);
    }
}

void helix_host_session_closed(gpointer data, HelixSession *session)
{
    HelixHost *host = data;

    host->sessions = g_list_remove(host->sessions, session);
    if (!host->sessions && host->stall_timer) {
        g_source_destroy(host->stall_timer);
        g_clear_pointer(&host->stall_timer, g_source_unref);
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

/* Close the connection that has been idle longest, if that is idle_timeout or more. */
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
    helix_surface_pool_free_later(host->streams.surface_pool, helix_host_surface_released, host);
    host->sessions = g_list_prepend(host->sessions, helix_session_new(&host->session_settings, channel, permitted));
    start_stall_timer(host);
    return TRUE;
}
