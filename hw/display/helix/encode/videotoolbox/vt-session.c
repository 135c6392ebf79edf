/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vt-session.c - the thread of a compression session, and one frame at a time through it.
 *
 * The encoder's thread gives one order at a time and waits for it; what an order needs lies in the session, and belongs
 * to its thread until the order is done. VideoToolbox answers a frame by a callback on threads of its own, which gets
 * the frame's number, never a pointer to something that could be gone: VideoToolbox may call it for a frame whose
 * submission it reported as failed. No lock is held across a call into VideoToolbox, because such a call may wait for a
 * callback to return.
 */
#include "../../protocol/error.h"
#include "../../loop/threads.h"
#include "vt-session.h"

/* Without an answer for so long, a frame is forced out, and after that the session is taken for dead. */
#define FLUSH_AFTER_US (250 * G_TIME_SPAN_MILLISECOND)
#define DEAD_AFTER_US (2 * G_TIME_SPAN_SECOND)
/* One such frame may be a busy Mac's; so many in a row are the session's way: all others are forced out at once. */
#define HELD_BY_HABIT 2u
/* The first session starts the process that encodes. */
#define OPEN_WITHIN_US (5 * G_TIME_SPAN_SECOND)
/* With so many threads that hang in it, VideoToolbox is left alone. */
#define MAX_HUNG 4u

typedef enum Order { ORDER_NONE, ORDER_OPEN, ORDER_CONFIGURE, ORDER_ENCODE, ORDER_FLUSH } Order;

struct HelixVtSession {
    gatomicrefcount refs; /* the owner's, the thread's */
    GThread *thread;

    /* The thread's while it carries out an order, else the owner's. */
    HelixVtMade made;          /* vt NULL: none was to be had, or it is gone */
    CFDictionaryRef force_idr; /* frame properties */
    gboolean lost;
    guint held; /* the last frames that came only when they were forced out, HELD_BY_HABIT at most */
    gboolean hardware_only;
    HelixEncoderConfig config, before;
    GString *tried;          /* rungs of the ladder that did not hold */
    OSStatus status;         /* what came of an order */
    CVPixelBufferRef buffer; /* retained */
    gint64 stamp, duration;  /* ns */
    gboolean force;
    guint64 number;
    VTEncodeInfoFlags flags;

    GMutex lock; /* what follows: shared with VideoToolbox's threads too */
    GCond changed;
    Order order;    /* ORDER_NONE: done */
    gboolean hangs; /* an order was not carried out in time: no other is given */
    gboolean end, ended, abandoned;
    guint64 frame; /* the number of the one waited for; others' answers are thrown away */
    gboolean done;
    HelixVtOutput output;
};

/* Sessions are made by many threads, and each may hang: those that are being made count with those that do. */
static GMutex count_lock;
static GCond count_changed;
static guint hung, opening;

gboolean helix_vt_session_lost(OSStatus status)
{
    return status == kVTInvalidSessionErr || status == kVTVideoEncoderMalfunctionErr ||
        status == kVTSessionMalfunctionErr || status == kVTVideoEncoderNotAvailableNowErr;
}

static void free_session(HelixVtSession *session)
{
    CFRelease(session->force_idr);
    g_string_free(session->tried, TRUE);
    g_mutex_clear(&session->lock);
    g_cond_clear(&session->changed);
    g_free(session);
}

static void session_unref(HelixVtSession *session)
{
    if (g_atomic_ref_count_dec(&session->refs)) {
        free_session(session);
    }
}

/* ---- how many hang ---- */

static void add_hung(gint n)
{
    g_mutex_lock(&count_lock);
    hung = (guint)((gint)hung + n);
    g_cond_broadcast(&count_changed);
    g_mutex_unlock(&count_lock);
}

/*
 * Room for a session that may hang as it is made; FALSE if MAX_HUNG hang. Waits while those that others are making
 * could bring them to that many: each is made, fails or counts as hanging within OPEN_WITHIN_US.
 */
