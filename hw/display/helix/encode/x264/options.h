/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.h - an encoder's configuration as options of libavcodec's "libx264".
 *
 * The options make x264 return each access unit from the call that submitted its picture: no B-frames, no look-ahead,
 * and threads that share one picture by slices instead of working on several pictures.
 */
#ifndef HELIX_X264_OPTIONS_H
#define HELIX_X264_OPTIONS_H

#include <libavcodec/avcodec.h>

#include "../encoder.h"

/* x264 keeps the bits of the VBV buffer, of a second and of a frame in ints, and rounds them: a margin below INT_MAX.
 */
#define HELIX_X264_MAX_BITS 2000000000u

/* Replace the automatic fields of @config by x264's choices. The functions below take such a configuration. */
void helix_x264_resolve(HelixEncoderConfig *config);

/* Set every option of @codec, which is not open yet. */
void helix_x264_set_options(AVCodecContext *codec, const HelixEncoderConfig *config);
/* Set the bit rates alone, which libavcodec also passes on to an open encoder, before its next picture. */
void helix_x264_set_rates(AVCodecContext *codec, const HelixEncoderConfig *config);
/* Whether helix_x264_set_rates() takes an open encoder from @old to @wanted. FALSE: this needs a new encoder. */
gboolean helix_x264_can_change(const HelixEncoderConfig *old, const HelixEncoderConfig *wanted);

/* How many pictures of average size the VBV buffer of a constant bit rate holds. */
guint helix_x264_buffered_frames(const HelixEncoderConfig *config);

/* Upper bound of an open encoder's memory, in bytes; implements HelixEncoderClass.memory(). */
guint64 helix_x264_memory(const HelixEncoderConfig *config);

#endif
