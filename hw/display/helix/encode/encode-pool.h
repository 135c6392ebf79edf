/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encode-pool.h - the encode threads of one host: their common limits, and the queue in which their results come back.
 *
 * A GSource of the pool's context empties that queue. The main loop never waits for a thread: a retired one ends by
 * itself, however long its encoder takes, and the next thread that ends joins it. Only helix_encode_pool_free() waits.
 * All functions: on the thread that runs the context.
 */
#ifndef HELIX_ENCODE_POOL_H
#define HELIX_ENCODE_POOL_H

#include <glib.h>

typedef struct HelixEncodePool HelixEncodePool;

/* @context: NULL is the default one. */
HelixEncodePool *helix_encode_pool_new(GMainContext *context);
/* Open encoders keep at most @max_bytes together, by their memory(); one more fails. Before the first thread; without
 * it there is no limit. */
void helix_encode_pool_set_limit(HelixEncodePool *pool, guint64 max_bytes);
/*
 * Access units come with @headroom bytes before and @tailroom bytes behind them, contents undefined, so that a message
 * can be built around them without another copy; one over @max_unit bytes is an error. Before the first thread; without
 * it there is no room and the limit is 2 GiB.
 */
void helix_encode_pool_set_room(HelixEncodePool *pool, gsize headroom, gsize tailroom, gsize max_unit);
/* @idle(@data) is called each time the last thread has ended. It may free the pool. */
void helix_encode_pool_set_idle(HelixEncodePool *pool, void (*idle)(gpointer data), gpointer data);
/* Threads that have not ended yet, retired ones included. */
guint helix_encode_pool_size(const HelixEncodePool *pool);
/* Retires every thread and waits for all of them. Nothing is called afterwards. */
void helix_encode_pool_free(HelixEncodePool *pool);

#endif
