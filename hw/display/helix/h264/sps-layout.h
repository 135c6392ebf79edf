/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sps-layout.h - what the parser, the writer and the rewriter of a sequence parameter set share. Private to this
 * folder. */
#ifndef HELIX_H264_LAYOUT_H
#define HELIX_H264_LAYOUT_H

#include "h264.h"

#define HELIX_H264_VIDEO_FORMAT_UNSPECIFIED 5u /* video_format, table E-2 */
#define HELIX_H264_EXTENDED_SAR 255u           /* aspect_ratio_idc, table E-1 */
#define HELIX_H264_N_SAR 17u

/* Width and height by aspect_ratio_idc, table E-1. */
extern const guint8 helix_h264_sar_table[HELIX_H264_N_SAR][2];

/* Whether the SPS of @profile_idc has chroma_format_idc and the fields behind it (7.3.2.1.1). */
gboolean helix_h264_has_chroma_format(guint profile_idc);

/* Bit positions in the RBSP, counted from the NAL unit's header byte; all but the first are 0 without a VUI. */
typedef struct HelixSpsLayout {
    gsize vui_flag;                 /* vui_parameters_present_flag */
    gsize aspect_end;               /* overscan_info_present_flag */
    gsize signal_begin, signal_end; /* video_signal_type_present_flag up to chroma_loc_info_present_flag */
    gsize chroma_end;               /* timing_info_present_flag */
    gsize restriction;              /* bitstream_restriction_flag */
    /* motion_vectors_over_pic_boundaries_flag up to max_num_reorder_frames; 0 without */
    gsize limits_begin, limits_end;
} HelixSpsLayout;

/* As helix_h264_parse_sps(), and returns the layout. */
gboolean helix_h264_scan_sps(const guint8 *nal, gsize size, HelixSps *sps, HelixSpsLayout *layout);

/* Write aspect_ratio_idc (table E-1), and sar_width and sar_height if the table does not have the ratio. */
void helix_h264_put_sar(HelixBitWriter *writer, guint16 width, guint16 height);

#endif