static gboolean begin_opening(void)
{
    gboolean room;

    g_mutex_lock(&count_lock);
    while (hung < MAX_HUNG && hung + opening >= MAX_HUNG) {
        g_cond_wait(&count_changed, &count_lock);
    }
    room = hung < MAX_HUNG;
    opening += room;
    g_mutex_unlock(&count_lock);
    return room;
}

static void end_opening(void)
{
    g_mutex_lock(&count_lock);
    opening--;
    g_cond_broadcast(&count_changed);
    g_mutex_unlock(&count_lock);
}

guint helix_vt_sessions_hung(void)
{
    guint count;

    g_mutex_lock(&count_lock);
    count = hung;
    g_mutex_unlock(&count_lock);
    return count;
}

/* ---- VideoToolbox's threads ---- */

static void take_output(void *session_pointer, void *frame_number, OSStatus status, VTEncodeInfoFlags flags,
                        CMSampleBufferRef sample)
{
    HelixVtSession *session = session_pointer;

    g_mutex_lock(&session->lock);
    if (GPOINTER_TO_SIZE(frame_number) == session->frame && !session->done) {
        session->done = TRUE;
        session->output.status = status;
        if (status == 0 && sample && !(flags & kVTEncodeInfo_FrameDropped)) {
            session->output.sample = (CMSampleBufferRef)CFRetain(sample);
        } else {
            session->output.dropped = status == 0;
        }
        g_cond_broadcast(&session->changed);
    }
    g_mutex_unlock(&session->lock);
}

/* ---- the session's thread ---- */

static void tear_down(HelixVtSession *session)
{
    VTCompressionSessionRef vt = session->made.vt;

    if (!vt) {
        return;
    }
    if (!session->lost) {
        /* A time that is no number means all frames. A lost session may never come back from this. */
        VTCompressionSessionCompleteFrames(vt, kCMTimeInvalid);
    }
    VTCompressionSessionInvalidate(vt); /* and joins the threads that could still call back */
    CFRelease(vt);
    session->made.vt = NULL;
}

static void carry_out(HelixVtSession *session, Order order)
{
    session->status = 0;
    switch (order) {
    case ORDER_OPEN:
        helix_vt_climb(&session->config, session->hardware_only, take_output, session, &session->made, session->tried);
        break;
    case ORDER_CONFIGURE:
        session->status = helix_vt_set_properties(session->made.vt, &session->config, &session->before,
                                                  &session->made.refused);
        break;
    case ORDER_ENCODE:
        session->status = VTCompressionSessionEncodeFrame(
            session->made.vt, session->buffer, CMTimeMake(session->stamp, 1000000000),
            CMTimeMake(session->duration, 1000000000), session->force ? session->force_idr : NULL,
            GSIZE_TO_POINTER(session->number), &session->flags);
        CFRelease(session->buffer);
        break;
    default:
        /* An encoder without low-latency rate control may sit on a frame until more come. */
        session->status = VTCompressionSessionCompleteFrames(session->made.vt, kCMTimeInvalid);
        break;
    }
}

static gpointer session_main(gpointer data)
{
    HelixVtSession *session = data;
    gboolean abandoned;

    g_mutex_lock(&session->lock);
    while (session->order != ORDER_NONE || !session->end) {
        if (session->order == ORDER_NONE) {
            g_cond_wait(&session->changed, &session->lock);
            continue;
        }
        g_mutex_unlock(&session->lock);
        carry_out(session, session->order);
        g_mutex_lock(&session->lock);
        session->lost |= session->hangs;
        session->order = ORDER_NONE;
        g_cond_broadcast(&session->changed);
    }
    g_mutex_unlock(&session->lock);
    tear_down(session);
    g_mutex_lock(&session->lock);
    session->ended = TRUE;
    abandoned = session->abandoned;
    g_cond_broadcast(&session->changed);
    g_mutex_unlock(&session->lock);
    session_unref(session);
    if (abandoned) {
        g_info("VideoToolbox came back from a call that had hung");
        add_hung(-1);
    }
    return NULL;
}

