/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session.h - one connection: framing, dispatch to its streams, answers on their way out. Main loop only.
 *
 * Whoever calls into a session or its streams from outside does so between enter and leave: what ends the session in
 * between (an answer that was the last one, a dead peer) takes effect at the outermost leave, after which the session
 * may be gone.
 */
#ifndef HELIX_SESSION_H
#define HELIX_SESSION_H

#include "host-private.h"
#include "../transport/send-queue.h"
#include "stream.h"

/* Takes @channel over. */
HelixSession *helix_session_new(HelixHost *host, HelixChannel *channel);
/* Close the connection now. */
void helix_session_close(HelixSession *session);

/* Whether requests of this connection are answered, or only told why not (privileged ports). */
gboolean helix_session_is_permitted(const HelixSession *session);
/* Since when the connection has nothing to do at all, g_get_monotonic_time(); 0: it has. */
gint64 helix_session_idle_since(const HelixSession *session);
/*
 * Have the connection end soon if it began a message the host's stall_timeout ago or more and says nothing since, or
 * does not read its last words.
 */
void helix_session_check_stall(HelixSession *session);

void helix_session_enter(HelixSession *session);
void helix_session_leave(HelixSession *session);

HelixHost *helix_session_host(const HelixSession *session);
guint64 helix_session_number(const HelixSession *session);
const char *helix_session_peer(const HelixSession *session);

void helix_session_send(HelixSession *session, GByteArray *message, HelixMessageSent left, gpointer data);
/* How many requests wait in the streams' queues. */
void helix_session_request_queued(HelixSession *session);
void helix_session_request_unqueued(HelixSession *session);
/* A CONFIG_REQ was refused: is @request's guest told? One that never asked for answers would take it for its frame's.
 */
gboolean helix_session_hears_of_config(const HelixSession *session, const HelixRequest *request);
/* The answer that PINGs waited for is out. */
void helix_session_handshake_done(HelixSession *session);
/* The guest closed this stream and nothing is left of it. */
void helix_session_stream_ended(HelixSession *session, guint16 id);

/* The VM runs again, or stops: what it could not do meanwhile does not count, and what waited goes on, from the loop.
 */
void helix_session_resume(HelixSession *session);
/* See helix_host_reset(); from the loop. */
void helix_session_reset(HelixSession *session);
/* Appends a HelixStreamInfo a stream. */
void helix_session_describe(HelixSession *session, GArray *infos);

#endif
