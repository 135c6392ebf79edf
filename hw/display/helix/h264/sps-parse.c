/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sps-parse.c - a sequence parameter set read, ITU-T H.264 (08/2021), 7.3.2.1.1 and E.1.1. */
#include "bit-reader.h"
#include "sps-layout.h"

static void skip_scaling_list(HelixBitReader *reader, guint size)
{
    gint32 last = 8, next = 8;

    for (guint i = 0; i < size && !reader->failed; i++) {
        if (next != 0) {
            gint32 delta = helix_bits_get_se(reader);

            if (delta < -128 || delta > 127) { /* 7.4.2.1.1.1 */
                reader->failed = TRUE;
                return;
            }
            next = (last + delta) & 0xff;
        }
        last = next == 0 ? last : next;
    }
}

static void parse_high_fields(HelixBitReader *reader, HelixSps *sps)
{
    sps->chroma_format_idc = (guint8)helix_bits_get_ue_max(reader, 3);
    if (sps->chroma_format_idc == 3) {
        helix_bits_get_flag(reader); /* separate_colour_plane_flag */
    }
    sps->bit_depth_luma = (guint8)(8 + helix_bits_get_ue_max(reader, 6));
    sps->bit_depth_chroma = (guint8)(8 + helix_bits_get_ue_max(reader, 6));
    helix_bits_get_flag(reader);       /* qpprime_y_zero_transform_bypass_flag */
    if (helix_bits_get_flag(reader)) { /* seq_scaling_matrix_present_flag */
        guint lists = sps->chroma_format_idc == 3 ? 12 : 8;

        for (guint i = 0; i < lists; i++) {
            if (helix_bits_get_flag(reader)) {
                skip_scaling_list(reader, i < 6 ? 16 : 64);
            }
        }
    }
}

static void parse_poc(HelixBitReader *reader, HelixSps *sps)
{
    sps->poc_type = (guint8)helix_bits_get_ue_max(reader, 2);
    if (sps->poc_type == 0) {
        sps->log2_max_poc_lsb = (guint8)(4 + helix_bits_get_ue_max(reader, 12));
    } else if (sps->poc_type == 1) {
        guint32 n;

        helix_bits_get_flag(reader);
        helix_bits_get_se(reader);
        helix_bits_get_se(reader);
        n = helix_bits_get_ue_max(reader, 255);
        for (guint32 i = 0; i < n; i++) {
            helix_bits_get_se(reader);
        }
    }
}

static void parse_size(HelixBitReader *reader, HelixSps *sps)
{
    guint64 width, height, crop_x = 0, crop_y = 0;
    guint unit_x = sps->chroma_format_idc == 1 || sps->chroma_format_idc == 2 ? 2 : 1;
    guint unit_y = sps->chroma_format_idc == 1 ? 2 : 1;

    /* no level has more than 139264 macroblocks (table A-1), so no side has more */
    width = ((guint64)helix_bits_get_ue_max(reader, 139263) + 1) * 16;
    height = ((guint64)helix_bits_get_ue_max(reader, 139263) + 1) * 16;
    sps->frame_mbs_only = helix_bits_get_flag(reader);
    if (!sps->frame_mbs_only) {
        height *= 2;
        unit_y *= 2;
        helix_bits_get_flag(reader); /* mb_adaptive_frame_field_flag */
    }
    helix_bits_get_flag(reader); /* direct_8x8_inference_flag */
    if (helix_bits_get_flag(reader)) {
        crop_x = ((guint64)helix_bits_get_ue(reader) + helix_bits_get_ue(reader)) * unit_x;
        crop_y = ((guint64)helix_bits_get_ue(reader) + helix_bits_get_ue(reader)) * unit_y;
    }
    if (crop_x >= width || crop_y >= height) {
        reader->failed = TRUE;
        return;
    }
    sps->width = (guint32)(width - crop_x);
    sps->height = (guint32)(height - crop_y);
}

static void skip_hrd(HelixBitReader *reader)
{
    guint32 n = helix_bits_get_ue_max(reader, 31) + 1;

    helix_bits_get(reader, 8);
    for (guint32 i = 0; i < n; i++) {
        helix_bits_get_ue(reader);
        helix_bits_get_ue(reader);
        helix_bits_get_flag(reader);
    }
    helix_bits_get(reader, 20);
}

static void parse_sar(HelixBitReader *reader, HelixSps *sps)
{
    guint idc = helix_bits_get(reader, 8);

    if (idc == HELIX_H264_EXTENDED_SAR) {
        sps->sar_width = (guint16)helix_bits_get(reader, 16);
        sps->sar_height = (guint16)helix_bits_get(reader, 16);
    } else if (idc < HELIX_H264_N_SAR) {
        sps->sar_width = helix_h264_sar_table[idc][0];
        sps->sar_height = helix_h264_sar_table[idc][1];
    }
}