/* ---- the owner ---- */

/* FALSE: not carried out before @until, and what belongs to the session is its thread's for good. */
static gboolean give(HelixVtSession *session, Order order, gint64 until)
{
    gboolean done;

    g_mutex_lock(&session->lock);
    if (!session->hangs) {
        session->order = order;
        g_cond_broadcast(&session->changed);
        while (session->order != ORDER_NONE && g_cond_wait_until(&session->changed, &session->lock, until)) {
            continue;
        }
        session->hangs = session->order != ORDER_NONE;
    }
    done = !session->hangs;
    g_mutex_unlock(&session->lock);
    return done;
}

static HelixVtSession *session_new(const HelixEncoderConfig *config, gboolean hardware_only, GError **error)
{
    const void *key = kVTEncodeFrameOptionKey_ForceKeyFrame, *value = kCFBooleanTrue;
    g_autoptr(GError) refused = NULL;
    HelixThreadsBefore before;
    HelixVtSession *session;

    session = g_new0(HelixVtSession, 1);
    g_atomic_ref_count_init(&session->refs);
    g_atomic_ref_count_inc(&session->refs);
    g_mutex_init(&session->lock);
    g_cond_init(&session->changed);
    session->hardware_only = hardware_only;
    session->config = *config;
    session->tried = g_string_new(NULL);
    session->force_idr = CFDictionaryCreate(kCFAllocatorDefault, &key, &value, 1, &kCFTypeDictionaryKeyCallBacks,
                                            &kCFTypeDictionaryValueCallBacks);
    helix_threads_begin(&before, FALSE);
    session->thread = g_thread_try_new("helix-vt", session_main, session, &refused);
    helix_threads_end(&before);
    if (!session->thread) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
                    "the host has no thread for another VideoToolbox session: "
                    "%s; try again later",
                    refused->message);
        free_session(session);
        return NULL;
    }
    if (!give(session, ORDER_OPEN, g_get_monotonic_time() + OPEN_WITHIN_US)) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
                    "VideoToolbox made no session for %u x %u within five "
                    "seconds",
                    config->width, config->height);
    } else if (!session->made.vt) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
                    "VideoToolbox has no H.264 encoder for %u x %u, profile "
                    "%u: tried %s%s",
                    config->width, config->height, config->profile, session->tried->str,
                    hardware_only ? "; software is forbidden" : "");
    } else {
        return session;
    }
    helix_vt_session_free(session);
    return NULL;
}

HelixVtSession *helix_vt_session_new(const HelixEncoderConfig *config, gboolean hardware_only, GError **error)
{
    HelixVtSession *session;

    if (!begin_opening()) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER, "VideoToolbox does not answer: %u sessions hang in it",
                    MAX_HUNG);
        return NULL;
    }
    session = session_new(config, hardware_only, error);
    end_opening();
    return session;
}

void helix_vt_session_free(HelixVtSession *session)
{
    gint64 until = g_get_monotonic_time() + DEAD_AFTER_US;

    if (!session) {
        return;
    }
    g_mutex_lock(&session->lock);
    session->end = TRUE;
    g_cond_broadcast(&session->changed);
    while (!session->ended && !session->hangs && g_cond_wait_until(&session->changed, &session->lock, until)) {
        continue;
    }
    session->abandoned = !session->ended;
    if (session->abandoned) {
        add_hung(1);
    }
    g_mutex_unlock(&session->lock);
    if (session->abandoned) {
        g_thread_unref(session->thread);
    } else {
        g_thread_join(session->thread);
    }
    session_unref(session);
}

gboolean helix_vt_session_hardware(const HelixVtSession *session)
{
    return session->made.hardware;
}

gboolean helix_vt_session_low_latency(const HelixVtSession *session)
{
    return session->made.low_latency;
}

