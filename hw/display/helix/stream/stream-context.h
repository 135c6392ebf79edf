/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream-context.h - what the streams of one host share: settings and limits, pools, the state of VM and GPU.
 *
 * The host owns it and changes it; it outlives sessions and streams. Main loop only.
 */
#ifndef HELIX_STREAM_CONTEXT_H
#define HELIX_STREAM_CONTEXT_H

#include "../encode/encode-pool.h"
#include "../encode/encoder.h"
#include "../frame/resolver.h"
#include "../loop/deferred.h"
#include "../loop/free-queue.h"

typedef struct HelixStreamContext {
    const HelixEncoderClass *encoder; /* of streams that begin from now on */
    gboolean hardware_only;
    guint max_in_flight; /* requests of one stream */
    guint max_streams;   /* of all connections */
    guint max_encoders;  /* encode threads, those of ended streams included */
    const HelixResolver *resolver;
    gpointer resolver_data;

    HelixDeferredQueue *deferred;
    HelixEncodePool *encode_pool;
    HelixSurfacePool *surface_pool; /* of every picture in host memory */
    HelixFreeQueue free_queue;      /* answers, of 16 MiB at most, that are not sent */

    gboolean running;       /* FALSE while the VM is stopped: no look-up begins */
    guint64 gpu_generation; /* counts resets: a request of an earlier generation names nothing */
    guint n_streams;
    guint *n_cancelled; /* look-ups under way whose stream has ended or was reset; g_rc_box, as they may outlive the
                           host */
} HelixStreamContext;

#endif
