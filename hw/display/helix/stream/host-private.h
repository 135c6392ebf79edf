/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host-private.h - what a host's sessions and streams share. Main loop only. */
#ifndef HELIX_HOST_PRIVATE_H
#define HELIX_HOST_PRIVATE_H

#include "host.h"
#include "../loop/deferred.h"
#include "stats.h"
#include "../encode/encode-pool.h"
#include "../encode/encode-thread.h"

struct HelixHost {
    const HelixEncoderClass *encoder;
    gboolean hardware_only;
    guint max_in_flight, max_streams, max_connections, max_encoders;
    gboolean privileged_ports;
    gint64 idle_timeout, stall_timeout; /* us */
    const HelixResolver *resolver;
    gpointer resolver_data;
    const HelixHostHooks *hooks;
    gpointer hooks_data;

    HelixDeferredQueue *deferred; /* of its context */
    HelixEncodePool *encode_pool;
    HelixSurfacePool *pool; /* of every picture in host memory */
    HelixTask free_task;    /* frees what the main loop's thread has let go of it */
    GList *sessions;
    GQueue remains; /* GByteArray, of 16 MiB at most: answers whose session is gone */
    HelixTask bury; /* frees them */
    GMainContext *context;
    GSource *clock; /* looks for stalled sessions; NULL: there are none at all */
    guint n_streams;
    guint *unwanted; /* look-ups under way of streams that have ended; g_rc_box, as look-ups may outlive the host */
    gboolean running;
    guint64 gpu;       /* counts resets: a request of another one's than its own names nothing */
    gboolean gpu_lost; /* helix_host_lose_gpu() came, helix_host_reset() not yet */
    gboolean retired;
    HelixTask retire; /* closes what is left */
    void (*gone)(gpointer data);
    gpointer gone_data;
    gint64 log_credit; /* us: lines that may be logged at once */
    gint64 log_last;   /* g_get_monotonic_time() of the last try */
    guint log_left_out;
    HelixStats stats;
};

static inline gint64 helix_now_ns(void)
{
    return g_get_monotonic_time() * 1000;
}

void helix_host_log(HelixHost *host, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The session at @link of host->sessions is gone. */
void helix_host_forget(HelixHost *host, GList *link);

#endif
