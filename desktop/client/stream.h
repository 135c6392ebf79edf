/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.h - the client's side of one stream: agreement with the host, requests in flight, answers in order.
 *
 * Three threads meet here: the one that submits pictures (GStreamer's streaming thread), the connection's thread, and
 * the one that takes answers (the source pad's task). Whatever waits here wakes on flushing and on failure.
 */
#ifndef VSOCKENC_STREAM_H
#define VSOCKENC_STREAM_H

#include <gst/gst.h>
#include "connection.h"
#include "picture.h"
#include "stats.h"

typedef struct VsockStream VsockStream;

typedef enum VsockAnswerKind {
    VSOCK_ANSWER_UNIT,      /* an access unit */
    VSOCK_ANSWER_DROPPED,   /* the host dropped the picture */
    VSOCK_ANSWER_ERROR,     /* the host refused the picture: code, message */
    VSOCK_ANSWER_SKIPPED,   /* never sent: the host was busy until a newer picture came */
    VSOCK_ANSWER_LATE,      /* never sent: too late for downstream */
    VSOCK_ANSWER_GIVEN_UP,  /* never sent: flushing, failed, or cannot be read */
    VSOCK_ANSWER_UNUSED,    /* never sent, and no picture of upstream's */
    VSOCK_ANSWER_LOST,      /* under way when the connection was lost, or held for a host when all was to end */
    VSOCK_ANSWER_CONFIG,    /* asked for: asked (serial 0: only a part of it); values in force from here: agreement */
    VSOCK_ANSWER_REFUSED,   /* asked for and refused: asked, code, message. What was in force stays so */
    VSOCK_ANSWER_DRAINED,   /* after end(): nothing is under way any more */
    VSOCK_ANSWER_REPEAT,    /* after want_picture(): none was submitted in time */
    VSOCK_ANSWER_KEEPALIVE, /* after set_still(): none was submitted for the keepalive time, and none is under way */
} VsockAnswerKind;

typedef struct VsockAnswer {
    VsockAnswerKind kind;
    gpointer frame; /* what was given to submit(); else NULL. The taker owns it */
    GBytes *unit;
    gboolean keyframe, was_forced, was_repeat;
    gboolean unjudged; /* of a picture by guest-copy: the first word on @way */
    VsockWay way;
    guint32 width, height; /* of the request's picture */
    gint64 took_us;        /* of an answer from the host: since upstream gave the picture */
    gint32 code;           /* HELIX_CODE_ */
    char *message;
    struct VsockPending *unsent; /* of SKIPPED and LOST, or NULL: freed with the answer */
    VsockConfig asked;
    VsockAgreement agreement;
} VsockAnswer;

/* So long a live source waits for the first host to agree, from configure() on, and for its word on a way: both
 * together below the 100 ms in which EOS returns, which may wait behind that picture. What comes later is heard all the
 * same. */
#define VSOCK_AGREE_MS 45
/* So long what a live source says next, new caps for one, waits for the pictures under way. */
#define VSOCK_DRAIN_MS 90
/* So long a host that came back waits for a picture of upstream's. */
#define VSOCK_FIRST_PICTURE_MS 100

void vsock_answer_free(VsockAnswer *answer); /* not @frame */

typedef enum VsockWait {
    VSOCK_WAIT_READY,
    VSOCK_WAIT_FLUSHING,
    VSOCK_WAIT_FAILED,
    VSOCK_WAIT_LATE, /* not within the time given */
} VsockWait;

typedef struct VsockStreamConfig {
    VsockAddress address;
    guint timeout_ms;
    gboolean reconnect;
    VsockStats *stats; /* outlives the stream */
    /* The connection is lost for good; @error (GST_RESOURCE_ERROR or GST_STREAM_ERROR) is the callee's. On the
     * connection's thread, no lock held; must not free the stream. */
    void (*failed)(gpointer user, GError *error);
    /* With reconnect, likewise: lost for now (once until it is back), with @error the callee's; back and agreed, with
     * NULL. */
    void (*lost)(gpointer user, GError *error);
    gpointer user;
} VsockStreamConfig;

/* Starts connecting; NULL with GST_RESOURCE_ERROR for what is known at once. */
VsockStream *vsock_stream_new(const VsockStreamConfig *config, GError **error);
VsockStream *vsock_stream_ref(VsockStream *stream);
void vsock_stream_unref(VsockStream *stream);
/* Nothing waits here any more, for good. At once, any thread. */
void vsock_stream_end(VsockStream *stream);
/* end(), and close the connection: returns within its wake-up. Frames not taken are freed with @free_frame, if given.
 */
void vsock_stream_close(VsockStream *stream, GDestroyNotify free_frame);

/* From here on (in order with the requests) encode with @config. The first call begins the agreement with the host. */
void vsock_stream_configure(VsockStream *stream, const VsockConfig *config);

/*
 * Wait until one more request may be in flight. With @live only until what a host can read is known, and not for one
 * that is away or takes more than VSOCK_AGREE_MS: submit() holds the picture for it.
 */
VsockWait vsock_stream_wait(VsockStream *stream, gboolean live);
/* Whether there is a host that agreed. It may go at any time. */
gboolean vsock_stream_is_agreed(VsockStream *stream);
/* HELIX_CAP_ bits of the host; 0 for one that speaks the frozen messages only. After wait() said READY. */
guint32 vsock_stream_capabilities(VsockStream *stream);
/* The same at any time: before the agreement, those of a host like this version's. */
guint32 vsock_stream_expected_capabilities(VsockStream *stream);
/* Requests that may be in flight. */
guint vsock_stream_depth(VsockStream *stream);
/*
 * Ask for @picture (taken over; NULL: the last one again) to be encoded. @frame comes back in the answer. If no more
 * may be in flight it is held until it may, and a picture held before it is SKIPPED: there is never more than one.
 */
void vsock_stream_submit(VsockStream *stream, VsockPicture *picture, gpointer frame, GstClockTime pts,
                         GstClockTime duration, gboolean force_keyframe);

/* There is no picture to send for @frame: it is answered @kind (LATE, GIVEN_UP, UNUSED), in its order. */
void vsock_stream_give_up(VsockStream *stream, gpointer frame, VsockAnswerKind kind);

/* The next answer, waited for, also after failure: EOS may come yet. NULL while flushing, or after end(). Must be
 * followed by answer_done() when it was dealt with. */
VsockAnswer *vsock_stream_next_answer(VsockStream *stream);
void vsock_stream_answer_done(VsockStream *stream);
/* Wait until every request was answered and every answer dealt with, @ms at most (0: for ever). A picture held for a
 * host that is away is LOST. */
VsockWait vsock_stream_drain(VsockStream *stream, guint ms);
/* What is held for room is SKIPPED, in its order. */
void vsock_stream_skip_held(VsockStream *stream);
/* Answer DRAINED when every request was answered, or never will be: of one held, as drain(). Does not wait. */
void vsock_stream_drain_later(VsockStream *stream);
/* The picture that waits for room at the host becomes a keyframe. FALSE: none waits. */
gboolean vsock_stream_key_held(VsockStream *stream);
/* A keyframe is wanted: answer REPEAT if no picture that is to be one is submitted within @ms, and the host can repeat;
 * or came back and has seen no picture, or failed at its first. A host that came back is given it without being asked,
 * VSOCK_FIRST_PICTURE_MS after it agreed. */
void vsock_stream_want_picture(VsockStream *stream, guint ms);

/* So long after a picture was submitted, and none since, answer KEEPALIVE; 0: never. Any time. */
void vsock_stream_set_keepalive(VsockStream *stream, guint ms);
/* Whether the source is one that may stand still: of others KEEPALIVE is never answered. Counts from the next picture
 * on. */
void vsock_stream_set_still(VsockStream *stream, gboolean may_stand_still);
/* Count the keepalive time from now on, as if a picture had been submitted; or, @again FALSE, from the next picture on.
 */
void vsock_stream_count_keepalive(VsockStream *stream, gboolean again);

/* Whether the host is to be given the last picture again: it came back and was sent none yet, or the first one failed
 * for now; and no other is held for it. */
gboolean vsock_stream_wants_first(VsockStream *stream);
/* ... to repeat its last picture, which failed for now, as no other has come since. */
gboolean vsock_stream_wants_last(VsockStream *stream);

/* While set, nothing waits here. */
void vsock_stream_set_flushing(VsockStream *stream, gboolean flushing);
/* Whether it is set, or all has ended. */
gboolean vsock_stream_is_flushing(VsockStream *stream);
/* Forget what was submitted: answers to come are consumed silently. Frames are freed with @free_frame. A
 * decoder then lacks references: the next picture must be an IDR. */
void vsock_stream_discard(VsockStream *stream, GDestroyNotify free_frame);

/* Whether error @code says that the host cannot read a picture in the way it was given: another way may do. */
gboolean vsock_is_trial_code(gint32 code);
/* ... that the same request may succeed a little later. */
gboolean vsock_is_passing_code(gint32 code);

#endif
