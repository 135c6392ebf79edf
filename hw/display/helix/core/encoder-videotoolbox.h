/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encoder-videotoolbox.h - what can be asked of a VideoToolbox encoder beyond encoder.h, and what its parts share.
 *
 * Apple's frameworks are called as C, without Blocks, so that any compiler that QEMU takes builds it.
 */
#ifndef HELIX_ENCODER_VIDEOTOOLBOX_H
#define HELIX_ENCODER_VIDEOTOOLBOX_H

#include <CoreVideo/CoreVideo.h>
#include <VideoToolbox/VideoToolbox.h>

#include "encoder.h"

/* What a session was made as, and what became of it. */
typedef struct HelixVideoToolboxInfo {
    gboolean hardware;          /* VideoToolbox says that hardware encodes */
    gboolean low_latency;       /* low-latency rate control is on */
    guint sessions;             /* made since open: more than 1 after a loss */
    guint refused_properties;   /* of the present session, those it can do without */
} HelixVideoToolboxInfo;

/* Of an encoder opened from helix_encoder_videotoolbox. On the thread that encodes. */
HelixVideoToolboxInfo helix_videotoolbox_info(const HelixEncoder *encoder);

/* May a software encoder stand in where no hardware is to be had? TRUE at first. Before the first open; any thread. */
void helix_videotoolbox_allow_software(gboolean allow);

/* ---- vt-session.c: a compression session and what comes out of it ---- */

typedef struct HelixVtSession HelixVtSession;

/* One frame's outcome. */
typedef struct HelixVtOutput {
    OSStatus status;            /* 0, or what VideoToolbox said */
    gboolean dropped;           /* no error and no sample */
    CMSampleBufferRef sample;   /* the caller's to release; NULL if dropped or failed */
} HelixVtOutput;

/*
 * A session for @config by the ladder: hardware with low-latency rate control (High profile only), hardware, software
 * if allowed. NULL with HELIX_ERROR (HELIX_CODE_NO_ENCODER).
 */
HelixVtSession *helix_vt_session_new(const HelixEncoderConfig *config, GError **error);
/* Waits for VideoToolbox's threads: no callback comes after it. NULL is taken. */
void helix_vt_session_free(HelixVtSession *session);
gboolean helix_vt_session_hardware(const HelixVtSession *session);
gboolean helix_vt_session_low_latency(const HelixVtSession *session);
guint helix_vt_session_refused(const HelixVtSession *session);

/*
 * Set what differs between @config and @before (NULL: everything). Returns 0, or the status of a property that it can't
 * do without. Properties that it can are counted as refused.
 */
OSStatus helix_vt_session_configure(HelixVtSession *session, const HelixEncoderConfig *config,
                                    const HelixEncoderConfig *before);

/*
 * Encode @buffer and wait for what comes of it. @stamp: nanoseconds, larger than the last frame's. One frame at a time.
 * A session that does not answer gives kVTVideoEncoderMalfunctionErr.
 */
HelixVtOutput helix_vt_session_encode(HelixVtSession *session, CVPixelBufferRef buffer, gint64 stamp, gint64 duration,
                                      gboolean force_idr);

/* Is @status one after which only a new session can encode? */
gboolean helix_vt_session_lost(OSStatus status);

/* ---- vt-input.c: from a surface to a pixel buffer of the coded size ---- */

typedef struct HelixVtInput HelixVtInput;

HelixVtInput *helix_vt_input_new(guint32 width, guint32 height);
void helix_vt_input_free(HelixVtInput *input);
/*
 * A pixel buffer with @surface's picture in the coded size, which keeps the surface alive as long as VideoToolbox holds
 * it. @cpu_bytes: what the CPU moved for it. NULL with HELIX_ERROR (HELIX_CODE_ENCODE, GEOMETRY). The caller releases
 * it.
 */
CVPixelBufferRef helix_vt_input_wrap(HelixVtInput *input, HelixSurface *surface, guint64 *cpu_bytes, GError **error);

/* ---- vt-output.c: from a sample to an access unit ---- */

/* Fill in data and keyframe of @unit. FALSE with HELIX_ERROR (HELIX_CODE_ENCODE) for a sample that can't be read. */
gboolean helix_vt_output_read(CMSampleBufferRef sample, gboolean aud, HelixAccessUnit *unit, GError **error);

#endif
