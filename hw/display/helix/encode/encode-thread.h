/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encode-thread.h - encoder threads: one a stream, and the crew of all of a host.
 *
 * Each worker has a queue of jobs towards its thread; all of a crew share one queue back, which a GSource of the crew's
 * context empties. The main loop never waits for a thread: a retired worker ends on its own, however long its encoder
 * takes, and the thread that ends after it joins it. Only helix_encode_pool_free() waits.
 *
 * The thread owns the encoder and everything about its configuration: what was asked for, what is in force.
 */
#ifndef HELIX_ENCODE_THREAD_H
#define HELIX_ENCODE_THREAD_H

#include "encoder.h"
#include "../protocol/stream-config.h"

typedef struct HelixEncodePool HelixEncodePool;
typedef struct HelixEncodeThread HelixEncodeThread;

/* What a job came to. */
typedef struct HelixEncodeResult {
    GError *error;             /* the receiver may take it over, as buffer */
    HelixAccessUnit unit;      /* an encode; its data is NULL, and in buffer instead */
    GByteArray *buffer;        /* headroom, access unit, tailroom; NULL: an error, or the frame was dropped */
    gsize unit_size;           /* bytes of the access unit */
    HelixEncoderConfig config; /* in force; of a size of 0 if no encoder is open yet */
    gint64 encoded_ns;         /* g_get_monotonic_time() * 1000 when the encoder was done */
} HelixEncodeResult;

/* A job of @owner's was done; @tag is the job's. On the crew's context. */
typedef void (*HelixEncodeDone)(gpointer owner, gpointer tag, HelixEncodeResult *result);

/* @context: NULL is the default one. */
HelixEncodePool *helix_encode_pool_new(GMainContext *context);
/* Open encoders keep at most @max_bytes together, by their memory(); one more fails. Before the first worker; else no
 * limit. */
void helix_encode_pool_set_limit(HelixEncodePool *crew, guint64 max_bytes);
/*
 * Access units come with @headroom bytes before and @tailroom bytes behind them, contents undefined, so that a message
 * is built around them without another copy; one over @max_unit bytes is an error. Before the first worker; else 0, 0
 * and no limit.
 */
void helix_encode_pool_set_room(HelixEncodePool *crew, gsize headroom, gsize tailroom, gsize max_unit);
/* Retires every worker and waits for their threads. Nothing is called afterwards. */
void helix_encode_pool_free(HelixEncodePool *crew);
/* @idle(@data) is called each time the last thread has ended. It may free the crew. */
void helix_encode_pool_set_idle(HelixEncodePool *crew, void (*idle)(gpointer data), gpointer data);
/* Threads that have not ended yet, retired ones included. */
guint helix_encode_pool_size(const HelixEncodePool *crew);

/* NULL with HELIX_CODE_NO_ENCODER if the system has no thread for it. */
HelixEncodeThread *helix_encode_thread_new(HelixEncodePool *crew, const HelixEncoderClass *klass,
                                           gboolean hardware_only, HelixEncodeDone done, gpointer owner,
                                           GError **error);
/* The owner is gone: nothing is called for it again, jobs not begun are dropped, the encoder is closed. */
void helix_encode_thread_retire(HelixEncodeThread *worker);

/* Encode @surface (a reference is taken until the encoder is done with it). Jobs are done in order. */
void helix_encode_thread_encode(HelixEncodeThread *worker, HelixSurface *surface, gint64 pts_ns, gboolean force_idr,
                                gpointer tag);
void helix_encode_thread_configure(HelixEncodeThread *worker, const HelixConfigRequest *request, gpointer tag);
/* The next frame that is encoded, not dropped, is an IDR. */
void helix_encode_thread_force_idr(HelixEncodeThread *worker);

#endif
