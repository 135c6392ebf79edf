/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vt-session.c - a VTCompressionSession: making one, its properties, and one frame at a time through it.
 *
 * VideoToolbox answers by a callback on threads of its own. The callback gets a frame's number, never a pointer to
 * something that could be gone: VideoToolbox may call it for a frame whose submission it reported as failed. No lock is
 * held across a call into VideoToolbox, because such a call may wait for a callback to return.
 */
#include "encoder-videotoolbox.h"
#include "error.h"

/* Without an answer for so long, frames are forced out, and after that the session is taken for dead. */
#define FLUSH_AFTER_US  (250 * G_TIME_SPAN_MILLISECOND)
#define DEAD_AFTER_US   (2 * G_TIME_SPAN_SECOND)
#define NO_KEYFRAMES    G_MAXINT32

#ifdef __APPLE__
#define IF_MACOS(version) if (__builtin_available(macOS version, *))
#else
#define IF_MACOS(version) if (TRUE)
#endif

struct HelixVtSession {
    VTCompressionSessionRef vt;
    CFDictionaryRef force_idr;  /* frame properties */
    gboolean hardware, low_latency;
    guint refused;

    GMutex lock;                /* what follows: shared with VideoToolbox's threads */
    GCond answered;
    guint64 frame;              /* the number of the one waited for; others' answers are thrown away */
    gboolean done;
    HelixVtOutput output;
};

static gboolean software_allowed = TRUE;

void helix_videotoolbox_allow_software(gboolean allow)
{
    g_atomic_int_set(&software_allowed, allow);
}

gboolean helix_vt_session_lost(OSStatus status)
{
    return status == kVTInvalidSessionErr || status == kVTVideoEncoderMalfunctionErr ||
        status == kVTSessionMalfunctionErr ||
           status == kVTVideoEncoderNotAvailableNowErr;
}

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
        g_cond_signal(&session->answered);
    }
    g_mutex_unlock(&session->lock);
}

/* ---- properties ---- */

static OSStatus set_number(HelixVtSession *session, CFStringRef key, gint32 value)
{
    CFNumberRef number = CFNumberCreate(kCFAllocatorDefault, kCFNumberSInt32Type, &value);
    OSStatus status = VTSessionSetProperty(session->vt, key, number);

    CFRelease(number);
    return status;
}

static OSStatus set_double(HelixVtSession *session, CFStringRef key, double value)
{
    CFNumberRef number = CFNumberCreate(kCFAllocatorDefault, kCFNumberDoubleType, &value);
    OSStatus status = VTSessionSetProperty(session->vt, key, number);

    CFRelease(number);
    return status;
}

/* For what it can do without; a lost session is passed on. */
static OSStatus optional(HelixVtSession *session, OSStatus status, const char *what)
{
    if (status == 0 || helix_vt_session_lost(status)) {
        return status;
    }
    session->refused++;
    g_info("VideoToolbox does not take %s (%d)", what, (int)status);
    return 0;
}

static CFStringRef profile_level(guint8 profile)
{
    switch (profile) {
    case 66:
        return kVTProfileLevel_H264_Baseline_AutoLevel;
    case 77:
        return kVTProfileLevel_H264_Main_AutoLevel;
    default:
        return kVTProfileLevel_H264_High_AutoLevel;
    }
}

/* Once a session. */
static OSStatus set_fixed(HelixVtSession *session, const HelixEncoderConfig *config)
{
    OSStatus status;

    /* Without this a decoder would get pictures in another order than they were asked for: never do without. */
    status = VTSessionSetProperty(session->vt, kVTCompressionPropertyKey_AllowFrameReordering, kCFBooleanFalse);
    if (status == 0) {
        status = VTSessionSetProperty(session->vt, kVTCompressionPropertyKey_ProfileLevel,
                                      profile_level(config->profile));
        if (config->profile == 100) {
            status = optional(session, status, "High profile");         /* then it is the one it would choose itself */
        }
    }
    if (status == 0) {
        status = optional(session, VTSessionSetProperty(session->vt, kVTCompressionPropertyKey_RealTime,
                                                        config->realtime ? kCFBooleanTrue : kCFBooleanFalse),
                                                        "RealTime");
    }
    IF_MACOS(11.0) {
        if (status == 0) {
            status = optional(session,
                              VTSessionSetProperty(session->vt,
                                                   kVTCompressionPropertyKey_PrioritizeEncodingSpeedOverQuality,
                                                   kCFBooleanTrue), "PrioritizeEncodingSpeedOverQuality");
        }
    }
    if (status == 0) {
        status = optional(session, set_number(session, kVTCompressionPropertyKey_MaxFrameDelayCount, 0),
                          "MaxFrameDelayCount");
    }
    if (status == 0) {
        status = optional(session, VTSessionSetProperty(session->vt, kVTCompressionPropertyKey_ColorPrimaries,
                                                        kCVImageBufferColorPrimaries_ITU_R_709_2), "ColorPrimaries");
    }
    if (status == 0) {
        status = optional(session, VTSessionSetProperty(session->vt, kVTCompressionPropertyKey_TransferFunction,
                                                        kCVImageBufferTransferFunction_ITU_R_709_2),
                                                        "TransferFunction");
    }
    if (status == 0) {
        status = optional(session, VTSessionSetProperty(session->vt, kVTCompressionPropertyKey_YCbCrMatrix,
                                                        kCVImageBufferYCbCrMatrix_ITU_R_709_2), "YCbCrMatrix");
    }
    return status;
}

