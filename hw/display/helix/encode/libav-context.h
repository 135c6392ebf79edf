/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libav-context.h - what the encoders of libavcodec have in common: size, times, colours and rates of a stream in an
 * AVCodecContext, and packets as access units. Needs HELIX_HAVE_LIBAVCODEC.
 *
 * No state: any thread, one at a time per context.
 */
#ifndef HELIX_LIBAV_CONTEXT_H
#define HELIX_LIBAV_CONTEXT_H

#include <libavcodec/avcodec.h>

#include "encoder.h"

/* Encoders keep the bits of the VBV buffer, of a second and of a frame in ints, and x264 rounds them: a margin below
 * INT_MAX. */
#define HELIX_LIBAV_MAX_BITS 2000000000u

/* Set in @codec, which is not open yet, what @config (completed) says of size, times, level, colours; no B-frames. */
void helix_libav_set_stream(AVCodecContext *codec, const HelixEncoderConfig *config);
/* Set the bit rates and the VBV buffer of @config, whose rate_control is not automatic. */
void helix_libav_set_rates(AVCodecContext *codec, const HelixEncoderConfig *config);
/* The rate_control of @config, with the automatic one resolved: VBR where there is a maximum above the bit rate. */
guint8 helix_libav_rate_control(const HelixEncoderConfig *config);
/* How many pictures of average size the VBV buffer of a constant bit rate holds. */
guint helix_libav_buffered_frames(const HelixEncoderConfig *config);
/* Whether @a and @b differ in their bit rates at most. */
gboolean helix_libav_same_but_rates(const HelixEncoderConfig *a, const HelixEncoderConfig *b);
/* The data of @packet, which is taken over. */
GBytes *helix_libav_take_packet(AVPacket *packet);

#endif
