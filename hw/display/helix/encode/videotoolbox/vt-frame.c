/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vt-frame.c - one frame at a time through a compression session.
 *
 * VideoToolbox answers a frame by a callback on threads of its own. The callback gets the frame's number, never a
 * pointer to something that may be freed: VideoToolbox may call it for a frame whose submission it reported as failed.
 */
#include "vt-session-private.h"

/* A frame without an answer for this long is flushed; after HELIX_VT_DEAD_AFTER_US the session is lost. */
#define FLUSH_AFTER_US (250 * G_TIME_SPAN_MILLISECOND)
/* One such frame may be due to a busy Mac. After this many in a row the session is taken to hold every frame back: each
 * is flushed at once. */
#define HELD_BY_HABIT 2u

void helix_vt_session_take_output(void *session_pointer, void *frame_number, OSStatus status, VTEncodeInfoFlags flags,
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

static void begin_frame(HelixVtSession *session)
{
    g_mutex_lock(&session->lock);
    session->number = ++session->frame;
    session->done = FALSE;
    session->output = (HelixVtOutput){ 0 };
    g_mutex_unlock(&session->lock);
}

/* Wait until the frame is answered, or until @until. */
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

/* Take the result; later answers are dropped. @dropped: no answer is expected. */
static HelixVtOutput end_frame(HelixVtSession *session, OSStatus status, gboolean dropped)
{
    HelixVtOutput output;

    g_mutex_lock(&session->lock);
    output = session->output;
    session->output = (HelixVtOutput){ 0 };
    if (!session->done) {
        output.status = dropped ? 0 : kVTVideoEncoderMalfunctionErr;
        output.dropped = dropped;
        output.unanswered = !dropped;
    }
    session->done = TRUE;
    if (status != 0) {
        if (output.sample) {
            CFRelease(output.sample);
        }
        output = (HelixVtOutput){ .status = status, .unanswered = session->hangs };
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
    hangs = session->hangs; /* for example the flush of a frame that was answered nevertheless */
    g_mutex_unlock(&session->lock);
    if (hangs) {
        return (HelixVtOutput){ .status = kVTVideoEncoderMalfunctionErr, .unanswered = TRUE };
    }
    begin_frame(session);
    session->buffer = (CVPixelBufferRef)CFRetain(buffer);
    session->stamp = stamp;
    session->duration = duration;
    session->force = force_idr;
    session->flags = 0;
    if (!helix_vt_session_give(session, HELIX_VT_ORDER_ENCODE, start + HELIX_VT_DEAD_AFTER_US)) {
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
    } else if (helix_vt_session_give(session, HELIX_VT_ORDER_FLUSH, start + HELIX_VT_DEAD_AFTER_US) &&
               wait_answer(session, start + HELIX_VT_DEAD_AFTER_US) && session->held < HELD_BY_HABIT) {
        session->held++;
        if (session->held == HELD_BY_HABIT) {
            g_message("VideoToolbox holds each frame back until it is flushed: from now on each frame is flushed "
                      "at once, not after %d ms",
                      (int)(FLUSH_AFTER_US / G_TIME_SPAN_MILLISECOND));
        }
    }
    return end_frame(session, 0, FALSE);
}
