/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encoder-videotoolbox.h - what can be asked of a VideoToolbox encoder beyond encoder.h, and what its parts share.
 *
 * Apple's frameworks are called as C, without Blocks, so that any compiler that QEMU takes builds it.
 */
#ifndef HELIX_ENCODER_VIDEOTOOLBOX_H
#define HELIX_ENCODER_VIDEOTOOLBOX_H

#include <CoreVideo/CoreVideo.h>

#include "vt-session.h"

/* What a session was made as, and what became of it. */
typedef struct HelixVideoToolboxInfo {
    gboolean hardware;        /* VideoToolbox says that hardware encodes */
    gboolean low_latency;     /* low-latency rate control is on */
    guint sessions;           /* made since open: more than 1 after a loss */
    gboolean fallen;          /* in software, and hardware is asked for now and then */
    guint refused_properties; /* of the present session, those it can do without */
} HelixVideoToolboxInfo;

/* Of an encoder opened from helix_encoder_videotoolbox. On the thread that encodes. */
HelixVideoToolboxInfo helix_videotoolbox_info(const HelixEncoder *encoder);

/* ---- vt-input.c: from a surface to a pixel buffer of the coded size ---- */

typedef struct HelixVtInput HelixVtInput;

/* Of @config its size and its VUI count. */
HelixVtInput *helix_vt_input_new(const HelixEncoderConfig *config);
void helix_vt_input_free(HelixVtInput *input);
/*
 * A pixel buffer with @surface's picture in the coded size, which keeps the surface alive as long as VideoToolbox holds
 * it. @cpu_bytes: what the CPU moved for it. NULL with HELIX_ERROR (HELIX_CODE_ENCODE, GEOMETRY, NO_IOSURFACE). The
 * caller releases it.
 */
CVPixelBufferRef helix_vt_input_wrap(HelixVtInput *input, HelixSurface *surface, guint64 *cpu_bytes, GError **error);

/* ---- vt-output.c: from a sample to an access unit ---- */

/*
 * Fill in data and keyframe of @unit, with @config's access unit delimiters and VUI. FALSE with HELIX_ERROR
 * (HELIX_CODE_ENCODE) for a sample that can't be read.
 */
gboolean helix_vt_output_read(CMSampleBufferRef sample, const HelixEncoderConfig *config, HelixAccessUnit *unit,
                              GError **error);

#endif
