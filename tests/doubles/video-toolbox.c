/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * video-toolbox.c - compression sessions, each with a thread that calls back.
 *
 * As documented: EncodeFrame may return before the frame is out, CompleteFrames waits for what is pending, Invalidate
 * ends the callbacks, and a session is invalidated with its last reference. from: chromium/chromium
 * media/gpu/mac/vt_video_encode_accelerator_mac.mm (2026): what low-latency encoders say of themselves, sizes that
 * hardware refuses, and frames refused because of a property that was taken.
 */
#include <string.h>

#include <pthread/qos.h>

#include "threads.h"
#include "video-toolbox.h"

DoubleVtOrders double_vt;
DoubleVtSeen double_vt_seen;

typedef struct Frame {
    DoubleBuffer *buffer; /* NULL: only a callback, with @status */
    gboolean force;
    void *refcon;
    OSStatus status;
    gboolean drop;
    /* as they were when it was submitted: the test may change them while the thread works */
    DoubleVtOrders orders;
} Frame;

typedef struct Session {
    DoubleObject object;
    guint width, height;
    gboolean hardware, low_latency;
    VTCompressionOutputCallback callback;
    void *refcon;
    GHashTable *properties; /* key's text -> value, retained; under the lock */
    DoubleCoder *coder;     /* the thread's */
    GThread *thread;
    GMutex lock;
    GCond changed;
    GQueue queue; /* of Frame */
    gboolean busy, flush, quit, invalid, dead;
    guint in_flight, hold;
    gint64 last_stamp;
    void *previous_refcon;
} Session;

static Session *newest; /* the last one created, for double_vt_property(); not retained */
static GMutex newest_lock;

void double_vt_reset(void)
{
    double_vt = (DoubleVtOrders){ 0 };
    double_vt_seen = (DoubleVtSeen){ 0 };
    double_cv = (DoubleCvOrders){ 0 };
}

/* At each call on a session: the framework leaves an object to the caller's pool. */
static void enter(void)
{
    static const DoubleClass autoreleased = { "autoreleased", NULL };

    double_autorelease(double_object_new(&autoreleased, sizeof(DoubleObject)));
    g_atomic_int_add((gint *)&double_vt_seen.without_qos, double_qos_class() != QOS_CLASS_USER_INTERACTIVE);
}

static double property_number(Session *session, CFStringRef key, double otherwise)
{
    CFTypeRef value;
    double number = otherwise;

    g_mutex_lock(&session->lock);
    value = g_hash_table_lookup(session->properties, double_text(key));
    if (value) {
        number = double_number_as_double(value);
    }
    g_mutex_unlock(&session->lock);
    return number;
}

/* ---- the thread ---- */

static CMSampleBufferRef code(Session *session, Frame *frame)
{
    gboolean force = frame->force && !frame->orders.ignore_force;
    CFTypeRef profile;
    guint idc = 100;

    if (!session->coder) {
        g_mutex_lock(&session->lock);
        profile = g_hash_table_lookup(session->properties, "kVTCompressionPropertyKey_ProfileLevel");
        if (profile) {
            idc = strstr(double_text(profile), "Baseline") ? 66 : strstr(double_text(profile), "Main") ? 77 : 100;
        }
        g_mutex_unlock(&session->lock);
        session->coder = double_coder_new(session->width, session->height, idc);
    }
    return double_coder_encode(session->coder, frame->buffer, &frame->orders, force,
                               (gint64)property_number(session, kVTCompressionPropertyKey_AverageBitRate, 0));
}

static void answer(Session *session, Frame *frame)
{
    const DoubleVtOrders *orders = &frame->orders;
    CMSampleBufferRef sample = NULL;
    VTEncodeInfoFlags flags = kVTEncodeInfo_Asynchronous;

    if (orders->delay_us) {
        g_usleep(orders->delay_us);
    }
    if (frame->drop) {
        flags |= orders->drop_silently ? 0 : kVTEncodeInfo_FrameDropped;
    } else if (frame->status == 0) {
        sample = code(session, frame);
    }
    g_mutex_lock(&session->lock);
    session->in_flight--;
    g_mutex_unlock(&session->lock);
    session->callback(session->refcon, frame->refcon, frame->status, flags, sample);
    for (guint i = 0; i < orders->late_callbacks; i++) {
        session->callback(session->refcon, i ? session->previous_refcon : frame->refcon, i ? 0 : kVTParameterErr, flags,
                          sample);
    }
    session->previous_refcon = frame->refcon;
    if (sample) {
        CFRelease(sample);
    }
}

static void frame_free(Frame *frame)
{
    if (frame->buffer) {
        CFRelease(frame->buffer);
    }
    g_free(frame);
}

