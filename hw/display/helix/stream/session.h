/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session.h - one connection: framing, dispatch to its streams, answers. Main loop only.
 *
 * A session knows the settings and the sink that it is given, and its streams; nothing above it.
 */
#ifndef HELIX_SESSION_H
#define HELIX_SESSION_H

#include "../transport/channel.h"
#include "frame-record.h"
#include "stats.h"
#include "stream-context.h"

typedef struct HelixSession HelixSession;

/* Calls of a session to its host. */
typedef struct HelixSessionSink {
    /* One plain line for the log. */
    void (*log)(gpointer owner, const char *format, ...) G_GNUC_PRINTF(2, 3);
    /* The answer to a frame was sent. @unit_cpu_bytes: the part of record->cpu_bytes that conversion moved. */
    void (*frame_answered)(gpointer owner, const HelixFrameRecord *record, guint64 unit_cpu_bytes);
    /* The connection is closed; @session is freed when this returns. */
    void (*closed)(gpointer owner, HelixSession *session);
} HelixSessionSink;

/* What all sessions of a host share; outlives them. */
typedef struct HelixSessionSettings {
    HelixStreamContext *streams;
    HelixStats *stats;    /* counts connections, streams, requests and bytes */
    gint64 stall_timeout; /* us */
    const HelixSessionSink *sink;
    gpointer owner;
} HelixSessionSettings;

/* Serves @channel, which it takes over. If not @permitted, the first message is answered with an error and the
 * connection is closed. */
HelixSession *helix_session_new(const HelixSessionSettings *settings, HelixChannel *channel, gboolean permitted);
/* Close the connection now. */
void helix_session_close(HelixSession *session);

gboolean helix_session_is_permitted(const HelixSession *session);
/* g_get_monotonic_time() of the last byte, if the connection has no stream, no message begun and nothing to send; else
 * 0. */
gint64 helix_session_idle_since(const HelixSession *session);
/* End the connection, in a later iteration of the loop, if its peer has sent part of a message and then nothing for
 * stall_timeout, or has not read the error that ends the connection in that time. */
void helix_session_check_stall(HelixSession *session);

/* The VM runs again, or stops: the time it was stopped does not count as a stall, and requests that waited go on, in a
 * later iteration of the loop. */
void helix_session_resume(HelixSession *session);
/* See helix_host_gpu_reset_end(); acts in a later iteration of the loop. */
void helix_session_reset(HelixSession *session);
/* Appends a HelixStreamInfo for each stream. */
void helix_session_describe(HelixSession *session, GArray *infos);

#endif