static void parse_video_signal(HelixBitReader *reader, HelixSps *sps)
{
    sps->video_format = (guint8)helix_bits_get(reader, 3);
    sps->full_range = helix_bits_get_flag(reader);
    sps->colour_description = helix_bits_get_flag(reader);
    if (sps->colour_description) {
        sps->primaries = (guint8)helix_bits_get(reader, 8);
        sps->transfer = (guint8)helix_bits_get(reader, 8);
        sps->matrix = (guint8)helix_bits_get(reader, 8);
    }
}

static void parse_restriction(HelixBitReader *reader, HelixSps *sps, HelixSpsLayout *layout)
{
    layout->restriction = reader->position;
    sps->bitstream_restriction = helix_bits_get_flag(reader);
    if (!sps->bitstream_restriction) {
        return;
    }
    layout->limits_begin = reader->position;
    helix_bits_get_flag(reader); /* motion_vectors_over_pic_boundaries_flag */
    for (guint i = 0; i < 4; i++) {
        helix_bits_get_ue(reader);
    }
    layout->limits_end = reader->position;
    sps->max_num_reorder_frames = (guint8)helix_bits_get_ue_max(reader, 16);
    sps->max_dec_frame_buffering = (guint8)helix_bits_get_ue_max(reader, 16);
}

static void parse_vui(HelixBitReader *reader, HelixSps *sps, HelixSpsLayout *layout)
{
    gboolean nal_hrd, vcl_hrd;

    if (helix_bits_get_flag(reader)) {
        parse_sar(reader, sps);
    }
    layout->aspect_end = reader->position;
    if (helix_bits_get_flag(reader)) { /* overscan_info_present_flag */
        helix_bits_get_flag(reader);
    }
    layout->signal_begin = reader->position;
    if (helix_bits_get_flag(reader)) {
        parse_video_signal(reader, sps);
    }
    layout->signal_end = reader->position;
    sps->chroma_loc = helix_bits_get_flag(reader);
    if (sps->chroma_loc) {
        sps->chroma_loc_type = (guint8)helix_bits_get_ue_max(reader, 5);
        helix_bits_get_ue_max(reader, 5);
    }
    layout->chroma_end = reader->position;
    sps->timing = helix_bits_get_flag(reader);
    if (sps->timing) {
        sps->num_units_in_tick = helix_bits_get(reader, 32);
        sps->time_scale = helix_bits_get(reader, 32);
        sps->fixed_frame_rate = helix_bits_get_flag(reader);
    }
    nal_hrd = helix_bits_get_flag(reader);
    if (nal_hrd) {
        skip_hrd(reader);
    }
    vcl_hrd = helix_bits_get_flag(reader);
    if (vcl_hrd) {
        skip_hrd(reader);
    }
    if (nal_hrd || vcl_hrd) {
        helix_bits_get_flag(reader); /* low_delay_hrd_flag */
    }
    helix_bits_get_flag(reader); /* pic_struct_present_flag */
    parse_restriction(reader, sps, layout);
}

gboolean helix_h264_scan_sps(const guint8 *nal, gsize size, HelixSps *sps, HelixSpsLayout *layout)
{
    HelixBitReader reader = { 0 };

    *sps = (HelixSps){
        .chroma_format_idc = 1,
        .bit_depth_luma = 8,
        .bit_depth_chroma = 8,
        .video_format = HELIX_H264_VIDEO_FORMAT_UNSPECIFIED,
        .primaries = HELIX_H264_UNSPECIFIED,
        .transfer = HELIX_H264_UNSPECIFIED,
        .matrix = HELIX_H264_UNSPECIFIED,
    };
    *layout = (HelixSpsLayout){ 0 };
    if (size < 4 || (nal[0] & 0x9f) != HELIX_NAL_SPS) {
        return FALSE;
    }
    reader.data = nal;
    reader.end = nal + size;
    helix_bits_get(&reader, 8); /* the header */
    sps->profile_idc = (guint8)helix_bits_get(&reader, 8);
    sps->constraints = (guint8)helix_bits_get(&reader, 8);
    sps->level_idc = (guint8)helix_bits_get(&reader, 8);
    sps->id = (guint8)helix_bits_get_ue_max(&reader, 31);
    if (helix_h264_has_chroma_format(sps->profile_idc)) {
        parse_high_fields(&reader, sps);
    }
    sps->log2_max_frame_num = (guint8)(4 + helix_bits_get_ue_max(&reader, 12));
    parse_poc(&reader, sps);
    sps->max_num_ref_frames = helix_bits_get_ue_max(&reader, 16);
    helix_bits_get_flag(&reader); /* gaps_in_frame_num_value_allowed_flag */
    parse_size(&reader, sps);
    layout->vui_flag = reader.position;
    sps->vui = helix_bits_get_flag(&reader);
    if (sps->vui) {
        parse_vui(&reader, sps, layout);
    }
    return !reader.failed;
}

gboolean helix_h264_parse_sps(const guint8 *nal, gsize size, HelixSps *sps)
{
    HelixSpsLayout layout;

    return helix_h264_scan_sps(nal, size, sps, &layout);
}