static gboolean can_answer(const Session *session)
{
    return session->queue.length > (session->flush ? 0 : session->hold);
}

static gpointer run(gpointer data)
{
    Session *session = data;

    g_mutex_lock(&session->lock);
    while (!session->quit) {
        Frame *frame;

        if (!can_answer(session)) {
            session->flush = FALSE;
            g_cond_broadcast(&session->changed);
            g_cond_wait(&session->changed, &session->lock);
            continue;
        }
        frame = g_queue_pop_head(&session->queue);
        session->busy = TRUE;
        g_mutex_unlock(&session->lock);
        answer(session, frame);
        frame_free(frame);
        g_mutex_lock(&session->lock);
        session->busy = FALSE;
    }
    g_mutex_unlock(&session->lock);
    return NULL;
}

/* ---- sessions ---- */

static void invalidate(Session *session)
{
    g_mutex_lock(&session->lock);
    session->invalid = session->quit = TRUE;
    g_cond_broadcast(&session->changed);
    g_mutex_unlock(&session->lock);
    if (session->thread) {
        /* Called from a callback this would wait for itself. */
        g_assert_true(g_thread_self() != session->thread);
        g_thread_join(session->thread);
        session->thread = NULL;
        g_atomic_int_inc((gint *)&double_vt_seen.invalidated); /* sessions that hung end side by side */
    }
    g_queue_clear_full(&session->queue, (GDestroyNotify)frame_free);
}

static void session_finalize(gpointer object)
{
    Session *session = object;

    g_atomic_int_add((gint *)&double_vt_seen.not_invalidated, !session->invalid);
    invalidate(session);
    g_mutex_lock(&newest_lock);
    newest = newest == session ? NULL : newest;
    g_mutex_unlock(&newest_lock);
    if (session->coder) {
        double_coder_free(session->coder);
    }
    g_hash_table_unref(session->properties);
    g_mutex_clear(&session->lock);
    g_cond_clear(&session->changed);
}

static const DoubleClass session_class = { "VTCompressionSession", session_finalize };

static OSStatus creation_status(gboolean low_latency, gboolean hardware, gboolean software, guint width)
{
    if ((hardware && double_vt.no_hardware) || (!software && width < double_vt.least_for_hardware)) {
        return kVTCouldNotFindVideoEncoderErr;
    }
    return low_latency ? double_vt.create_low_latency
        : hardware     ? double_vt.create_hardware
                       : double_vt.create_software;
}

OSStatus VTCompressionSessionCreate(CFAllocatorRef allocator, int32_t width, int32_t height, CMVideoCodecType codec,
                                    CFDictionaryRef spec, CFDictionaryRef source_attributes,
                                    CFAllocatorRef data_allocator, VTCompressionOutputCallback callback, void *refcon,
                                    VTCompressionSessionRef *out)
{
    gboolean low_latency = CFDictionaryGetValue(spec, kVTVideoEncoderSpecification_EnableLowLatencyRateControl) ==
        kCFBooleanTrue;
    gboolean hardware = CFDictionaryGetValue(spec,
                                             kVTVideoEncoderSpecification_RequireHardwareAcceleratedVideoEncoder) ==
        kCFBooleanTrue;
    gboolean software = CFDictionaryGetValue(spec,
                                             kVTVideoEncoderSpecification_EnableHardwareAcceleratedVideoEncoder) ==
        kCFBooleanFalse;
    OSStatus status = double_vt_hang_here(DOUBLE_VT_HANG_CREATE)
        ? kVTVideoEncoderNotAvailableNowErr
        : creation_status(low_latency, hardware, software, (guint)width);
    Session *session;

    enter();
    if (status != 0) {
        return status;
    }
    if (width <= 0 || height <= 0 || width > 4096 || height > 4096 || codec != kCMVideoCodecType_H264) {
        return kVTParameterErr;
    }
    session = double_object_new(&session_class, sizeof(*session));
    session->width = (guint)width;
    session->height = (guint)height;
    session->hardware = hardware;
    session->low_latency = low_latency;
    session->callback = callback;
    session->refcon = refcon;
    session->last_stamp = G_MININT64;
    session->properties = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)CFRelease);
    g_mutex_init(&session->lock);
    g_cond_init(&session->changed);
    g_queue_init(&session->queue);
    session->thread = g_thread_new("vt-double", run, session);
    g_mutex_lock(&newest_lock);
    newest = session; /* several may be made side by side */
    double_vt_seen.sessions++;
    double_vt_seen.width = width;
    double_vt_seen.height = height;
    double_vt_seen.last_low_latency = low_latency;
    double_vt_seen.last_hardware = hardware;
    g_mutex_unlock(&newest_lock);
    *out = (VTCompressionSessionRef)session;
    return 0;
}

