/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sps-write.c - a sequence parameter set written, ITU-T H.264 (08/2021), 7.3.2.1.1 and E.1.1. */
#include <string.h>

#include "sps-layout.h"

/* By aspect_ratio_idc, table E-1. */
const guint8 helix_h264_sar_table[HELIX_H264_N_SAR][2] = {
    { 0, 0 },   { 1, 1 },   { 12, 11 }, { 10, 11 }, { 16, 11 },  { 40, 33 }, { 24, 11 }, { 20, 11 }, { 32, 11 },
    { 80, 33 }, { 18, 11 }, { 15, 11 }, { 64, 33 }, { 160, 99 }, { 4, 3 },   { 3, 2 },   { 2, 1 },
};

/* Profiles whose SPS has the fields behind chroma_format_idc (7.3.2.1.1). */
gboolean helix_h264_has_chroma_format(guint profile_idc)
{
    static const guint8 profiles[] = { 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135 };

    return memchr(profiles, (int)profile_idc, sizeof(profiles)) != NULL;
}

void helix_h264_put_sar(HelixBitWriter *writer, guint16 width, guint16 height)
{
    guint idc = 1;

    while (idc < HELIX_H264_N_SAR &&
           (helix_h264_sar_table[idc][0] != width || helix_h264_sar_table[idc][1] != height)) {
        idc++;
    }
    helix_bits_put(writer, 8, idc < HELIX_H264_N_SAR ? idc : HELIX_H264_EXTENDED_SAR);
    if (idc == HELIX_H264_N_SAR) {
        helix_bits_put(writer, 16, width);
        helix_bits_put(writer, 16, height);
    }
}

static void put_vui(HelixBitWriter *writer, const HelixSps *sps)
{
    helix_bits_put(writer, 1, sps->sar_width != 0);
    if (sps->sar_width) {
        helix_h264_put_sar(writer, sps->sar_width, sps->sar_height);
    }
    helix_bits_put(writer, 1, 0);                       /* overscan_info_present_flag */
    helix_bits_put(writer, 1, sps->colour_description); /* video_signal_type_present_flag */
    if (sps->colour_description) {
        helix_bits_put(writer, 3, HELIX_H264_VIDEO_FORMAT_UNSPECIFIED); /* video_format */
        helix_bits_put(writer, 1, sps->full_range);
        helix_bits_put(writer, 1, 1);
        helix_bits_put(writer, 8, sps->primaries);
        helix_bits_put(writer, 8, sps->transfer);
        helix_bits_put(writer, 8, sps->matrix);
    }
    helix_bits_put(writer, 1, sps->chroma_loc);
    if (sps->chroma_loc) {
        helix_bits_put_ue(writer, sps->chroma_loc_type);
        helix_bits_put_ue(writer, sps->chroma_loc_type);
    }
    helix_bits_put(writer, 1, sps->timing);
    if (sps->timing) {
        helix_bits_put(writer, 32, sps->num_units_in_tick);
        helix_bits_put(writer, 32, sps->time_scale);
        helix_bits_put(writer, 1, sps->fixed_frame_rate);
    }
    helix_bits_put(writer, 3, 0); /* no HRD parameters, no pic_struct */
    helix_bits_put(writer, 1, sps->bitstream_restriction);
    if (sps->bitstream_restriction) {
        helix_bits_put(writer, 1, 1);  /* motion_vectors_over_pic_boundaries_flag */
        helix_bits_put_ue(writer, 0);  /* max_bytes_per_pic_denom: no limit */
        helix_bits_put_ue(writer, 0);  /* max_bits_per_mb_denom: no limit */
        helix_bits_put_ue(writer, 16); /* log2_max_mv_length_horizontal: what is inferred without */
        helix_bits_put_ue(writer, 16);
        helix_bits_put_ue(writer, sps->max_num_reorder_frames);
        helix_bits_put_ue(writer, sps->max_dec_frame_buffering);
    }
}

void helix_h264_append_sps(GByteArray *out, const HelixSps *sps)
{
    g_autoptr(GByteArray) rbsp = g_byte_array_new();
    HelixBitWriter writer = { .bytes = rbsp };
    guint32 mb_width = (sps->width + 15) / 16, mb_height = (sps->height + 15) / 16;
    guint32 crop_right = (mb_width * 16 - sps->width) / 2, crop_bottom = (mb_height * 16 - sps->height) / 2;

    helix_bits_put(&writer, 8, sps->profile_idc);
    helix_bits_put(&writer, 8, sps->constraints);
    helix_bits_put(&writer, 8, sps->level_idc);
    helix_bits_put_ue(&writer, 0); /* seq_parameter_set_id */
    if (helix_h264_has_chroma_format(sps->profile_idc)) {
        helix_bits_put_ue(&writer, 1); /* chroma_format_idc: 4:2:0 */
        helix_bits_put_ue(&writer, 0); /* 8 bits */
        helix_bits_put_ue(&writer, 0);
        helix_bits_put(&writer, 2, 0); /* no transform bypass, no scaling matrix */
    }
    helix_bits_put_ue(&writer, sps->log2_max_frame_num - 4u);
    helix_bits_put_ue(&writer, 2); /* pic_order_cnt_type: output order is decoding order */
    helix_bits_put_ue(&writer, 1); /* max_num_ref_frames */
    helix_bits_put(&writer, 1, 0); /* gaps_in_frame_num_value_allowed_flag */
    helix_bits_put_ue(&writer, mb_width - 1);
    helix_bits_put_ue(&writer, mb_height - 1);
    helix_bits_put(&writer, 2, 3); /* frame_mbs_only_flag, direct_8x8_inference_flag */
    helix_bits_put(&writer, 1, crop_right || crop_bottom);
    if (crop_right || crop_bottom) {
        helix_bits_put_ue(&writer, 0); /* units of two samples (table 6-1, equation 7-19) */
        helix_bits_put_ue(&writer, crop_right);
        helix_bits_put_ue(&writer, 0);
        helix_bits_put_ue(&writer, crop_bottom);
    }
    helix_bits_put(&writer, 1, sps->vui);
    if (sps->vui) {
        put_vui(&writer, sps);
    }
    helix_bits_put_trailing(&writer);
    helix_h264_append_nal(out, 3, HELIX_NAL_SPS, rbsp->data, rbsp->len);
}
