/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream-private.h - what stream.c and stream-frame.c share of a stream. stream.c has its life and its queue,
 * stream-frame.c what becomes of a frame that was begun. Main loop only.
 */
#ifndef HELIX_STREAM_PRIVATE_H
#define HELIX_STREAM_PRIVATE_H

#include "stream.h"

typedef struct HelixPendingCapture HelixPendingCapture;

struct HelixStream {
    HelixTask task; /* first: goes on with what a turn had no time for; see go_on() */
    guint refs;     /* the session, and requests in flight */
    HelixSession *session;
    HelixHost *host;
    guint16 id;
    GQueue requests;                /* HelixRequest, in the order of arrival */
    guint active;                   /* of them, frames resolving or encoding */
    guint in_flight;                /* frames from arrival until their answer has left */
    HelixPendingCapture *resolving; /* the look-up under way */
    const HelixEncoderClass *encoder;
    HelixEncodeThread *encode_thread; /* NULL until it is needed */
    HelixSurface *last;               /* what REPEAT encodes; NULL if there is none or it is the guest's memory */
    guint64 last_gpu;                 /* the host's when it was kept: of another one's it is no more */
    gboolean gpu_lost;                /* helix_stream_reset() was called: see lose_gpu() */
    gboolean pumping;
    gboolean ended;       /* by SESSION_CLOSE, and nothing came after it */
    gboolean idr_pending; /* a request that failed had asked for an IDR: the next one is made one */
    gint64 last_used;

    /* Since the stream's start, for its lines in the log. */
    HelixEncoderConfig in_force;
    guint32 coded_width, coded_height; /* asked for and granted; 0: follow the frames */
    guint resizing;                    /* CONFIG_REQs with the encoder that may change that: look-ups wait */
    guint64 encoded, dropped;
    gint64 started_ns;
};

/* ---- stream.c ---- */

/* The worker is there, or made. FALSE with HELIX_CODE_NO_ENCODER. */
gboolean helix_stream_need_encode_thread(HelixStream *stream, GError **error);
/* Begin what can be begun and answer what can be answered: one step at least, and until the turn is over. May end the
 * stream. */
void helix_stream_pump(HelixStream *stream);
/* @request is through, or failed (takes @error over): it is answered when its turn comes. */
void helix_stream_request_done(HelixStream *stream, HelixRequest *request);
void helix_stream_request_fail(HelixStream *stream, HelixRequest *request, GError *error);

/* ---- stream-frame.c ---- */

/* Begin @request, a FRAME whose turn it is. */
void helix_frame_begin(HelixStream *stream, HelixRequest *request);
/* The worker is through with it. */
void helix_frame_done(HelixStream *stream, HelixRequest *request, HelixEncodeResult *result);
/*
 * Whether @request, a frame that is dropped, may be encoded once more: a frame behind it makes that needless, and
 * behind a change in force it comes too late. Of a CONFIG: whether the frame before it may be.
 */
gboolean helix_frame_is_last(const HelixStream *stream, const HelixRequest *request);
/* Whether @request names something of a GPU that was reset since; and answer it so. */
gboolean helix_frame_is_lost(const HelixStream *stream, const HelixRequest *request);
void helix_frame_lost(HelixStream *stream, HelixRequest *request);
/* The GPU was reset: the look-up under way and the last picture are of the old one. */
void helix_frame_lose_gpu(HelixStream *stream);
/* The look-up under way is for nothing: its picture is thrown away. */
void helix_frame_cancel(HelixStream *stream);

#endif
