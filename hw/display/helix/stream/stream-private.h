/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream-private.h - what the files of a stream share: stream.c is its life cycle, stream-queue.c its queue of
 * requests, stream-frame.c a frame from the look-up to the end of its encode, stream-snapshot.c its snapshots. Main
 * loop only.
 */
#ifndef HELIX_STREAM_PRIVATE_H
#define HELIX_STREAM_PRIVATE_H

#include "../encode/encode-thread.h"
#include "stream.h"

typedef struct HelixPendingCapture HelixPendingCapture;

struct HelixStream {
    HelixTask task; /* first: runs helix_stream_pump() when the loop's budget was spent before */
    guint refs;     /* the owner, and requests in flight */
    HelixStreamContext *context;
    const HelixStreamSink *sink;
    gpointer owner;
    guint16 id;
    GQueue requests;                /* HelixRequest, in the order of arrival */
    guint active;                   /* of them, frames resolving or encoding */
    guint in_flight;                /* frames from arrival until their answer was sent */
    HelixPendingCapture *resolving; /* the frame's look-up under way */
    const HelixEncoderClass *encoder;
    HelixEncodeThread *encode_thread; /* NULL until it is needed */
    HelixSurface *last;               /* what REPEAT encodes; NULL if there is none or it is the guest's memory */
    guint64 last_gpu_generation;      /* of last; REPEAT does not use a picture of an earlier one */
    gboolean reset_due;               /* helix_stream_reset() was called */
    gboolean pumping;
    gboolean ended;       /* by SESSION_CLOSE, and nothing came after it */
    gboolean idr_pending; /* a request that failed had asked for an IDR: the next one gets it */
    gint64 last_used;

    GQueue snapshot_requests;    /* HelixRequest, SNAPSHOTs without an answer, in the order of arrival */
    HelixPendingCapture *taking; /* the look-up of the first of them, if it is under way */
    GQueue snapshots;            /* HelixSnapshot, kept or to be taken */
    guint64 life_asked, life;    /* SESSION_CLOSEs that came, and of them those done: what has another life belongs to
                                    the next stream of this id */

    HelixStreamConfig active_config;
    guint32 coded_width, coded_height; /* asked for and granted; 0: the size of the pictures */
    guint resizing;                    /* CONFIG_REQs at the encoder that may change it: look-ups wait for them */
    guint64 encoded, dropped;          /* frames since the stream's start */
    gint64 started_ns;
};

/* The look-up's callback data; request and stream may be gone when the resolver answers. */
struct HelixPendingCapture {
    HelixStream *stream; /* NULL: cancelled */
    HelixRequest *request;
    guint *n_cancelled; /* HelixStreamContext's, if it counts there */
};

/* ---- stream.c ---- */

/* The encode thread exists, or is made. FALSE with HELIX_CODE_NO_ENCODER. */
gboolean helix_stream_need_encode_thread(HelixStream *stream, GError **error);
/* Stop the encoder and forget everything about the stream's pictures. @more: see HelixStreamSink.stopped. */
void helix_stream_stop(HelixStream *stream, gboolean more);

/* ---- stream-queue.c ---- */

/* Answer requests that are done and begin those that may begin: one step at least, then until the loop's budget is
 * spent. May end the stream. */
void helix_stream_pump(HelixStream *stream);
/* @request is done, or failed (takes @error over): it is answered in its order. */
void helix_stream_request_done(HelixStream *stream, HelixRequest *request);
void helix_stream_request_fail(HelixStream *stream, HelixRequest *request, GError *error);
/* The encode thread has applied @request, a CONFIG, or refused it. */
void helix_stream_config_done(HelixStream *stream, HelixRequest *request, HelixEncodeResult *result);

/* ---- stream-frame.c ---- */

/* Begin @request, a frame. */
void helix_frame_begin(HelixStream *stream, HelixRequest *request);
/* The encode thread has encoded @request's picture, or failed to. */
void helix_frame_done(HelixStream *stream, HelixRequest *request, HelixEncodeResult *result);
/*
 * Whether no unfinished frame, and no configuration that was begun, follows @request. A frame that the encoder dropped
 * is encoded again only then: a later frame replaces it, and a later configuration may be active already. For a CONFIG:
 * whether the frame before it may still be encoded again.
 */
gboolean helix_frame_is_last(const HelixStream *stream, const HelixRequest *request);

/* A look-up under way is not needed: its picture will be thrown away. *@capture becomes NULL. */
void helix_capture_cancel(HelixStream *stream, HelixPendingCapture **capture);
/* The answer to a cancelled look-up. The host may be gone. Takes all three over. */
void helix_capture_discard(HelixPendingCapture *capture, HelixSurface *surface, GError *error);

/* ---- stream-snapshot.c ---- */

/* @request, a SNAPSHOT, arrived: it is taken, or refused, and answered; takes it over. */
void helix_snapshot_push(HelixStream *stream, HelixRequest *request);
/* @request, a frame of a snapshot, arrived: it gets the one that its number names now, or an error. */
void helix_snapshot_bind(HelixStream *stream, HelixRequest *request);
/* Begin, or answer, the oldest SNAPSHOT, and then the next. FALSE: the loop's budget is spent before all that may. */
gboolean helix_snapshot_begin_all(HelixStream *stream);
/* Whether a SNAPSHOT of the stream's life has no answer; whether the oldest may begin. */
gboolean helix_snapshot_is_wanted(const HelixStream *stream);
gboolean helix_snapshot_may_begin(const HelixStream *stream);
guint helix_snapshot_count(const HelixStream *stream);
/* The GPU was reset: the look-up under way fails. What is kept stays. */
void helix_snapshot_reset(HelixStream *stream);
/* SESSION_CLOSE, with every SNAPSHOT before it answered: what is kept is freed, and the next life begins. */
void helix_snapshot_end_life(HelixStream *stream);
/* Nothing more is answered. */
void helix_snapshot_abandon(HelixStream *stream);

/* ---- stream-gpu-reset.c ---- */

/* Whether the GPU was reset after @request, which is not resolved yet, arrived; the error of that, and let @request
 * fail with it. */
gboolean helix_frame_is_lost(const HelixStream *stream, const HelixRequest *request);
GError *helix_frame_lost_error(const HelixRequest *request);
void helix_frame_lost(HelixStream *stream, HelixRequest *request);
/* The GPU was reset: look-ups under way fail, and the last picture is not repeated. */
void helix_frame_reset(HelixStream *stream);

#endif