static OSStatus set_quantisers(HelixVtSession *session, const HelixEncoderConfig *config,
                               const HelixEncoderConfig *before)
{
    OSStatus status = 0;

    if (config->max_qp != (before ? before->max_qp : 0)) {
        IF_MACOS(12.0) {
            status = optional(session, set_number(session, kVTCompressionPropertyKey_MaxAllowedFrameQP,
                                                  config->max_qp ? config->max_qp : 51), "MaxAllowedFrameQP");
        }
    }
    if (status == 0 && config->min_qp != (before ? before->min_qp : 0)) {
        IF_MACOS(13.0) {
            status = optional(session, set_number(session, kVTCompressionPropertyKey_MinAllowedFrameQP, config->min_qp),
                              "MinAllowedFrameQP");
        }
    }
    return status;
}

OSStatus helix_vt_session_configure(HelixVtSession *session, const HelixEncoderConfig *config,
                                    const HelixEncoderConfig *before)
{
    OSStatus status = 0;

    /* Some encoders put nothing out at all without a bit rate and a frame rate. */
    if (!before || config->bitrate != before->bitrate) {
        status = set_number(session, kVTCompressionPropertyKey_AverageBitRate, (gint32)MIN(config->bitrate,
                                                                                           G_MAXINT32));
    }
    if (status == 0 && (!before || config->fps_num != before->fps_num || config->fps_den != before->fps_den)) {
        status = set_double(session, kVTCompressionPropertyKey_ExpectedFrameRate,
                            (double)config->fps_num / config->fps_den);
        status = optional(session, status, "ExpectedFrameRate");
    }
    if (status == 0 && (!before || config->key_int_max != before->key_int_max)) {
        /* 0 would leave key frames to the encoder's taste */
        gint32 interval = config->key_int_max ? (gint32)MIN(config->key_int_max, G_MAXINT32) : NO_KEYFRAMES;

        status = optional(session, set_number(session, kVTCompressionPropertyKey_MaxKeyFrameInterval, interval),
                          "MaxKeyFrameInterval");
    }
    return status ? status : set_quantisers(session, config, before);
}

/* ---- making one ---- */

typedef struct Rung {
    const char *name;
    gboolean low_latency, hardware;
} Rung;

static const Rung ladder[] = {
    { "hardware with low-latency rate control", TRUE, TRUE },
    { "hardware", FALSE, TRUE },
    { "software", FALSE, FALSE },
};

static gboolean rung_applies(const Rung *rung, const HelixEncoderConfig *config)
{
    if (rung->low_latency && config->profile != 100) {
        return FALSE;           /* it only has High profiles */
    }
    return rung->hardware || g_atomic_int_get(&software_allowed);
}

static CFDictionaryRef specification(const Rung *rung, gboolean *low_latency)
{
    const void *keys[2], *values[2] = { kCFBooleanTrue, kCFBooleanTrue };
    CFIndex n = 0;

    *low_latency = FALSE;
    if (rung->hardware) {
        keys[n++] = kVTVideoEncoderSpecification_RequireHardwareAcceleratedVideoEncoder;
    }
    if (rung->low_latency) {
        IF_MACOS(12.0.1) {
            keys[n++] = kVTVideoEncoderSpecification_EnableLowLatencyRateControl;
            *low_latency = TRUE;
        }
    }
    return CFDictionaryCreate(kCFAllocatorDefault, keys, values, n, &kCFTypeDictionaryKeyCallBacks,
                              &kCFTypeDictionaryValueCallBacks);
}

/* Without it there is no telling; software is what is then assumed. */
static gboolean uses_hardware(VTCompressionSessionRef vt)
{
    CFBooleanRef value = NULL;
    gboolean hardware = FALSE;

    if (VTSessionCopyProperty(vt, kVTCompressionPropertyKey_UsingHardwareAcceleratedVideoEncoder, kCFAllocatorDefault,
                              &value) == 0 && value) {
        hardware = CFBooleanGetValue(value);
        CFRelease(value);
    }
    return hardware;
}

