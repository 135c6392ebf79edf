/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.h - an encoder's configuration as options of libavcodec's "libx264".
 *
 * The options make x264 return each access unit from the call that submitted its picture: no B-frames, no look-ahead,
 * and threads that share one picture by slices instead of working on several pictures.
 */
#ifndef HELIX_X264_OPTIONS_H
#define HELIX_X264_OPTIONS_H

#include "../libav-context.h"

/* Replace the automatic fields of @config by x264's choices. The functions below take such a configuration. */
void helix_x264_resolve(HelixEncoderConfig *config);

/* Set every option of @codec, which is not open yet. */
void helix_x264_set_options(AVCodecContext *codec, const HelixEncoderConfig *config);
/* Whether helix_libav_set_rates() takes an open encoder from @old to @wanted, as libavcodec passes the rates on before
 * the next picture. FALSE: this needs a new encoder. */
gboolean helix_x264_can_change(const HelixEncoderConfig *old, const HelixEncoderConfig *wanted);

/* Upper bound of an open encoder's memory, in bytes; implements HelixEncoderClass.memory(). */
guint64 helix_x264_memory(const HelixEncoderConfig *config);

#endif
