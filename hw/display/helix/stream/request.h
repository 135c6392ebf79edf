/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request.h - a message that is answered in order: a frame, a change of configuration, the end of a stream. Main loop
 * only.
 *
 * A request waits in its stream's queue until it is begun, done and answered, then until its answer has left.
 */
#ifndef HELIX_REQUEST_H
#define HELIX_REQUEST_H

#include "host.h"
#include "../protocol/wire.h"

typedef struct HelixSession HelixSession;
typedef struct HelixStream HelixStream;

typedef enum HelixRequestKind {
    HELIX_REQUEST_KIND_FRAME,
    HELIX_REQUEST_KIND_CONFIG,
    HELIX_REQUEST_KIND_CLOSE
} HelixRequestKind;
typedef enum HelixRequestState {
    HELIX_REQUEST_STATE_WAITING,
    HELIX_REQUEST_STATE_RESOLVING,
    HELIX_REQUEST_STATE_ENCODING,
    HELIX_REQUEST_STATE_DONE
} HelixRequestState;

typedef struct HelixRequest {
    HelixRequestKind kind;
    HelixRequestState state;
    guint64 gpu; /* the host's when it arrived */
    guint16 session_id;
    HelixFrameRequest frame;
    HelixConfigRequest config;
    gboolean wants_answer; /* CONFIG: with CONFIG_RESP */
    gboolean resizes;      /* CONFIG: while it is with the encoder the coded size is not known */
    gboolean handshake;    /* CONFIG: the connection's first of those; its PINGs wait for it */
    GError *error;         /* set at any time: the answer */

    HelixSurface *surface; /* FRAME: the pixels that came with it, later the picture being encoded */
    gboolean retried;      /* dropped once and encoded again */
    GByteArray *buffer;    /* FRAME: the access unit with room for the answer around it; NULL until it is encoded, if it
                              was dropped, and in error */
    gboolean keyframe;
    guint64 unit_cpu_bytes;
    HelixStreamConfig in_force; /* CONFIG */
    HelixFrameRecord record;

    HelixStream *in_flight_of; /* a reference to whose max_in_flight it counts in, or NULL */
    HelixSession *session;     /* from the answer until it has left */
} HelixRequest;

HelixRequest *helix_request_new(HelixRequestKind kind, guint16 session_id);
void helix_request_free(HelixRequest *request);
/* Send the answer to @request, done or in error, and take it over. */
void helix_request_answer(HelixSession *session, HelixRequest *request);

#endif
