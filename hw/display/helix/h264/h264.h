/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h264.h - H.264 syntax (ITU-T H.264, 08/2021) for encoders and tests: NAL units of an Annex B byte stream, sequence
 * parameter sets, levels, and a bit writer.
 *
 * Pure functions without state or ownership; any thread. Input may be hostile: nothing is read beyond its size.
 */
#ifndef HELIX_H264_H
#define HELIX_H264_H

#include <glib.h>
#include "../protocol/stream-config.h"

/* nal_unit_type, table 7-1 */
#define HELIX_NAL_SLICE 1u
#define HELIX_NAL_IDR 5u
#define HELIX_NAL_SEI 6u
#define HELIX_NAL_SPS 7u
#define HELIX_NAL_PPS 8u
#define HELIX_NAL_AUD 9u

/* profile_idc, annex A.2 */
#define HELIX_PROFILE_BASELINE 66u
#define HELIX_PROFILE_MAIN 77u
#define HELIX_PROFILE_HIGH 100u

/* Code points of tables E-3 to E-5 for BT.709, and the three others' "unspecified". */
#define HELIX_H264_BT709 1u
#define HELIX_H264_UNSPECIFIED 2u

/* ---- NAL units (annex B, 7.3.1) ---- */

typedef struct HelixNal {
    const guint8 *data; /* the NAL unit's header byte, then its payload with emulation prevention in place */
    gsize size;         /* > 0; trailing zero bytes are not counted */
    guint8 type, ref_idc;
} HelixNal;

/*
 * Find the next NAL unit of the @size bytes at @stream, from *@position on (0 at first), which moves behind it. FALSE
 * at the end. Bytes before the first start code are skipped.
 */
gboolean helix_h264_next_nal(const guint8 *stream, gsize size, gsize *position, HelixNal *nal);

/* Append a NAL unit around @rbsp: a four-byte start code, the header, emulation prevention (7.4.1). */
void helix_h264_append_nal(GByteArray *out, guint8 ref_idc, guint8 type, const guint8 *rbsp, gsize size);

/* ---- bits, most significant first (7.2, 9.1) ---- */

typedef struct HelixBitWriter {
    GByteArray *bytes; /* whole bytes written so far; the caller's */
    guint8 partial;    /* bits of the next one, left-aligned */
    guint n_partial;   /* how many, 0 to 7 */
} HelixBitWriter;

void helix_bits_put(HelixBitWriter *writer, guint n, guint32 value); /* u(n), n <= 32 */
void helix_bits_put_ue(HelixBitWriter *writer, guint32 value);       /* ue(v), value < 2^32 - 1 */
void helix_bits_put_se(HelixBitWriter *writer, gint32 value);        /* se(v) */
void helix_bits_put_trailing(HelixBitWriter *writer);                /* rbsp_trailing_bits() */

/* ---- video usability information (E.2.1) ---- */

/* @vui with its zeros replaced by the defaults above; chroma_loc is unchanged. */
HelixVui helix_h264_vui_resolve(HelixVui vui);
/* NULL if an SPS can express @vui, else a text that says what is wrong with it (static). */
const char *helix_h264_vui_fault(const HelixVui *vui);

/* ---- sequence parameter sets (7.3.2.1.1, annex E.1.1) ---- */

typedef struct HelixSps {
    guint8 profile_idc;
    guint8 constraints; /* constraint_set0_flag is bit 7, set5 bit 2 */
    guint8 level_idc;
    guint8 id;
    guint8 chroma_format_idc, bit_depth_luma, bit_depth_chroma;
    guint8 log2_max_frame_num;
    guint8 poc_type, log2_max_poc_lsb;
    guint32 max_num_ref_frames;
    gboolean frame_mbs_only;
    guint32 width, height; /* luma samples after cropping */

    gboolean vui;                  /* vui_parameters_present_flag; without it what follows is 0 or "unspecified" */
    guint16 sar_width, sar_height; /* 0: not present */
    guint8 video_format;           /* 5, unspecified, if not present */
    gboolean full_range;
    gboolean colour_description;
    guint8 primaries, transfer, matrix;
    gboolean chroma_loc;
    guint8 chroma_loc_type; /* 6.2, figure E-1: 0 left, 1 centre */
    gboolean timing;
    guint32 num_units_in_tick, time_scale;
    gboolean fixed_frame_rate;
    gboolean bitstream_restriction;
    guint8 max_num_reorder_frames, max_dec_frame_buffering;
} HelixSps;

/*
 * Parse the SPS in the NAL unit @nal of @size bytes (header byte first). FALSE if it is not an SPS, is truncated, or
 * has a value out of range.
 */
gboolean helix_h264_parse_sps(const guint8 *nal, gsize size, HelixSps *sps);

/*
 * Append @sps as a NAL unit: 4:2:0, 8 bits, progressive, poc_type 2, one reference frame; width and height must be
 * even. Profile, constraints, level, log2_max_frame_num and, if vui is set, the VUI are taken from @sps.
 */
void helix_h264_append_sps(GByteArray *out, const HelixSps *sps);

/*
 * A copy of the SPS in @nal (header byte first, no start code) with aspect ratio, colour description and chroma
 * location of @vui, and a bitstream_restriction with max_num_reorder_frames 0 and max_dec_frame_buffering of
 * max_num_ref_frames (E.2.1). Every other element keeps its bits, and so does a video_full_range_flag of 1.
 *
 * Without bitstream_restriction a decoder must expect reordering and holds back a whole buffer of pictures. Use it only
 * for streams of an encoder that does not reorder. NULL where helix_h264_parse_sps() returns FALSE. The caller frees
 * it.
 */
GByteArray *helix_h264_rewrite_sps(const guint8 *nal, gsize size, const HelixVui *vui);

/* ---- levels (table A-1) ---- */

/*
 * The lowest level, times 10, not below @at_least, that allows this frame size (luma samples), macroblock rate and bit
 * rate (bit/s; A.3.3 allows High a quarter more). If only the rates are too high: the highest level. 0 if no level
 * allows frames this large.
 */
guint helix_h264_level(guint32 width, guint32 height, guint32 fps_num, guint32 fps_den, guint64 bitrate, guint profile,
                       guint at_least);

/*
 * Whether @level (times 10) is in table A-1. Level 1b, which has no number of its own in Baseline and Main, is not
 * counted.
 */
gboolean helix_h264_level_known(guint level);

#endif
