/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request.h - a message that is answered in order: a frame, a change of configuration, the end of a stream; or a
 * snapshot, which is in order with other snapshots only. Main loop only.
 *
 * A request is in a queue of its stream until its answer is built, and is freed once the answer is sent.
 */
#ifndef HELIX_REQUEST_H
#define HELIX_REQUEST_H

#include "../frame/surface.h"
#include "../protocol/wire.h"
#include "frame-record.h"
#include "snapshot.h"

typedef enum HelixRequestKind {
    HELIX_REQUEST_KIND_FRAME,
    HELIX_REQUEST_KIND_CONFIG,
    HELIX_REQUEST_KIND_SNAPSHOT,
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
    guint64 gpu_generation; /* HelixStreamContext's when it arrived */
    guint16 session_id;
    HelixFrameRequest frame; /* FRAME, SNAPSHOT */
    HelixConfigRequest config;
    gboolean wants_answer; /* CONFIG: with CONFIG_RESP */
    gboolean resizes;      /* CONFIG: until it is done the coded size is not known */
    gboolean handshake;    /* CONFIG: the first that wants an answer; PINGs of the connection wait for it */
    GError *error;         /* may be set at any time; it is the answer */

    HelixSurface *surface;   /* FRAME: the pixels that came with it, then the picture being encoded */
    HelixSnapshot *snapshot; /* FRAME: of which it is made; SNAPSHOT: which waits for the answer */
    guint64 life;            /* SNAPSHOT: see HelixStream.life_asked */
    gboolean retried;        /* dropped once and encoded again */
    GByteArray *buffer; /* FRAME: the access unit with room for the answer around it; NULL until it is encoded, if the
                           encoder dropped it, and in error */
    gboolean keyframe;
    guint64 unit_cpu_bytes;          /* moved by conversion */
    HelixStreamConfig active_config; /* CONFIG: after it */
    const char *encoder;             /* CONFIG: the name of the stream's encoder */
    guint32 capabilities;            /* CONFIG: HELIX_CAP_ bits of host and encoder */
    HelixFrameRecord record;

    GDestroyNotify release; /* called as the request is freed; NULL: nothing */
    gpointer release_data;
    gpointer owner; /* the session's, from the answer until it was sent */
} HelixRequest;

HelixRequest *helix_request_new(HelixRequestKind kind, guint16 session_id);
void helix_request_free(HelixRequest *request);

/*
 * The answer to @request, done or in error; the caller's. Completes the record of a frame but for its returned_ns.
 * NULL: there is none. @config_errors: this guest is told that a CONFIG_REQ was refused; one that never asked for
 * answers would take the ERROR for its frame's.
 */
GByteArray *helix_request_build_answer(HelixRequest *request, guint max_in_flight, gboolean config_errors);

#endif