static OSStatus try_rung(HelixVtSession *session, const Rung *rung, const HelixEncoderConfig *config)
{
    CFDictionaryRef spec = specification(rung, &session->low_latency);
    OSStatus status;

    status = VTCompressionSessionCreate(kCFAllocatorDefault, (gint32)config->width, (gint32)config->height,
                                        kCMVideoCodecType_H264, spec, NULL, NULL, take_output, session, &session->vt);
    CFRelease(spec);
    if (status != 0) {
        session->vt = NULL;
        return status;
    }
    session->refused = 0;
    status = set_fixed(session, config);
    if (status == 0) {
        status = helix_vt_session_configure(session, config, NULL);
    }
    if (status == 0) {
        status = VTCompressionSessionPrepareToEncodeFrames(session->vt);
    }
    if (status != 0) {
        VTCompressionSessionInvalidate(session->vt);
        CFRelease(session->vt);
        session->vt = NULL;
        return status;
    }
    session->hardware = uses_hardware(session->vt);
    return 0;
}

HelixVtSession *helix_vt_session_new(const HelixEncoderConfig *config, GError **error)
{
    HelixVtSession *session = g_new0(HelixVtSession, 1);
    const void *key = kVTEncodeFrameOptionKey_ForceKeyFrame, *value = kCFBooleanTrue;
    g_autoptr(GString) tried = g_string_new(NULL);

    g_mutex_init(&session->lock);
    g_cond_init(&session->answered);
    session->force_idr = CFDictionaryCreate(kCFAllocatorDefault, &key, &value, 1, &kCFTypeDictionaryKeyCallBacks,
                                            &kCFTypeDictionaryValueCallBacks);
    for (guint i = 0; i < G_N_ELEMENTS(ladder); i++) {
        OSStatus status;

        if (!rung_applies(&ladder[i], config)) {
            continue;
        }
        status = try_rung(session, &ladder[i], config);
        if (status == 0) {
            g_info("VideoToolbox session %u x %u: asked for %s, got %s", config->width, config->height, ladder[i].name,
                   session->hardware ? "hardware" : "software");
            return session;
        }
        g_string_append_printf(tried, "%s%s (%d)", tried->len ? ", " : "", ladder[i].name, (int)status);
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER, "VideoToolbox has no H.264 encoder for %u x %u, profile "
                "%u: tried %s",
                config->width, config->height, config->profile, tried->str);
    helix_vt_session_free(session);
    return NULL;
}

void helix_vt_session_free(HelixVtSession *session)
{
    if (!session) {
        return;
    }
    if (session->vt) {
        /* A time that is no number means all frames. Invalidation then joins the threads that could still call back. */
        VTCompressionSessionCompleteFrames(session->vt, kCMTimeInvalid);
        VTCompressionSessionInvalidate(session->vt);
        CFRelease(session->vt);
    }
    CFRelease(session->force_idr);
    g_mutex_clear(&session->lock);
    g_cond_clear(&session->answered);
    g_free(session);
}

gboolean helix_vt_session_hardware(const HelixVtSession *session)
{
    return session->hardware;
}

gboolean helix_vt_session_low_latency(const HelixVtSession *session)
{
    return session->low_latency;
}

guint helix_vt_session_refused(const HelixVtSession *session)
{
    return session->refused;
}

/* ---- a frame ---- */

static guint64 begin_frame(HelixVtSession *session)
{
    guint64 frame;

    g_mutex_lock(&session->lock);
    frame = ++session->frame;
    session->done = FALSE;
    session->output = (HelixVtOutput) { 0 };
    g_mutex_unlock(&session->lock);
    return frame;
}

/* Wait until the frame is answered or @until. */
static gboolean wait_answer(HelixVtSession *session, gint64 until)
{
    gboolean done;

    g_mutex_lock(&session->lock);
    while (!session->done && g_cond_wait_until(&session->answered, &session->lock, until)) {
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
    session->output = (HelixVtOutput) { 0 };
    if (!session->done) {
        output.status = dropped ? 0 : kVTVideoEncoderMalfunctionErr;
        output.dropped = dropped;
    }
    session->done = TRUE;
    g_mutex_unlock(&session->lock);
    if (status != 0) {
        if (output.sample) {
            CFRelease(output.sample);
        }
        output = (HelixVtOutput) { .status = status };
    }
    return output;
}

HelixVtOutput helix_vt_session_encode(HelixVtSession *session, CVPixelBufferRef buffer, gint64 stamp, gint64 duration,
                                      gboolean force_idr)
{
    guint64 frame = begin_frame(session);
    gint64 start = g_get_monotonic_time();
    VTEncodeInfoFlags flags = 0;
    OSStatus status;

    status = VTCompressionSessionEncodeFrame(session->vt, buffer, CMTimeMake(stamp, 1000000000),
                                             CMTimeMake(duration, 1000000000), force_idr ? session->force_idr : NULL,
                                             GSIZE_TO_POINTER(frame), &flags);
    if (status != 0) {
        return end_frame(session, status, FALSE);
    }
    if (flags & kVTEncodeInfo_FrameDropped) {
        return end_frame(session, 0, TRUE);
    }
    if (!wait_answer(session, start + FLUSH_AFTER_US)) {
        /* An encoder without low-latency rate control may sit on it until more come. */
        VTCompressionSessionCompleteFrames(session->vt, kCMTimeInvalid);
        wait_answer(session, start + DEAD_AFTER_US);
    }
    return end_frame(session, 0, FALSE);
}
