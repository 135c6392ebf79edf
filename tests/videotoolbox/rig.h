/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rig.h - surfaces to encode, an encoder to encode them with, and what its access units must be. */
#ifndef HELIX_TEST_VT_RIG_H
#define HELIX_TEST_VT_RIG_H

#include "encode/videotoolbox/encoder-videotoolbox.h"
#include "streams.h"

#define WIDTH 320u
#define HEIGHT 192u

/* The test picture number @index; a new reference. */
HelixSurface *rig_memory_surface(guint width, guint height, guint index);
HelixSurface *rig_io_surface(guint width, guint height, guint index);
/* A ramp of grey from 30 at the top to 210. */
HelixSurface *rig_nv12_surface(guint width, guint height);
/* Surfaces not yet given back. */
gint rig_live_surfaces(void);

HelixEncoderConfig rig_config(guint width, guint height);
HelixEncoder *rig_open(HelixEncoderConfig config);
/* Encode @surface, which is given back. */
gboolean rig_encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force, HelixAccessUnit *unit,
                    GError **error);
HelixAccessUnit rig_must_encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force);
/* Nothing is left over, and nothing was done to the doubles that must not be. Takes all orders back. */
void rig_check_clear(void);
/* Close, and check that. */
void rig_close(HelixEncoder *encoder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HelixEncoder, rig_close)

/* The picture comes out at once, in BT.709, and looks like what went in. */
void rig_check_picture(AVCodecContext *decoder, GBytes *unit, guint width, guint height, guint index);
/* An IDR behind its parameter sets, which allow no reordering. */
void rig_check_idr(const HelixAccessUnit *unit, gboolean aud);
/* Encode test picture 1, which must come out as such an IDR. */
void rig_encode_idr(HelixEncoder *encoder);

#endif
