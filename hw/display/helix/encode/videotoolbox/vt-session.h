/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vt-session.h - a VTCompressionSession with a time limit on each call.
 *
 * Any call into VideoToolbox may block on the process that encodes, which may hang. So all calls of a session are made
 * on a thread of its own, and the encode thread waits for each of them for a limited time. A session whose call does
 * not return is lost: it is left to its thread, which ends it when the call returns. A callback touches only the
 * session's memory, which is freed by its owner or by its thread after VTCompressionSessionInvalidate(), whichever is
 * later: no callback can outlive it.
 */
#ifndef HELIX_VT_SESSION_H
#define HELIX_VT_SESSION_H

#include <CoreVideo/CoreVideo.h>
#include <VideoToolbox/VideoToolbox.h>

#include "../encoder.h"

#ifdef __APPLE__
#define IF_MACOS(version) if (__builtin_available(macOS version, *))
#else
#define IF_MACOS(version) if (TRUE)
#endif

typedef struct HelixVtSession HelixVtSession;

/* The result of one frame. */
typedef struct HelixVtOutput {
    OSStatus status;          /* 0, or VideoToolbox's error */
    gboolean dropped;         /* no error and no sample */
    gboolean unanswered;      /* status is not VideoToolbox's: it did not answer in time */
    CMSampleBufferRef sample; /* released by the caller; NULL if dropped or failed */
} HelixVtOutput;

/* Called on the encode thread; a session that only tests availability, on any thread. */

/*
 * Open the best session for @config that is available: hardware with low-latency rate control (High profile only),
 * hardware, or software unless @hardware_only. @plain: without optional properties. NULL with HELIX_ERROR
 * (HELIX_CODE_NO_ENCODER), within five seconds, or ten while other threads open sessions that hang: at most four may
 * hang while they are opened.
 */
HelixVtSession *helix_vt_session_new(const HelixEncoderConfig *config, gboolean hardware_only, gboolean plain,
                                     GError **error);
/* End it, or after two seconds leave it to its thread. NULL is allowed. */
void helix_vt_session_free(HelixVtSession *session);
gboolean helix_vt_session_hardware(const HelixVtSession *session);
gboolean helix_vt_session_low_latency(const HelixVtSession *session);
guint helix_vt_session_refused(const HelixVtSession *session);

/* Sessions left to their threads that still hang in VideoToolbox. Any thread. */
guint helix_vt_sessions_hung(void);

/*
 * Set the properties that differ between @config and @before. Returns 0, or the status of a required property that was
 * refused. Refused optional properties are counted.
 */
OSStatus helix_vt_session_configure(HelixVtSession *session, const HelixEncoderConfig *config,
                                    const HelixEncoderConfig *before);

/*
 * Encode @buffer and wait for the result. @stamp and @duration in nanoseconds; @stamp is larger than the last frame's.
 * One frame at a time. A session that does not answer within two seconds returns kVTVideoEncoderMalfunctionErr.
 */
HelixVtOutput helix_vt_session_encode(HelixVtSession *session, CVPixelBufferRef buffer, gint64 stamp, gint64 duration,
                                      gboolean force_idr);

/* Whether only a new session can encode after @status. */
gboolean helix_vt_session_lost(OSStatus status);

/*
 * CoreVideo's names for @vui's code points; NULL where it has none. The SPS has them in any case (vt-output.c). Any
 * thread.
 */
typedef struct HelixVtColour {
    CFStringRef primaries, transfer, matrix;
} HelixVtColour;

HelixVtColour helix_vt_colour(const HelixVui *vui);

/*
 * The frame rate that VideoToolbox is told, by ExpectedFrameRate and by timestamps: @config's, at most what level 5.2
 * allows for its size. Any thread.
 */
typedef struct HelixVtRate {
    gint64 num, den;
} HelixVtRate;

HelixVtRate helix_vt_rate(const HelixEncoderConfig *config);

/* ---- vt-candidates.c and vt-properties.c, on the session's own thread ---- */

typedef struct HelixVtMade {
    VTCompressionSessionRef vt;
    gboolean plain;    /* optional properties are not set */
    gboolean hardware; /* VideoToolbox reports that hardware encodes, or does not say and was made to use it */
    gboolean low_latency;
    guint refused; /* properties */
} HelixVtMade;

/*
 * Open and prepare the first session for @config that works, from the best candidate to the worst; @made says whether
 * with optional properties. FALSE: none works; @tried lists the candidates with their status.
 */
gboolean helix_vt_open_best(const HelixEncoderConfig *config, gboolean hardware_only,
                            VTCompressionOutputCallback callback, void *callback_data, HelixVtMade *made,
                            GString *tried);

/*
 * Set the properties of @made that differ between @config and @before (NULL: all). Returns 0, or the status of a
 * required property that was refused; refused optional ones are counted.
 */
OSStatus helix_vt_set_properties(HelixVtMade *made, const HelixEncoderConfig *config, const HelixEncoderConfig *before);

#endif
