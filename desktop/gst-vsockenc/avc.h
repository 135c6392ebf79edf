/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * avc.h - access units from a byte stream (H.264, annex B) to the AVC format of ISO/IEC 14496-15: NAL units behind
 * their length, parameter sets in an AVCDecoderConfigurationRecord.
 *
 * Pure: any thread. The bytes are the host's and may be anything.
 */
#ifndef VSOCKENC_AVC_H
#define VSOCKENC_AVC_H

#include <glib.h>

typedef enum VsockEncStreamFormat {
    VSOCKENC_BYTE_STREAM,
    VSOCKENC_AVC,  /* parameter sets in the caps alone */
    VSOCKENC_AVC3, /* in the access units too */
    VSOCKENC_N_STREAM_FORMATS
} VsockEncStreamFormat;

/* The three bytes from profile_idc on of the first SPS in @unit, a byte stream. NULL: it has none. */
const guint8 *vsockenc_avc_find_profile(GBytes *unit);
/* The AVCDecoderConfigurationRecord (clause 5.3.3.1) of the parameter sets in @unit, to be unreffed. NULL: @unit lacks
 * an SPS or a PPS. */
GBytes *vsockenc_avc_config(GBytes *unit);
/* @unit with a length of 4 bytes in place of each start code, to be unreffed; without its parameter sets if @strip. */
GBytes *vsockenc_avc_convert(GBytes *unit, gboolean strip);

#endif
