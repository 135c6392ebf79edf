/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream.h - one session_id of one connection: its requests in order, its pictures, its encoder thread. Main loop only.
 *
 * What is answered in order is an op: a frame, a change of configuration, the end of the stream. Ops wait in the stream's
 * queue until they are begun, done and answered. At most two frames are under way at a time: one in the encoder and one
 * resolved behind it; the pictures of later ones are not touched.
 */
#ifndef HELIX_STREAM_H
#define HELIX_STREAM_H

#include "host-private.h"
#include "wire.h"

typedef struct HelixSession HelixSession;
typedef struct HelixStream HelixStream;

typedef enum HelixOpKind { HELIX_OP_FRAME, HELIX_OP_CONFIG, HELIX_OP_CLOSE } HelixOpKind;
typedef enum HelixOpState { HELIX_OP_WAITING, HELIX_OP_RESOLVING, HELIX_OP_ENCODING, HELIX_OP_DONE } HelixOpState;

typedef struct HelixOp {
    HelixOpKind kind;
    HelixOpState state;
    guint16 session_id;
    HelixFrameRequest frame;
    HelixConfigRequest config;
    gboolean wants_answer;      /* CONFIG: with CONFIG_RESP */
    gboolean handshake;         /* CONFIG: the connection's first of those; its PINGs wait for it */
    GError *error;              /* set at any time: the answer */

    HelixSurface *surface;      /* FRAME: the pixels that came with it, later the picture being encoded */
    gboolean retried;           /* dropped once and encoded again */
    HelixAccessUnit unit;
    guint64 unit_cpu_bytes;
    HelixEncoderConfig in_force;    /* CONFIG */
    HelixFrameRecord record;

    HelixStream *in_flight_of;  /* a reference to whose max_in_flight it counts in, or NULL */
    HelixSession *session;      /* from the answer until it has left */
} HelixOp;

HelixOp *helix_op_new(HelixOpKind kind, guint16 session_id);
void helix_op_free(HelixOp *op);
/* Send the answer to @op, done or in error, and take it over. */
void helix_op_answer(HelixSession *session, HelixOp *op);

HelixStream *helix_stream_new(HelixSession *session, guint16 id);
/* The connection is gone or makes room: nothing is answered any more. */
void helix_stream_abandon(HelixStream *stream);

/* A request arrived; takes @op over. */
void helix_stream_push(HelixStream *stream, HelixOp *op);
/* KEYFRAME_REQ. */
void helix_stream_force_idr(HelixStream *stream);
/* Is there room for one more request? FALSE with HELIX_CODE_BUSY. */
gboolean helix_stream_has_room(const HelixStream *stream, GError **error);
/* Begin what can be begun and answer what can be answered. */
void helix_stream_pump(HelixStream *stream);
/* See helix_host_reset(). */
void helix_stream_reset(HelixStream *stream);

/* Nothing waits and nothing is under way. */
gboolean helix_stream_is_idle(const HelixStream *stream);
/* g_get_monotonic_time() of the last request. */
gint64 helix_stream_last_used(const HelixStream *stream);
void helix_stream_describe(const HelixStream *stream, HelixStreamInfo *info);

#endif
