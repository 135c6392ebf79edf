/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request.h - a message that is answered in order: a frame, a change of configuration, the end of a stream. Main loop only.
 *
 * An op waits in its stream's queue until it is begun, done and answered, then until its answer has left.
 */
#ifndef HELIX_OP_H
#define HELIX_OP_H

#include "host.h"
#include "../protocol/wire.h"

typedef struct HelixSession HelixSession;
typedef struct HelixStream HelixStream;

typedef enum HelixOpKind { HELIX_OP_FRAME, HELIX_OP_CONFIG, HELIX_OP_CLOSE } HelixOpKind;
typedef enum HelixOpState { HELIX_OP_WAITING, HELIX_OP_RESOLVING, HELIX_OP_ENCODING, HELIX_OP_DONE } HelixOpState;

typedef struct HelixOp {
    HelixOpKind kind;
    HelixOpState state;
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
    GByteArray *response;  /* FRAME: the answer, prepared; NULL until it is encoded, and in error */
    gboolean keyframe;
    guint64 unit_cpu_bytes;
    HelixEncoderConfig in_force; /* CONFIG */
    HelixFrameRecord record;

    HelixStream *in_flight_of; /* a reference to whose max_in_flight it counts in, or NULL */
    HelixSession *session;     /* from the answer until it has left */
} HelixOp;

HelixOp *helix_op_new(HelixOpKind kind, guint16 session_id);
void helix_op_free(HelixOp *op);
/* Send the answer to @op, done or in error, and take it over. */
void helix_op_answer(HelixSession *session, HelixOp *op);

#endif
