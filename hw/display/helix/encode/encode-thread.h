/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encode-thread.h - the thread that encodes one stream.
 *
 * It owns the encoder and its configuration, requested and active. It has a queue of jobs, which are done in order;
 * results come back through the pool (encode-pool.h). All functions: on the thread that runs the pool's context.
 */
#ifndef HELIX_ENCODE_THREAD_H
#define HELIX_ENCODE_THREAD_H

#include "encode-result.h"

typedef struct HelixEncodePool HelixEncodePool;
typedef struct HelixEncodeThread HelixEncodeThread;

/* NULL with HELIX_CODE_NO_ENCODER if the system has no thread for it. */
HelixEncodeThread *helix_encode_thread_new(HelixEncodePool *pool, const HelixEncoderClass *klass,
                                           gboolean hardware_only, HelixEncodeDone done, gpointer owner,
                                           GError **error);
/* The owner needs it no longer: it is not called again, jobs that have not begun are dropped, the encoder is closed. */
void helix_encode_thread_retire(HelixEncodeThread *thread);

/* Frees the struct of a thread that has ended; for the pool. */
void helix_encode_thread_free(HelixEncodeThread *thread);

/* Encode @surface (a reference is taken until the encoder is done with it). @pts_ns: for rate control only. */
void helix_encode_thread_encode(HelixEncodeThread *thread, HelixSurface *surface, gint64 pts_ns, gboolean force_idr,
                                gpointer tag);
void helix_encode_thread_configure(HelixEncodeThread *thread, const HelixConfigRequest *request, gpointer tag);
/* The next frame that is encoded, not dropped, is an IDR. */
void helix_encode_thread_force_idr(HelixEncodeThread *thread);

#endif
