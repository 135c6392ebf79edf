/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doubles.h - what tests tell the doubles to do, and what they ask them afterwards.
 *
 * The doubles stand in for Apple's frameworks on Linux. They behave as the frameworks' documentation says, on threads
 * of their own, and fail where a test orders it. An object released once too often aborts; double_live_objects() counts
 * those that were not released.
 */
#ifndef DOUBLES_H
#define DOUBLES_H

#include <glib.h>
#include <CoreVideo/CoreVideo.h>
#include <VideoToolbox/VideoToolbox.h>

/* ---- CoreFoundation ---- */

typedef struct DoubleClass {
    const char *name;
    void (*finalize)(gpointer object);
} DoubleClass;

/* Every object begins with this. */
typedef struct DoubleObject {
    guint32 magic;
    gint refs; /* atomic; -1: a constant */
    const DoubleClass *klass;
} DoubleObject;

gpointer double_object_new(const DoubleClass *klass, gsize size);
/* @object, which must be alive and of @klass, or the test aborts. */
gpointer double_check(gconstpointer object, const DoubleClass *klass);
/* Objects alive, and a line for each kind (freed by the caller; NULL if none). */
guint double_live_objects(char **kinds);

extern const DoubleClass double_string, double_number, double_array, double_dictionary;

typedef struct DoubleString {
    DoubleObject object;
    const char *text;
} DoubleString;

#define DOUBLE_MAGIC 0x48584f42u
/* A CFString constant whose text is its name. */
#define DOUBLE_CONSTANT(name) \
    static const DoubleString constant_##name = { { DOUBLE_MAGIC, -1, &double_string }, #name }; \
    const CFStringRef name = (const void *)&constant_##name

const char *double_text(CFStringRef string);
CFArrayRef double_array_new(const void *const *values, guint n);
gint64 double_number_as_int(CFTypeRef number);
double double_number_as_double(CFTypeRef number);

/* ---- VideoToolbox ---- */

/* Calls that never come back, as if the process that encodes hung. */
typedef enum DoubleVtHang {
    DOUBLE_VT_NO_HANG,
    DOUBLE_VT_HANG_CREATE,
    DOUBLE_VT_HANG_PROPERTY,
    DOUBLE_VT_HANG_ENCODE,
    DOUBLE_VT_HANG_COMPLETE,
    DOUBLE_VT_HANG_INVALIDATE,
} DoubleVtHang;

/* Failures and oddities, by order. Zero: none. Set between calls into the encoder. */
typedef struct DoubleVtOrders {
    OSStatus create_low_latency, create_hardware, create_software; /* VTCompressionSessionCreate returns this */
    gboolean no_hardware;                                          /* what requires hardware can't be created */
    guint least_for_hardware;       /* width below which a session fails unless hardware is ruled out */
    const char *refuse_property[8]; /* property keys that give refuse_status; NULL-terminated */
    OSStatus refuse_status;         /* 0: kVTPropertyNotSupportedErr */
    OSStatus prepare;
    OSStatus encode_now;             /* EncodeFrame returns it, once */
    gboolean callback_after_failure; /* and VideoToolbox calls back for that frame all the same */
    OSStatus encode_later;           /* the callback gets it, once */
    guint encode_later_after;        /* that many frames go well first */
    gboolean die;                    /* from now on every call of the present session gives kVTInvalidSessionErr */
    OSStatus refuse_frames;          /* every frame's callback gets it */
    const char *refuse_because_of;   /* of sessions that have taken this property alone; NULL: of any */
    guint drop;                      /* so many frames are dropped: noErr, FrameDropped, no sample */
    gboolean drop_silently;          /* without the flag */
    gboolean drop_at_once;           /* EncodeFrame says so itself and nobody calls back */
    guint swallow;                   /* so many frames are never answered, not even by CompleteFrames */
    guint hold;                      /* frames kept back until more come or CompleteFrames is called */
    gboolean ignore_force;           /* forced key frames are not */
    guint late_callbacks;            /* additional callbacks for old frames, after a frame was answered */
    guint length_size;               /* of NAL lengths: 1, 2, 4; 0 is 4 */
    guint block_pieces;              /* the data comes in so many pieces; 0 is 1 */
    gboolean no_attachments;         /* no attachments array at all on key frames */
    gboolean not_sync_false;         /* key frames have NotSync, and it is false */
    gboolean count_fails;            /* any query for the number of parameter sets fails */
    gboolean length_fails;           /* any query for the length size fails */
    gboolean second_pps;             /* the picture parameter set is there twice */
    gboolean sets_fail;              /* parameter sets can't be had at all */
    gboolean no_format, no_data, bad_sps, truncated, unreadable_block;
    gboolean keep_vui;                                            /* leave the SPS as the encoder inside wrote it */
    guint delay_us;                                               /* between submission and callback */
    CVReturn wrap_bytes, wrap_iosurface, pool, pool_buffer, lock; /* CoreVideo's calls return these */
    OSStatus transfer_create, transfer;
    gboolean huge; /* a sample larger than any answer may be */
} DoubleVtOrders;

extern DoubleVtOrders double_vt;
void double_vt_reset(void);
/* The next such call hangs until double_vt_let_go(). */
void double_vt_hang(DoubleVtHang call);
/* Every such call does. */
void double_vt_hang_all(DoubleVtHang call);
/* Calls that hang come back, as failed, and no other hangs. Wait for their threads before anything else is ordered. */
void double_vt_let_go(void);
/* A call hangs right now. Any thread. */
gboolean double_vt_hangs(void);

/* What the double saw. */
typedef struct DoubleVtSeen {
    guint sessions, invalidated;
    guint frames;        /* submitted */
    guint max_in_flight; /* frames submitted and not answered, at most */
    guint forced;        /* with ForceKeyFrame */
    guint completes;
    /* sessions that ended with their last reference instead of VTCompressionSessionInvalidate */
    guint not_invalidated;
    gint32 width, height;             /* of the last session */
    gint64 last_stamp, last_duration; /* ns */
    guint stamps_not_increasing;
    guint transfers;
    guint colour_missing;                                     /* pixel buffers encoded without colour attachments */
    const char *last_primaries, *last_transfer, *last_matrix; /* attached to the last one; NULL: not */
    guint wrong_size;                                         /* pixel buffers of another size than the session's */
    gboolean last_low_latency, last_hardware;
    guint without_qos; /* calls on threads without the class for what a user waits for */
} DoubleVtSeen;

extern DoubleVtSeen double_vt_seen;
/* The last value set of a property of the newest session: FALSE if never set. */
gboolean double_vt_property(const char *key, double *number, char **text);

#endif
