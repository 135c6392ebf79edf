/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vt-session.c - the thread of a compression session.
 *
 * The encode thread gives one order at a time and waits for it; the data of an order is in the session and owned by its
 * thread until the order is done. No lock is held across a call into VideoToolbox, because such a call may wait for a
 * callback to return.
 */
#include <pthread/qos.h>

#include "../../protocol/error.h"
#include "../../loop/autorelease.h"
#include "../../loop/threads.h"
#include "vt-session-private.h"

gboolean helix_vt_session_lost(OSStatus status)
{
    return status == kVTInvalidSessionErr || status == kVTVideoEncoderMalfunctionErr ||
        status == kVTSessionMalfunctionErr || status == kVTVideoEncoderNotAvailableNowErr ||
        status == kVTCouldNotCreateInstanceErr;
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

/* ---- the session's thread ---- */

static void tear_down(HelixVtSession *session)
{
    VTCompressionSessionRef vt = session->made.vt;
    void *pool;

    if (!vt) {
        return;
    }
    pool = objc_autoreleasePoolPush();
    if (!session->lost) {
        /* kCMTimeInvalid means all frames. A lost session may never return from this. */
        VTCompressionSessionCompleteFrames(vt, kCMTimeInvalid);
    }
    VTCompressionSessionInvalidate(vt); /* also joins the threads that may still call back */
    CFRelease(vt);
    session->made.vt = NULL;
    objc_autoreleasePoolPop(pool);
}

/* In a pool: what VideoToolbox autoreleases lasts no longer than an order. */
static void carry_out(HelixVtSession *session, HelixVtOrder order)
{
    void *pool = objc_autoreleasePoolPush();

    session->status = 0;
    switch (order) {
    case HELIX_VT_ORDER_OPEN:
        helix_vt_open_best(&session->config, session->hardware_only, helix_vt_session_take_output, session,
                           &session->made, session->tried);
        break;
    case HELIX_VT_ORDER_CONFIGURE:
        session->status = helix_vt_set_properties(&session->made, &session->config, &session->before);
        break;
    case HELIX_VT_ORDER_ENCODE:
        session->status = VTCompressionSessionEncodeFrame(
            session->made.vt, session->buffer, CMTimeMake(session->stamp, 1000000000),
            CMTimeMake(session->duration, 1000000000), session->force ? session->force_idr : NULL,
            GSIZE_TO_POINTER(session->number), &session->flags);
        CFRelease(session->buffer);
        break;
    default:
        /* An encoder without low-latency rate control may hold a frame back until more arrive. */
        session->status = VTCompressionSessionCompleteFrames(session->made.vt, kCMTimeInvalid);
        break;
    }
    objc_autoreleasePoolPop(pool);
}

static gpointer session_main(gpointer data)
{
    HelixVtSession *session = data;
    gboolean abandoned;

    /* A frame on its way to a screen waits for this thread: macOS may run others on slow cores. */
    pthread_set_qos_class_self_np(QOS_CLASS_USER_INTERACTIVE, 0);
    g_mutex_lock(&session->lock);
    while (session->order != HELIX_VT_ORDER_NONE || !session->end) {
        if (session->order == HELIX_VT_ORDER_NONE) {
            g_cond_wait(&session->changed, &session->lock);
            continue;
        }
        g_mutex_unlock(&session->lock);
        carry_out(session, session->order);
        g_mutex_lock(&session->lock);
        session->lost |= session->hangs;
        session->order = HELIX_VT_ORDER_NONE;
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
        helix_vt_count_hung(-1);
    }
    return NULL;
}

/* ---- the owner ---- */

/* FALSE: not carried out before @until, and what belongs to the session is its thread's for good. */
gboolean helix_vt_session_give(HelixVtSession *session, HelixVtOrder order, gint64 until)
{
    gboolean done;

    g_mutex_lock(&session->lock);
    if (!session->hangs) {
        session->order = order;
        g_cond_broadcast(&session->changed);
        while (session->order != HELIX_VT_ORDER_NONE && g_cond_wait_until(&session->changed, &session->lock, until)) {
            continue;
        }
        session->hangs = session->order != HELIX_VT_ORDER_NONE;
    }
    done = !session->hangs;
    g_mutex_unlock(&session->lock);
    return done;
}

static HelixVtSession *session_new(const HelixEncoderConfig *config, gboolean hardware_only, gboolean plain,
                                   GError **error)
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
    session->config = *config;
    session->hardware_only = hardware_only;
    session->made.plain = plain;
    session->tried = g_string_new(NULL);
    session->force_idr = CFDictionaryCreate(kCFAllocatorDefault, &key, &value, 1, &kCFTypeDictionaryKeyCallBacks,
                                            &kCFTypeDictionaryValueCallBacks);
    helix_threads_begin(&before, FALSE);
    session->thread = g_thread_try_new("helix-vt", session_main, session, &refused);
    helix_threads_end(&before);
    if (!session->thread) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
                    "the host can't start a thread for another VideoToolbox session: "
                    "%s; try again later",
                    refused->message);
        free_session(session);
        return NULL;
    }
    if (!helix_vt_session_give(session, HELIX_VT_ORDER_OPEN, g_get_monotonic_time() + HELIX_VT_OPEN_WITHIN_US)) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
                    "VideoToolbox opened no session for %u x %u within five "
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

HelixVtSession *helix_vt_session_new(const HelixEncoderConfig *config, gboolean hardware_only, gboolean plain,
                                     GError **error)
{
    HelixVtSession *session;

    if (!helix_vt_opening_begin()) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER, "VideoToolbox does not answer: %u sessions hang in it",
                    HELIX_VT_MAX_HUNG);
        return NULL;
    }
    session = session_new(config, hardware_only, plain, error);
    helix_vt_opening_end();
    return session;
}

void helix_vt_session_free(HelixVtSession *session)
{
    gint64 until = g_get_monotonic_time() + HELIX_VT_DEAD_AFTER_US;

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
        helix_vt_count_hung(1);
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
    if (helix_vt_session_give(session, HELIX_VT_ORDER_CONFIGURE, g_get_monotonic_time() + HELIX_VT_DEAD_AFTER_US)) {
        status = session->status;
        session->lost = helix_vt_session_lost(status);
    }
    return status;
}
