/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * configured-encoder.h - a stream's encoder, opened, reconfigured and reopened as configuration and picture size ask.
 *
 * Used by the stream's encode thread only.
 */
#ifndef HELIX_CONFIGURED_ENCODER_H
#define HELIX_CONFIGURED_ENCODER_H

#include "../frame/surface.h"
#include "encode-budget.h"
#include "encoder.h"

/* Converted pictures that an encoder uses at a time: one is encoded while the next one is converted. */
#define HELIX_CONVERTED_PICTURES 2u

typedef struct HelixConfiguredEncoder {
    const HelixEncoderClass *klass;
    gboolean hardware_only;
    HelixEncodeBudget *budget;
    HelixSurfacePool *converted;       /* NV12 pictures for the encoder; trimmed when it closes */
    HelixEncoder *encoder;             /* NULL: none open */
    guint64 bytes;                     /* reserved in the budget for the open encoder */
    HelixEncoderConfig asked;          /* 0 is automatic */
    HelixEncoderConfig active;         /* width and height are 0 until the size of the pictures is known */
    guint32 frame_width, frame_height; /* of the last picture; 0 before the first */
} HelixConfiguredEncoder;

/* @budget and @converted outlive it. Any thread. */
void helix_configured_encoder_init(HelixConfiguredEncoder *self, const HelixEncoderClass *klass, gboolean hardware_only,
                                   HelixEncodeBudget *budget, HelixSurfacePool *converted);

/* Ensure that an encoder is open for pictures of @surface's kind and size; a new one begins with an IDR. FALSE with
 * HELIX_ERROR. */
gboolean helix_configured_encoder_prepare(HelixConfiguredEncoder *self, const HelixSurface *surface, GError **error);

/*
 * Apply @request. FALSE with HELIX_ERROR: the configuration stays what it was. Where the size of the
 * pictures is not known yet, the encoder is opened with the first of them.
 */
gboolean helix_configured_encoder_configure(HelixConfiguredEncoder *self, const HelixConfigRequest *request,
                                            GError **error);

void helix_configured_encoder_close(HelixConfiguredEncoder *self);

#endif
