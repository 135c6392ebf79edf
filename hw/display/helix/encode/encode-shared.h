/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encode-shared.h - what encode-pool.c, encode-thread.c and encode-picture.c share: a pool, a thread, a job, and how
 * jobs and threads come back to the main loop. Private to these files.
 */
#ifndef HELIX_ENCODE_SHARED_H
#define HELIX_ENCODE_SHARED_H

#include "configured-encoder.h"
#include "encode-result.h"
#include "pre-convert.h"

typedef struct HelixEncodePool HelixEncodePool;
typedef struct HelixEncodeThread HelixEncodeThread;

typedef enum HelixJobKind { HELIX_JOB_ENCODE, HELIX_JOB_CONFIGURE, HELIX_JOB_END } HelixJobKind;

/* Goes to the thread as an order and comes back with its result. */
typedef struct HelixJob {
    HelixEncodeThread *thread;
    HelixJobKind kind;
    gpointer tag;
    HelixSurface *surface;
    HelixPreConvert *pre_convert; /* the surface's conversion, begun already; or NULL */
    gboolean force_idr;
    HelixConfigRequest request;
    HelixEncodeResult result;
} HelixJob;

struct HelixEncodePool {
    GSource *source;
    GMainContext *context;
    GAsyncQueue *results; /* HelixJob; filled by the threads */
    GList *threads;       /* HelixEncodeThread */
    void (*idle)(gpointer data);
    gpointer idle_data;
    gsize headroom, tailroom, max_unit; /* see helix_encode_pool_set_room() */

    /* Used by the threads too. */
    HelixEncodeBudget budget;
    GMutex lock;    /* of ended */
    GThread *ended; /* the last thread that came to its end; the next one joins it, or helix_encode_pool_free() */
};

struct HelixEncodeThread {
    HelixEncodePool *pool; /* outlives the thread */

    /* Main loop. */
    GThread *handle;
    HelixEncodeDone done;
    gpointer owner; /* NULL: retired */

    /* Main loop and thread. */
    GMutex lock; /* of what follows up to busy_height */
    GCond arrived;
    GQueue jobs;                     /* HelixJob */
    guint32 busy_width, busy_height; /* coded size, while an encoder that wants NV12 is at work; else 0 */
    HelixSurfacePool *converted;
    gint retired;  /* atomic */
    gint want_idr; /* atomic */

    /* Thread. */
    HelixConfiguredEncoder encoder;
};

/* Returns @job to the main loop; from its thread. After the job of the thread's end the thread's struct may be freed.
 */
void helix_encode_post(HelixEncodePool *pool, HelixJob *job);
/* Joins the thread that ended before this one; the last thing that a thread does before it posts its end. */
void helix_encode_join_last(HelixEncodePool *pool, GThread *self);

#endif