void VTCompressionSessionInvalidate(VTCompressionSessionRef ref)
{
    Session *session = double_check(ref, &session_class);

    enter();
    double_vt_hang_here(DOUBLE_VT_HANG_INVALIDATE);
    invalidate(session);
}

static OSStatus session_status(const Session *session)
{
    return session->invalid || session->dead ? kVTInvalidSessionErr : 0;
}

OSStatus VTCompressionSessionPrepareToEncodeFrames(VTCompressionSessionRef ref)
{
    Session *session = double_check(ref, &session_class);

    enter();
    return session_status(session) ? session_status(session) : double_vt.prepare;
}

OSStatus VTSessionSetProperty(VTSessionRef ref, CFStringRef key, CFTypeRef value)
{
    Session *session = double_check(ref, &session_class);
    const char *text = double_text(key);

    enter();
    double_check(value, NULL);
    if (double_vt_hang_here(DOUBLE_VT_HANG_PROPERTY)) {
        return kVTInvalidSessionErr;
    }
    if (double_vt.die) { /* written only where a test gave the order: sessions may be set up at the same time */
        session->dead = TRUE;
        double_vt.die = FALSE;
    }
    if (session_status(session)) {
        return session_status(session);
    }
    for (guint i = 0; i < G_N_ELEMENTS(double_vt.refuse_property) && double_vt.refuse_property[i]; i++) {
        if (strcmp(text, double_vt.refuse_property[i]) == 0) {
            return double_vt.refuse_status ? double_vt.refuse_status : kVTPropertyNotSupportedErr;
        }
    }
    /* Low latency: High profiles only. */
    if (session->low_latency && key == kVTCompressionPropertyKey_ProfileLevel && !strstr(double_text(value), "High")) {
        return kVTPropertyNotSupportedErr;
    }
    g_mutex_lock(&session->lock);
    g_hash_table_insert(session->properties, (gpointer)text, (gpointer)CFRetain(value));
    g_mutex_unlock(&session->lock);
    return 0;
}

OSStatus VTSessionCopyProperty(VTSessionRef ref, CFStringRef key, CFAllocatorRef allocator, void *out)
{
    Session *session = double_check(ref, &session_class);

    enter();
    for (guint i = 0; i < G_N_ELEMENTS(double_vt.refuse_property) && double_vt.refuse_property[i]; i++) {
        if (strcmp(double_text(key), double_vt.refuse_property[i]) == 0) {
            return kVTPropertyNotSupportedErr;
        }
    }
    g_assert_true(key == kVTCompressionPropertyKey_UsingHardwareAcceleratedVideoEncoder);
    /* Low-latency encoders are hardware, and do not say so: no error and no value. */
    *(CFTypeRef *)out = session->low_latency ? NULL : CFRetain(session->hardware ? kCFBooleanTrue : kCFBooleanFalse);
    return 0;
}

gboolean double_vt_property(const char *key, double *number, char **text)
{
    CFTypeRef value = NULL;

    g_mutex_lock(&newest_lock);
    if (newest) {
        g_mutex_lock(&newest->lock);
        value = g_hash_table_lookup(newest->properties, key);
        if (value && number) {
            *number = value == kCFBooleanTrue ? 1 : value == kCFBooleanFalse ? 0 : double_number_as_double(value);
        }
        if (value && text) {
            *text = g_strdup(double_text(value));
        }
        g_mutex_unlock(&newest->lock);
    }
    g_mutex_unlock(&newest_lock);
    return value != NULL;
}

/* ---- frames ---- */

static gboolean once(OSStatus *order, OSStatus *status)
{
    *status = *order;
    *order = 0;
    return *status != 0;
}

static gint64 nanoseconds(CMTime time)
{
    g_assert_cmpuint(time.flags & kCMTimeFlags_Valid, !=, 0);
    return (gint64)((double)time.value * 1e9 / time.timescale);
}

static void push(Session *session, Frame *frame)
{
    frame->orders = double_vt;
    g_mutex_lock(&session->lock);
    session->hold = double_vt.hold;
    g_queue_push_tail(&session->queue, frame);
    session->in_flight++;
    double_vt_seen.max_in_flight = MAX(double_vt_seen.max_in_flight, session->in_flight);
    g_cond_broadcast(&session->changed);
    g_mutex_unlock(&session->lock);
}

