/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream.h - one session_id of one connection: its requests in order, its pictures, its encoder thread. Main loop only.
 *
 * At most two frames are under way at a time: one in the encoder and one resolved behind it; the pictures of later ones
 * are not touched.
 */
#ifndef HELIX_STREAM_H
#define HELIX_STREAM_H

#include "host-private.h"
#include "request.h"

HelixStream *helix_stream_new(HelixSession *session, guint16 id);
/* The connection is gone or makes room: nothing more is answered. */
void helix_stream_abandon(HelixStream *stream);

/* A request arrived; takes @request over. */
void helix_stream_push(HelixStream *stream, HelixRequest *request);
/* KEYFRAME_REQ. */
void helix_stream_force_idr(HelixStream *stream);
/* A request of this stream is in flight no more: its answer has left, or never will. */
void helix_stream_landed(HelixStream *stream);
/* Is there room for one more request? FALSE with HELIX_CODE_BUSY. */
gboolean helix_stream_has_room(const HelixStream *stream, GError **error);
/* Begin what can be begun and answer what can be answered, from the loop. */
void helix_stream_pump_later(HelixStream *stream);
/* See helix_host_reset(); from the loop. */
void helix_stream_reset(HelixStream *stream);

/* Nothing waits and nothing is under way. */
gboolean helix_stream_is_idle(const HelixStream *stream);
/* g_get_monotonic_time() of the last request. */
gint64 helix_stream_last_used(const HelixStream *stream);
void helix_stream_describe(const HelixStream *stream, HelixStreamInfo *info);

#endif
