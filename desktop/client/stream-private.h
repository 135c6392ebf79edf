/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream-private.h - the stream's insides, shared by the side that asks (stream.c) and the side that hears (answers.c).
 */
#ifndef VSOCKENC_STREAM_PRIVATE_H
#define VSOCKENC_STREAM_PRIVATE_H

#include "stream.h"

GST_DEBUG_CATEGORY_EXTERN(vsockenc_debug);

/* Hosts that ignore the session answer with 0, so the only stream of a connection is 0. */
#define VSOCK_SESSION 0

typedef enum Host {
    HOST_UNKNOWN, /* nothing asked yet */
    HOST_ASKED,   /* CONFIG_REQ and PING are out */
    HOST_NEW,     /* CONFIG_RESP came first */
    HOST_OLD,     /* PONG came first: frozen messages only */
} Host;

/* Something that will be answered, in order. */
typedef struct VsockPending {
    gboolean is_config;
    VsockConfig config;      /* of a config: what it asked for */
    gpointer frame;          /* NULL: discarded */
    GstBuffer *buffer;       /* held until released or answered */
    VsockOutgoing *outgoing; /* not sent yet */
    VsockRequest request;
    VsockPath path;
    guint64 cpu_bytes, pixel_bytes;
    gint64 queued_us;
    guint32 needs; /* HELIX_CAP_ bits, of the host that is asked */
    gboolean repeat, discarded;
    VsockAnswer *given_up; /* it was not sent: its answer, which waits for those of the pictures before it */
    gboolean again;        /* VsockPicture.again */
    gboolean trial;        /* a refusal is an answer like others, not the end: this host has read none this way */
    gboolean unjudged;     /* GUEST_COPY: the answer says what the host makes of @way */
    VsockWay way;
    gboolean drawn;
} VsockPending;

struct VsockStream {
    gint refs; /* atomic */
    VsockConnection *connection;
    VsockStats *stats;
    void (*failed_cb)(gpointer user, GError *error);
    void (*lost_cb)(gpointer user, GError *error);
    gpointer user;
    gboolean was_there; /* there was a connection, and something was sent. Connection's thread */

    GMutex lock;
    GCond cond; /* anything below changed */
    Host host;
    gboolean flushing, failed;
    gboolean ended;     /* as flushing, but nothing ends it */
    gboolean away;      /* the connection is lost and tried again: nothing may be sent */
    gboolean told_lost; /* lost_cb was called, and no host has agreed since */
    gboolean configured;
    gint64 agree_us;    /* until when a live source waits for the first agreement */
    VsockConfig config; /* last asked for */
    gboolean settled;   /* all of a config was agreed to, the last of them: */
    VsockConfig accepted;
    gboolean ever_agreed; /* with this host or, before it was lost, another */
    VsockAgreement agreement;
    GQueue pending;       /* VsockPending, sent; behind pictures also those given up */
    gint64 progress_us;   /* when the first of them was sent, a picture was written, or one was answered, whichever came
                             last */
    VsockPending *held;   /* the newest picture, until there is room for it */
    GQueue behind_held;   /* VsockPending, given up, that came after it */
    guint n_given_up;     /* those in both queues */
    guint frames_pending; /* of all these, pictures not discarded */
    guint requests_pending; /* of those sent, pictures */
    GQueue answers;         /* VsockAnswer */
    guint busy;             /* answers taken and not done: one at most, by one thread */
    guint busy_pictures;    /* of these, answers to pictures */
    gboolean drain_later;
    guint draining;       /* who waits in drain() */
    gboolean had_picture; /* one was sent on this connection, and can be repeated as far as is known */
    gboolean had_unit;    /* one was encoded */
    gboolean owes_first;  /* upstream gave a picture and may give no other: the host was away, or failed at its first */
    gboolean owes_last;   /* ... failed at the latest, for now, and has it still */
    gint64 repeat_us;     /* when to answer REPEAT; 0: not */
    guint keepalive_ms;   /* 0: none */
    gboolean may_stand_still;
    gint64 given_us; /* when the latest picture was submitted that the keepalive time counts from; 0: none */
};

/* stream.c; all with the lock. */
/* In the longest form that the host takes, which is the short one until it has agreed. */
void vsock_stream_send_config(VsockStream *self);
/* @pending is sent, and will be answered. */
void vsock_stream_push_pending(VsockStream *self, VsockPending *pending);
/* The first CONFIG_REQ of a connection and the PING behind it. */
void vsock_stream_ask(VsockStream *self);
gboolean vsock_stream_has_capability(const VsockStream *self, guint32 bit);
gboolean vsock_stream_has_agreed(const VsockStream *self);
gboolean vsock_stream_has_room(const VsockStream *self);
/* requests.c, with the lock: send what is held, if there is room now; or lose it, if all is to end and no host is
 * there. */
void vsock_stream_pump(VsockStream *self);
/* ... those given up that no picture is under way before any more are answered. */
void vsock_stream_settle(VsockStream *self);
/* ... nothing is held any more: those given up behind it are behind what was sent. */
void vsock_stream_unhold(VsockStream *self);
/* ... want a picture within @ms. */
void vsock_stream_want(VsockStream *self, guint ms);
/* ... when to answer KEEPALIVE, as things stand; 0: not. */
gint64 vsock_stream_keepalive_due(const VsockStream *self);
/* The head of pending, taken. */
VsockPending *vsock_stream_pop_pending(VsockStream *self);
/* An answer about @pending, whose frame it takes; NULL if that was discarded. */
VsockAnswer *vsock_answer_new(VsockAnswerKind kind, VsockPending *pending);
/* Without the lock: it runs upstream's code. */
void vsock_pending_free(VsockPending *pending);

/* answers.c: what the connection calls, on its thread. */
extern const VsockConnectionEvents vsock_stream_events;

#endif
