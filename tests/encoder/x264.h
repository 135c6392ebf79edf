/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x264.h - what the tests of the x264 encoder share: encoding a picture, and the NAL units that come of it. */
#ifndef TEST_ENCODER_X264_H
#define TEST_ENCODER_X264_H

#include "common.h"
#include "h264/h264.h"

/* Each aborts the test when the encoder fails. */
HelixEncoder *x264_open(HelixEncoderConfig *config);
GBytes *encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force_idr, gboolean *keyframe);
GBytes *encode_painted(HelixEncoder *encoder, guint width, guint height, Painter painter, guint n, gboolean force_idr);

/* The types of @unit's NAL units as digits, such as "785"; SEI are left out. */
char *nal_types(GBytes *unit);
void assert_nal_types(GBytes *unit, const char *expected);
/* The first SPS in @unit. */
HelixSps read_sps(GBytes *unit);

#endif
