/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.h - an encoder's configuration as options of libavcodec's "libx264".
 *
 * The options make x264 return a picture from the call that it went into: no B-frames, no look-ahead, and threads that
 * share one picture by slices instead of working on several pictures.
 */
#ifndef HELIX_X264_OPTIONS_H
#define HELIX_X264_OPTIONS_H

#include <libavcodec/avcodec.h>

#include "../encoder.h"

/* x264 counts the bits of the buffer, of a second and of a frame's share in an int each, and rounds: with room. */
#define HELIX_X264_MAX_BITS 2000000000u

/* Fill in what a completed @config leaves to this encoder, so that it describes the encoder. */
void helix_x264_resolve(HelixEncoderConfig *config);

/* Set every option of @codec, which is not open yet. @config is resolved, as it is below. */
void helix_x264_set_options(AVCodecContext *codec, const HelixEncoderConfig *config);
/* Set the bit rates alone, which libavcodec also passes on to an open encoder, before its next picture. */
void helix_x264_set_rates(AVCodecContext *codec, const HelixEncoderConfig *config);
/* Whether helix_x264_set_rates() takes an open encoder from @old to @wanted. FALSE: this needs a new encoder. */
gboolean helix_x264_can_change(const HelixEncoderConfig *old, const HelixEncoderConfig *wanted);

/* Pictures at the configured frame and bit rate whose bits the VBV buffer of a constant bit rate holds. */
guint helix_x264_buffered_frames(const HelixEncoderConfig *config);

/* Bytes of host memory that an encoder keeps at most: the HelixEncoderClass's memory(). */
guint64 helix_x264_memory(const HelixEncoderConfig *config);

#endif
