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
    GList *sessions; /* HelixSession, newest first */
    guint max_connections;
    gboolean privileged_ports;
    gint64 idle_timeout;  /* us */
    GSource *stall_timer; /* NULL: there are no connections */

    HelixTask free_task; /* frees surfaces that the main loop has released */
    gboolean gpu_lost;   /* between helix_host_gpu_reset_begin() and _end() */
    gboolean retired;
    HelixTask retire_task; /* closes the connections that are left */
    void (*on_gone)(gpointer data);
    gpointer on_gone_data;

    /* The log. */
    gint64 log_credit; /* token bucket, in us: a line costs a second */
    gint64 log_last;   /* g_get_monotonic_time() of the last line that was to be logged */
    guint log_suppressed;
};

/* ---- host-log.c ---- */

void helix_host_log_init(HelixHost *host);
/* @host is a HelixHost. */
void helix_host_log(gpointer host, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* ---- host.c ---- */

/* A surface of the pool was released: free it in later iterations of the loop. */
void helix_host_surface_released(gpointer host);

/* ---- host-connections.c ---- */

void helix_host_session_closed(gpointer host, HelixSession *session);

#endif
