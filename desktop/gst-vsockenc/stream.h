/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.h - the client's side of one stream: agreement with the host, requests in flight, answers in order.
 *
 * Three threads meet here: the one that submits pictures (GStreamer's streaming thread), the connection's thread, and
 * the one that takes answers (the source pad's task). Whatever waits here wakes on flushing and on failure.
 */
#ifndef VSOCKENC_STREAM_H
#define VSOCKENC_STREAM_H

#include <gst/gst.h>
#include "connection.h"
#include "picture.h"
#include "stats.h"

typedef struct VsockStream VsockStream;

typedef enum VsockAnswerKind {
    VSOCK_ANSWER_UNIT,          /* an access unit */
    VSOCK_ANSWER_DROPPED,       /* the host dropped the picture */
    VSOCK_ANSWER_ERROR,         /* the host refused the picture: code, message */
    VSOCK_ANSWER_CONFIG,        /* values in force from here on: agreement */
} VsockAnswerKind;

typedef struct VsockAnswer {
    VsockAnswerKind kind;
    gpointer frame;             /* what was given to submit(); NULL for CONFIG. The taker owns it */
    GBytes *unit;
    gboolean keyframe, was_forced;
    guint32 width, height;      /* of the request's picture */
    gint32 code;                /* HELIX_CODE_ */
    char *message;
    VsockAgreement agreement;
} VsockAnswer;

void vsock_answer_free(VsockAnswer *answer);    /* not @frame */

typedef enum VsockWait {
    VSOCK_WAIT_READY,
    VSOCK_WAIT_FLUSHING,
    VSOCK_WAIT_FAILED,
} VsockWait;

typedef struct VsockStreamConfig {
    VsockAddress address;
    guint timeout_ms;
    VsockStats *stats;          /* outlives the stream */
    /* The connection is lost for good; @error (GST_RESOURCE_ERROR or GST_STREAM_ERROR) is the callee's. On the
     * connection's thread, no lock held; must not free the stream. */
    void (*failed)(gpointer user, GError *error);
    gpointer user;
} VsockStreamConfig;

/* Starts connecting; NULL with GST_RESOURCE_ERROR for what is known at once. */
VsockStream *vsock_stream_new(const VsockStreamConfig *config, GError **error);
/* Returns within the connection's wake-up. Frames not taken are freed with @free_frame, if given. */
void vsock_stream_free(VsockStream *stream, GDestroyNotify free_frame);

/* From here on (in order with the requests) encode with @config. The first call begins the agreement with the host. */
void vsock_stream_configure(VsockStream *stream, const VsockConfig *config);

/* Wait until the host agreed and one more request may be in flight. */
VsockWait vsock_stream_wait_slot(VsockStream *stream);
/* HELIX_CAP_ bits of the host; 0 for one that speaks the frozen messages only. After wait_slot() said READY. */
guint32 vsock_stream_capabilities(VsockStream *stream);
/* Ask for @picture (taken over) to be encoded. @frame comes back in the answer. */
void vsock_stream_submit(VsockStream *stream, VsockPicture *picture, gpointer frame, GstClockTime pts,
                         GstClockTime duration, gboolean force_keyframe);

/* The next answer, waited for. NULL while flushing, or after failure once every answer was taken. Must be followed by
 * answer_done() when it was dealt with. */
VsockAnswer *vsock_stream_next_answer(VsockStream *stream);
void vsock_stream_answer_done(VsockStream *stream);
/* Wait until every request was answered and every answer dealt with. */
VsockWait vsock_stream_drain(VsockStream *stream);

/* While set, nothing waits here. */
void vsock_stream_set_flushing(VsockStream *stream, gboolean flushing);
/* Forget what was submitted: answers to come are consumed silently. Frames are freed with @free_frame. TRUE if
 * anything was forgotten (a decoder then lacks references: the next picture must be an IDR). */
gboolean vsock_stream_discard(VsockStream *stream, GDestroyNotify free_frame);

/* The values in force, for statistics. FALSE before the agreement and with hosts that make none. */
gboolean vsock_stream_agreement(VsockStream *stream, VsockAgreement *agreement);

#endif
