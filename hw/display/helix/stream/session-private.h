/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session-private.h - what session.c and session-input.c share of a connection. session.c has its life, its streams and
 * its answers, session-input.c makes messages of bytes. Main loop only.
 */
#ifndef HELIX_SESSION_PRIVATE_H
#define HELIX_SESSION_PRIVATE_H

#include "../frame/pixel-upload.h"
#include "session.h"

typedef enum HelixReadState { HELIX_READ_HEADER, HELIX_READ_BODY, HELIX_READ_PIXELS } HelixReadState;

struct HelixSession {
    HelixTask task; /* first: goes on with what a turn had no time for; see go_on() */
    HelixHost *host;
    GList *link;           /* in host->sessions */
    HelixChannel *channel; /* NULL: gone */
    guint64 number;
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
    gboolean stalled;      /* the carrier waits for resume_input */
    gboolean eof;
    gboolean broken; /* framing lost or not permitted: what comes is thrown away, what waits to leave is the last */
    gboolean permitted;
    gboolean stall_due; /* the time is up: see check_stall */
    gint64 last_input;  /* g_get_monotonic_time() of the last byte that was taken, or of the connection's begin */

    /* CONFIG_REQ asked for an answer: the longer form may follow, and PINGs must not overtake the first answer, because
     * their order tells the guest whether this host can do more than the frozen messages. */
    gboolean agreed;
    gboolean handshake; /* that first answer is still to come */
    GQueue held_pongs;  /* GByteArray, in the order of their PINGs */
};

/* ---- session.c ---- */

/* Input stops while output waits, and while too much waits for its turn. */
gboolean helix_session_is_blocked(const HelixSession *session);
/* The stream that @id names; NULL: none is open. */
HelixStream *helix_session_find_stream(HelixSession *session, guint16 id);
/* A request is complete; takes @request over. */
void helix_session_dispatch(HelixSession *session, HelixRequest *request);

/* ---- session-input.c ---- */

/* HelixChannelUser */
gsize helix_session_input(HelixChannel *channel, const guint8 *data, gsize len);
void helix_session_input_eof(HelixChannel *channel);
/* A new message begins with the next byte. */
void helix_session_next_message(HelixSession *session);
/* Framing is lost, or nothing will be answered here: say so, and close as soon as that has left. Takes @error over. */
void helix_session_break_off(HelixSession *session, GError *error);

#endif
