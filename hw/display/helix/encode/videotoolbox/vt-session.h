/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vt-session.h - a VTCompressionSession that nobody waits for longer than he wants to.
 *
 * Any call into VideoToolbox may wait for the process that encodes, which may hang. All of a session's calls are
 * therefore made on a thread of the session's own, and the encoder's thread waits for each of them for a limited time.
 * A session whose call does not come back is lost: it is left to its thread, which ends it when the call does come
 * back. What a callback may touch is the session's memory alone, and that is freed by whoever is later, its owner or
 * its thread behind VTCompressionSessionInvalidate(): no callback can outlive it.
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

/* One frame's outcome. */
typedef struct HelixVtOutput {
    OSStatus status;          /* 0, or what VideoToolbox said */
    gboolean dropped;         /* no error and no sample */
    CMSampleBufferRef sample; /* the caller's to release; NULL if dropped or failed */
} HelixVtOutput;

/* All of these: on the thread that encodes; a session made to see whether one is to be had, on whichever asks. */

/*
 * A session for @config by the ladder: hardware with low-latency rate control (High profile only), hardware, and
 * software unless @hardware_only. NULL with HELIX_ERROR (HELIX_CODE_NO_ENCODER), after five seconds at most, or
 * ten if others are making sessions that hang: no more than four hang in being made, however many threads ask.
 */
HelixVtSession *helix_vt_session_new(const HelixEncoderConfig *config, gboolean hardware_only, GError **error);
/* Ends it, or after two seconds leaves it to its thread. NULL is taken. */
void helix_vt_session_free(HelixVtSession *session);
gboolean helix_vt_session_hardware(const HelixVtSession *session);
gboolean helix_vt_session_low_latency(const HelixVtSession *session);
guint helix_vt_session_refused(const HelixVtSession *session);

/* Sessions that were left to their threads, which still hang in VideoToolbox. Any thread. */
guint helix_vt_sessions_hung(void);

/*
 * Set what differs between @config and @before. Returns 0, or the status of a property that it can't do without.
 * Properties that it can are counted as refused.
 */
OSStatus helix_vt_session_configure(HelixVtSession *session, const HelixEncoderConfig *config,
                                    const HelixEncoderConfig *before);

/*
 * Encode @buffer and wait for what comes of it. @stamp: nanoseconds, larger than the last frame's. One frame at a time.
 * A session that does not answer within two seconds gives kVTVideoEncoderMalfunctionErr.
 */
HelixVtOutput helix_vt_session_encode(HelixVtSession *session, CVPixelBufferRef buffer, gint64 stamp, gint64 duration,
                                      gboolean force_idr);

/* Is @status one after which only a new session can encode? */
gboolean helix_vt_session_lost(OSStatus status);

/* CoreVideo's names for what @vui says; NULL where it has none. The SPS says it all the same (vt-output.c). Any thread.
 */
typedef struct HelixVtColour {
    CFStringRef primaries, transfer, matrix;
} HelixVtColour;

HelixVtColour helix_vt_colour(const HelixVui *vui);

/* ---- vt-candidates.c and vt-properties.c, on the session's own thread ---- */

typedef struct HelixVtMade {
    VTCompressionSessionRef vt;
    gboolean hardware; /* VideoToolbox says that hardware encodes */
    gboolean low_latency;
    guint refused; /* properties */
} HelixVtMade;

/*
 * A session for @config by the ladder, told everything and prepared. FALSE: none is to be had; @tried lists rungs and
 * statuses.
 */
gboolean helix_vt_open_best(const HelixEncoderConfig *config, gboolean hardware_only,
                            VTCompressionOutputCallback callback, void *callback_data, HelixVtMade *made,
                            GString *tried);

/*
 * Tell @vt what differs between @config and @before (NULL: everything). Returns 0, or the status of a property that it
 * can't do without; others that it does not take are counted in @refused.
 */
OSStatus helix_vt_set_properties(VTCompressionSessionRef vt, const HelixEncoderConfig *config,
                                 const HelixEncoderConfig *before, guint *refused);

#endif
