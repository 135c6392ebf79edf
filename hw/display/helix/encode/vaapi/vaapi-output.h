/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vaapi-output.h - what a VA-API driver writes, as an access unit of this project's streams. No state: any thread. */
#ifndef HELIX_VAAPI_OUTPUT_H
#define HELIX_VAAPI_OUTPUT_H

#include "../encoder.h"

/*
 * @unit, taken over, with each SPS rewritten as helix_h264_rewrite_sps() does: drivers write it themselves, many of
 * them without bitstream_restriction. An access unit delimiter (7.3.2.4) is added or left out as config.aud says. SEI
 * messages are left out: they are the driver's. NULL with HELIX_CODE_ENCODE: no slice in it, or an IDR without SPS.
 */
GBytes *helix_vaapi_finish_unit(GBytes *unit, const HelixEncoderConfig *config, gboolean *keyframe, GError **error);

#endif
