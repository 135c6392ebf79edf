/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sps-layout.h - where in a sequence parameter set things are, between its reader and its rewriter. */
#ifndef HELIX_H264_LAYOUT_H
#define HELIX_H264_LAYOUT_H

#include "h264.h"

/* Bit positions in the RBSP, counted from the NAL unit's header; all but the first are 0 without a VUI. */
typedef struct HelixSpsLayout {
    gsize vui_flag;                 /* vui_parameters_present_flag */
    gsize aspect_end;               /* overscan_info_present_flag */
    gsize signal_begin, signal_end; /* video_signal_type_present_flag up to chroma_loc_info_present_flag */
    gsize chroma_end;               /* timing_info_present_flag */
    gsize restriction;              /* bitstream_restriction_flag */
    /* motion_vectors_over_pic_boundaries_flag up to max_num_reorder_frames; 0 without */
    gsize limits_begin, limits_end;
} HelixSpsLayout;

/* helix_h264_parse_sps() with the layout. */
gboolean helix_h264_scan_sps(const guint8 *nal, gsize size, HelixSps *sps, HelixSpsLayout *layout);

/* aspect_ratio_idc of table E-1, with sar_width and sar_height where the table has no such ratio. */
void helix_h264_put_sar(HelixBitWriter *writer, guint16 width, guint16 height);

#endif