guint helix_vt_session_refused(const HelixVtSession *session)
{
    return session->made.refused;
}

OSStatus helix_vt_session_configure(HelixVtSession *session, const HelixEncoderConfig *config,
                                    const HelixEncoderConfig *before)
{
    OSStatus status = kVTVideoEncoderMalfunctionErr;

    session->config = *config;
    session->before = *before;
    if (give(session, ORDER_CONFIGURE, g_get_monotonic_time() + DEAD_AFTER_US)) {
        status = session->status;
        session->lost = helix_vt_session_lost(status);
    }
    return status;
}

/* ---- a frame ---- */

static void begin_frame(HelixVtSession *session)
{
    g_mutex_lock(&session->lock);
    session->number = ++session->frame;
    session->done = FALSE;
    session->output = (HelixVtOutput){ 0 };
    g_mutex_unlock(&session->lock);
}

/* Wait until the frame is answered or @until. */
static gboolean wait_answer(HelixVtSession *session, gint64 until)
{
    gboolean done;

    g_mutex_lock(&session->lock);
    while (!session->done && g_cond_wait_until(&session->changed, &session->lock, until)) {
        continue;
    }
    done = session->done;
    g_mutex_unlock(&session->lock);
    return done;
}

/* Nothing that comes later counts. @dropped: no answer is to be expected. */
static HelixVtOutput end_frame(HelixVtSession *session, OSStatus status, gboolean dropped)
{
    HelixVtOutput output;

    g_mutex_lock(&session->lock);
    output = session->output;
    session->output = (HelixVtOutput){ 0 };
    if (!session->done) {
        output.status = dropped ? 0 : kVTVideoEncoderMalfunctionErr;
        output.dropped = dropped;
    }
    session->done = TRUE;
    if (status != 0) {
        if (output.sample) {
            CFRelease(output.sample);
        }
        output = (HelixVtOutput){ .status = status };
    }
    if (!session->hangs) {
        session->lost = helix_vt_session_lost(output.status);
    }
    g_mutex_unlock(&session->lock);
    return output;
}

HelixVtOutput helix_vt_session_encode(HelixVtSession *session, CVPixelBufferRef buffer, gint64 stamp, gint64 duration,
                                      gboolean force_idr)
{
    gint64 start = g_get_monotonic_time();
    gboolean hangs;

    g_mutex_lock(&session->lock);
    hangs = session->hangs; /* the flush of a frame that was answered all the same, say */
    g_mutex_unlock(&session->lock);
    if (hangs) {
        return (HelixVtOutput){ .status = kVTVideoEncoderMalfunctionErr };
    }
    begin_frame(session);
    session->buffer = (CVPixelBufferRef)CFRetain(buffer);
    session->stamp = stamp;
    session->duration = duration;
    session->force = force_idr;
    session->flags = 0;
    if (!give(session, ORDER_ENCODE, start + DEAD_AFTER_US)) {
        return end_frame(session, kVTVideoEncoderMalfunctionErr, FALSE);
    }
    if (session->status != 0) {
        return end_frame(session, session->status, FALSE);
    }
    if (session->flags & kVTEncodeInfo_FrameDropped) {
        return end_frame(session, 0, TRUE);
    }
    if (session->held < HELD_BY_HABIT && wait_answer(session, start + FLUSH_AFTER_US)) {
        session->held = 0;
    } else if (give(session, ORDER_FLUSH, start + DEAD_AFTER_US) && wait_answer(session, start + DEAD_AFTER_US) &&
               session->held < HELD_BY_HABIT) {
        session->held++;
        if (session->held == HELD_BY_HABIT) {
            g_message("VideoToolbox keeps each frame back until it is told to give it out: from now on it is told so "
                      "at once, "
                      "not after %d ms",
                      (int)(FLUSH_AFTER_US / G_TIME_SPAN_MILLISECOND));
        }
    }
    return end_frame(session, 0, FALSE);
}
