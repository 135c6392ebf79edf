/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session-private.h - what the files of a session share: session.c is its life cycle, session-input.c parses bytes into
 * messages, session-streams.c passes requests to streams, session-output.c sends answers. Main loop only.
 *
 * Calls into a session or its streams that do not come from the session are made between enter and leave: what ends the
 * session in between (its last answer, a dead peer) takes effect at the outermost leave, after which it may be gone.
 */
#ifndef HELIX_SESSION_PRIVATE_H
#define HELIX_SESSION_PRIVATE_H

#include "../frame/pixel-upload.h"
#include "../transport/send-queue.h"
#include "session.h"
#include "stream.h"

typedef enum HelixReadState { HELIX_READ_HEADER, HELIX_READ_BODY, HELIX_READ_PIXELS } HelixReadState;

struct HelixSession {
    HelixTask task; /* first: goes on when the loop's budget was spent before, see go_on() */
    const HelixSessionSettings *settings;
    HelixChannel *channel; /* NULL: gone */
    guint64 number;        /* counts connections from 1 */
    char *peer;
    GHashTable *streams; /* session_id to HelixStream */
    HelixSendQueue send_queue;
    guint depth;   /* of enter */
    guint waiting; /* requests in the streams' queues */

    /* Reading. */
    HelixReadState state;
    HelixHeader header;
    guint8 buffer[HELIX_MAX_REQUEST_PAYLOAD]; /* header, then body */
    gsize have, need;                         /* bytes in it */
    guint64 pixels_left;
    HelixPixelUpload upload;
    HelixRequest *request; /* a FRAME_REQUEST whose pixels arrive */
    gboolean input_paused; /* the carrier waits for resume_input() */
    gboolean eof;
    gboolean broken; /* framing lost or not permitted: input is discarded, the error in send_queue is the last answer */
    gboolean permitted;
    gboolean stall_due; /* see helix_session_check_stall() */
    gint64 last_input;  /* g_get_monotonic_time() of the last byte that was taken, or of the connection's begin */

    /* A CONFIG_REQ asked for an answer: the longer forms may follow. PINGs do not overtake the first of those answers,
     * as the order tells the guest whether this host knows more than the frozen messages. */
    gboolean negotiated;
    gboolean handshake; /* that first answer was not sent yet */
    GQueue held_pongs;  /* GByteArray, in the order of their PINGs */
};

/* ---- session.c ---- */

void helix_session_enter(HelixSession *session);
void helix_session_leave(HelixSession *session);
/* Input stops while output waits, and while too many requests wait. */
gboolean helix_session_is_blocked(const HelixSession *session);

/* ---- session-input.c ---- */

/* HelixChannelUser */
gsize helix_session_input(HelixChannel *channel, const guint8 *data, gsize len);
void helix_session_input_eof(HelixChannel *channel);
/* A new message begins with the next byte. */
void helix_session_next_message(HelixSession *session);
/* Framing is lost, or the peer is not permitted: send @error, which it takes over, and close once it is sent. */
void helix_session_break_off(HelixSession *session, GError *error);

/* ---- session-streams.c ---- */

void helix_session_init_streams(HelixSession *session);
/* The stream that @id names; NULL: none is open. */
HelixStream *helix_session_find_stream(HelixSession *session, guint16 id);
/* A request is complete; takes @request over. */
void helix_session_dispatch(HelixSession *session, HelixRequest *request);
/* End all streams; nothing more is answered. */
void helix_session_abandon_streams(HelixSession *session);

/* ---- session-output.c ---- */

/* Takes @message over. @sent may be NULL. */
void helix_session_send(HelixSession *session, GByteArray *message, HelixMessageSent sent, gpointer data);
/* Answers @request, done or in error, and takes it over. */
void helix_session_answer(HelixSession *session, HelixRequest *request);
/* Hand over to the carrier what it takes now. */
void helix_session_flush(HelixSession *session);
/* Send @pong, which it takes over; while the handshake lasts, only after its answer. */
void helix_session_pong(HelixSession *session, GByteArray *pong);
void helix_session_send_held_pongs(HelixSession *session);

#endif
