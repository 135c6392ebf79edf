/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* encode-state.h - what a client's parameter buffers say of a stream and of its next picture. Under its context's lock.
 */
#ifndef HELIX_VA_ENCODE_STATE_H
#define HELIX_VA_ENCODE_STATE_H

#include "buffer.h"
#include "config.h"

typedef struct HvaEncodeState {
    HelixClientConfig config; /* of the stream, but for what the picture says */
    HvaRect visible;          /* the part of the input surface that the sequence does not crop */
    guint32 rate_control;     /* VA_RC_ */
    guint8 quantiser;         /* CQP: of the latest P slice; 0: none yet */
    guint8 profile_idc;
    /* Of the picture that was begun: */
    gboolean has_picture, idr;
    VABufferID coded;
    VASurfaceID reconstructed;
    gint initial_qp;
    guint n_slices;
} HvaEncodeState;

void hva_encode_state_init(HvaEncodeState *state, const HvaConfig *config, guint width, guint height);
/* A new picture: what is of the last one is forgotten. */
void hva_encode_state_begin(HvaEncodeState *state);
/* Take a parameter buffer in. */
VAStatus hva_encode_state_take(HvaEncodeState *state, const HvaBuffer *buffer);
/* The configuration that the picture begun is encoded with. @is_bt709: its colours are known to be those. */
void hva_encode_state_config(HvaEncodeState *state, gboolean is_bt709, HelixClientConfig *config);

/* encode-rate.c: a buffer of VAEncMiscParameterBufferType. */
VAStatus hva_encode_state_take_misc(HvaEncodeState *state, const HvaBuffer *buffer);
void hva_encode_state_set_rate(HvaEncodeState *state, guint32 bits_per_second, guint32 target_percentage);
void hva_encode_state_set_frame_rate(HvaEncodeState *state, guint32 num, guint32 den);

#endif
