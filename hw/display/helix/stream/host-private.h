/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host-private.h - what the files of a host share: host.c is its settings and life cycle, host-connections.c its
 * connections, host-log.c its log. Main loop only.
 */
#ifndef HELIX_HOST_PRIVATE_H
#define HELIX_HOST_PRIVATE_H

#include "host.h"
#include "session.h"
#include "stats.h"
#include "stream-context.h"

struct HelixHost {
    HelixStreamContext streams;
    HelixSessionSettings session_settings;
    HelixStats stats;
    const HelixHostHooks *hooks;
    gpointer hooks_data;
    GMainContext *context;

    /* Connections. */
    GList *sessions; /* HelixSession, the newest first */
    guint max_connections;
    gboolean privileged_ports;
    gint64 idle_timeout;  /* us */
    GSource *stall_timer; /* NULL: there are no connections */

    HelixTask free_task; /* frees surfaces that the main loop has given up */
    gboolean gpu_lost;   /* helix_host_lose_gpu() came, helix_host_reset() not yet */
    gboolean retired;
    HelixTask retire_task; /* closes the connections that are left */
    void (*gone)(gpointer data);
    gpointer gone_data;

    /* The log. */
    gint64 log_credit; /* us: lines that may be logged at once */
    gint64 log_last;   /* g_get_monotonic_time() of the last try */
    guint log_left_out;
};

/* ---- host-log.c ---- */

void helix_host_log_init(HelixHost *host);
/* @host is a HelixHost. */
void helix_host_log(gpointer host, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* ---- host-connections.c ---- */

void helix_host_session_closed(gpointer host, HelixSession *session);
/* A surface of the pool was given up: free it in later iterations of the loop. */
void helix_host_surface_given_up(gpointer host);

#endif