static void look_at(Session *session, const DoubleBuffer *buffer, CMTime stamp, CMTime duration)
{
    double_vt_seen.frames++;
    double_vt_seen.last_stamp = nanoseconds(stamp);
    double_vt_seen.last_duration = nanoseconds(duration);
    double_vt_seen.stamps_not_increasing += nanoseconds(stamp) <= session->last_stamp;
    double_vt_seen.colour_missing += !(buffer->primaries && buffer->transfer && buffer->matrix);
    double_vt_seen.last_primaries = buffer->primaries ? double_text(buffer->primaries) : NULL;
    double_vt_seen.last_transfer = buffer->transfer ? double_text(buffer->transfer) : NULL;
    double_vt_seen.last_matrix = buffer->matrix ? double_text(buffer->matrix) : NULL;
    double_vt_seen.wrong_size += buffer->width != session->width || buffer->height != session->height;
    session->last_stamp = nanoseconds(stamp);
}

static gboolean refuses_frames(Session *session)
{
    gboolean because = TRUE;

    if (double_vt.refuse_because_of) {
        g_mutex_lock(&session->lock);
        because = g_hash_table_contains(session->properties, double_vt.refuse_because_of);
        g_mutex_unlock(&session->lock);
    }
    return double_vt.refuse_frames != 0 && because;
}

/* Some encoders put nothing out without these two. */
static gboolean is_configured(Session *session)
{
    return property_number(session, kVTCompressionPropertyKey_AverageBitRate, 0) > 0 &&
        property_number(session, kVTCompressionPropertyKey_ExpectedFrameRate, 0) > 0;
}

OSStatus VTCompressionSessionEncodeFrame(VTCompressionSessionRef ref, CVImageBufferRef image, CMTime stamp,
                                         CMTime duration, CFDictionaryRef properties, void *refcon,
                                         VTEncodeInfoFlags *flags)
{
    Session *session = double_check(ref, &session_class);
    DoubleBuffer *buffer = double_check(image, &double_buffer);
    gboolean force = properties &&
        CFDictionaryGetValue(properties, kVTEncodeFrameOptionKey_ForceKeyFrame) == kCFBooleanTrue;
    OSStatus status;
    Frame *frame;

    enter();
    if (double_vt_hang_here(DOUBLE_VT_HANG_ENCODE)) {
        return kVTInvalidSessionErr;
    }
    if (double_vt.die) { /* written only where a test gave the order: sessions may be set up at the same time */
        session->dead = TRUE;
        double_vt.die = FALSE;
    }
    if (session_status(session)) {
        return session_status(session);
    }
    look_at(session, buffer, stamp, duration);
    double_vt_seen.forced += force;
    if (once(&double_vt.encode_now, &status)) {
        if (double_vt.callback_after_failure) {
            frame = g_new0(Frame, 1);
            *frame = (Frame){ .refcon = refcon, .status = status };
            push(session, frame);
        }
        return status;
    }
    if (double_vt.drop_at_once) {
        double_vt.drop_at_once = FALSE;
        *flags |= kVTEncodeInfo_FrameDropped;
        return 0;
    }
    if (double_vt.swallow > 0) {
        double_vt.swallow--;
        return 0;
    }
    if (!is_configured(session)) {
        return 0;
    }
    frame = g_new0(Frame, 1);
    *frame = (Frame){ .buffer = (DoubleBuffer *)CFRetain(buffer), .force = force, .refcon = refcon };
    if (refuses_frames(session)) {
        frame->status = double_vt.refuse_frames;
    } else if (double_vt.encode_later_after > 0) {
        double_vt.encode_later_after--;
    } else {
        once(&double_vt.encode_later, &frame->status);
    }
    if (double_vt.drop > 0) {
        double_vt.drop--;
        frame->drop = TRUE;
    }
    *flags |= kVTEncodeInfo_Asynchronous;
    push(session, frame);
    return 0;
}

OSStatus VTCompressionSessionCompleteFrames(VTCompressionSessionRef ref, CMTime until)
{
    Session *session = double_check(ref, &session_class);

    enter();
    if (double_vt_hang_here(DOUBLE_VT_HANG_COMPLETE)) {
        return kVTInvalidSessionErr;
    }
    g_atomic_int_inc((gint *)&double_vt_seen.completes);       /* another session's may hang here */
    g_assert_cmpuint(until.flags & kCMTimeFlags_Valid, ==, 0); /* all of them */
    if (session_status(session)) {
        return session_status(session);
    }
    g_mutex_lock(&session->lock);
    session->flush = TRUE;
    g_cond_broadcast(&session->changed);
    while (session->queue.length > 0 || session->busy) {
        g_cond_wait(&session->changed, &session->lock);
    }
    g_mutex_unlock(&session->lock);
    return 0;
}
