/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sps-check.h - parameter sets rewritten, and what FFmpeg reads in them and decodes with them. */
#ifndef HELIX_TEST_SPS_CHECK_H
#define HELIX_TEST_SPS_CHECK_H

#include "h264/h264.h"
#include "streams.h"

/* What a rewritten set is to say, case by case. */
#define TOLD 3
extern const HelixVui told[TOLD];

StreamNal find_sps(GBytes *unit);
GByteArray *rewrite(const guint8 *nal, gsize len);
void check_sps(StreamNal nal, guint width, guint height);
GByteArray *end_sps(HelixBitWriter *writer);
/* The set as an encoder without VUI writes it: the bits before vui_parameters_present_flag, then 0. */
GByteArray *without_vui(const guint8 *nal, gsize len);
GByteArray *rewrite_without_vui(const guint8 *nal, gsize len);
/* Picture N comes out when access unit N went in, if @at_once. */
void check_decodes(GPtrArray *units, GByteArray *(*replace)(const guint8 *nal, gsize len), gboolean at_once);

#endif
