/* SPDX-License-Identifier: GPL-2.0-or-later */
/* surface-pool-private.h - what surface-pool.c, which hands memory out, and surface-free.c, which frees it, share. */
#ifndef HELIX_SURFACE_POOL_PRIVATE_H
#define HELIX_SURFACE_POOL_PRIVATE_H

#include "surface.h"

typedef struct PooledSurface {
    HelixSurface surface; /* first: a HelixSurface of ours is one of these */
    GList link;           /* in one of the pool's queues */
    gsize capacity;
    gsize present; /* bytes from its begin whose pages the system has not got back yet */
    gboolean held; /* counts in held_bytes */
} PooledSurface;

struct HelixSurfacePool {
    gatomicrefcount refs; /* the owner and every surface handed out */
    GMutex lock;          /* what follows */
    GQueue idle;          /* PooledSurface, the longest idle first */
    guint keep;
    guint64 bytes, max_bytes; /* allocated now, idle ones included */
    guint64 held_bytes;       /* of them, handed out for as long as the guest wants: pixels of the wire, snapshots */
    gboolean closed;          /* the owner is gone: keep nothing */
    gboolean trimmed;         /* no surface is being used: keep none either */

    GQueue given_up; /* PooledSurface, to be freed in pieces; no longer in bytes */
    guint64 given_up_bytes;
    GThread *loop_thread; /* frees in pieces only; NULL: no thread does */
    void (*on_given_up)(gpointer data);
    gpointer given_up_data;
};

/* ---- surface-free.c ---- */

/* Free the surfaces of @gone, or have them freed in pieces. Called without the lock. */
void helix_pooled_give_up(HelixSurfacePool *pool, GQueue *gone);
/* The owner has gone: frees what was given up, on a thread if that is much and @loop_thread calls. Takes over the
 * owner's reference. */
void helix_pooled_free_rest(HelixSurfacePool *pool, gboolean loop_thread);
void helix_pooled_unref_pool(HelixSurfacePool *pool);

#endif
