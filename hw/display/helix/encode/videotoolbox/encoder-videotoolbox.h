/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encoder-videotoolbox.h - what a VideoToolbox encoder has beyond encoder.h, and the interfaces of its files.
 *
 * Apple's frameworks are called from C without Blocks, so that every compiler of QEMU can build it.
 */
#ifndef HELIX_ENCODER_VIDEOTOOLBOX_H
#define HELIX_ENCODER_VIDEOTOOLBOX_H

#include <CoreVideo/CoreVideo.h>

#include "vt-session.h"

/* The state of the current session. */
typedef struct HelixVideoToolboxInfo {
    gboolean hardware;        /* VideoToolbox reports that hardware encodes */
    gboolean low_latency;     /* low-latency rate control is on */
    guint sessions;           /* opened so far: more than 1 after a loss */
    gboolean fallen;          /* encodes in software, and retries hardware from time to time */
    guint refused_properties; /* optional properties that the current session refused */
} HelixVideoToolboxInfo;

/* @encoder was opened from helix_encoder_videotoolbox. Encode thread. */
HelixVideoToolboxInfo helix_videotoolbox_info(const HelixEncoder *encoder);

/* ---- vt-input.c: from a surface to a pixel buffer of the coded size ---- */

typedef struct HelixVtInput HelixVtInput;

/* Uses the coded size and the VUI of @config. */
HelixVtInput *helix_vt_input_new(const HelixEncoderConfig *config);
void helix_vt_input_free(HelixVtInput *input);
/*
 * A pixel buffer of the coded size with @surface's picture, which keeps the surface alive as long as VideoToolbox holds
 * it. @cpu_bytes: bytes that the CPU moved are added. NULL with HELIX_ERROR (HELIX_CODE_ENCODE, GEOMETRY,
 * NO_IOSURFACE). The caller releases it.
 */
CVPixelBufferRef helix_vt_input_wrap(HelixVtInput *input, HelixSurface *surface, guint64 *cpu_bytes, GError **error);

/* ---- vt-output.c: from a sample to an access unit ---- */

/*
 * Fill in data and keyframe of @unit, with access unit delimiters and VUI as in @config. FALSE with HELIX_ERROR
 * (HELIX_CODE_ENCODE) for an invalid sample.
 */
gboolean helix_vt_output_read(CMSampleBufferRef sample, const HelixEncoderConfig *config, HelixAccessUnit *unit,
                              GError **error);

#endif
