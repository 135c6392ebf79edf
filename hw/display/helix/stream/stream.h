/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream.h - one session_id of one connection: its requests in order, its pictures, its encode thread. Main loop only.
 *
 * At most two frames are under way at a time: one in the encoder and one resolved behind it; the pictures of later
 * requests are not touched.
 *
 * A stream knows its context and the sink that it is given, and nothing above them.
 */
#ifndef HELIX_STREAM_H
#define HELIX_STREAM_H

#include "request.h"
#include "stream-context.h"

typedef struct HelixStream HelixStream;

/* A stream as it is now. */
typedef struct HelixStreamInfo {
    guint64 connection; /* set by the session, as peer is */
    const char *peer;
    guint16 session_id;
    guint in_flight, snapshots; /* snapshots: kept, or being taken */
    guint64 encoded, dropped;   /* frames since the stream's start */
    gint64 started_ns;          /* when its first frame was encoded; 0: none was */
    const char *encoder;        /* its name */
    HelixStreamConfig config;   /* active; width and height are 0 before the first frame */
} HelixStreamInfo;

/* Calls of a stream to its owner, the session. */
typedef struct HelixStreamSink {
    /*
     * Around work that the stream begins by itself (a look-up or an encode is done, a deferred task runs) rather than
     * in a call of its owner. The owner must not free itself or the stream in between; it may in release().
     */
    void (*hold)(gpointer owner);
    void (*release)(gpointer owner);
    /* Send @message, which it takes over. */
    void (*send)(gpointer owner, GByteArray *message);
    /* The next request in order is done, or a snapshot: the owner takes it over, answers it and frees it when the
     * answer was sent. */
    void (*request_done)(gpointer owner, HelixRequest *request);
    /* The first frame was encoded; its picture came by @path. */
    void (*started)(gpointer owner, const HelixStreamInfo *info, HelixHostPath path);
    /* The encoder is closed. @more: requests after SESSION_CLOSE begin a new stream under the same id. */
    void (*stopped)(gpointer owner, const HelixStreamInfo *info, gboolean more);
    /* The guest closed stream @id and nothing is left of it: the owner calls helix_stream_abandon(). */
    void (*ended)(gpointer owner, guint16 id);
} HelixStreamSink;

HelixStream *helix_stream_new(HelixStreamContext *context, const HelixStreamSink *sink, gpointer owner, guint16 id);
/* The connection is gone or makes room: nothing more is answered. */
void helix_stream_abandon(HelixStream *stream);

/* A request arrived; takes @request over. */
void helix_stream_push(HelixStream *stream, HelixRequest *request);
/* KEYFRAME_REQ. */
void helix_stream_force_idr(HelixStream *stream);
/* SNAPSHOT_DROP: @number names nothing from now on; frames that have arrived still have it. */
void helix_stream_drop_snapshot(HelixStream *stream, guint32 number);
/* Is there room for one more request? FALSE with HELIX_CODE_BUSY. */
gboolean helix_stream_has_room(const HelixStream *stream, GError **error);
/* Begin requests, and answer those that are done, in a later iteration of the loop. */
void helix_stream_pump_later(HelixStream *stream);
/* The GPU was reset, see helix_host_gpu_reset_end(); acts in a later iteration of the loop. */
void helix_stream_reset(HelixStream *stream);

/* Nothing waits and nothing is under way. */
gboolean helix_stream_is_idle(const HelixStream *stream);
/* g_get_monotonic_time() of the last request. */
gint64 helix_stream_last_used(const HelixStream *stream);
HelixStreamInfo helix_stream_describe(const HelixStream *stream);

#endif
