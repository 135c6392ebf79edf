/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sps-parse.c - sequence parameter sets of ITU-T H.264 (08/2021), read and written. */
#include <string.h>

#include "sps-layout.h"

#define UNSPECIFIED_FORMAT 5u /* video_format, table E-2 */
#define EXTENDED_SAR 255u     /* aspect_ratio_idc, table E-1 */

/* ---- reading bits ---- */

/* Reads a NAL unit's payload past its emulation prevention. An error sticks: read straight through, check once. */
typedef struct BitReader {
    const guint8 *data, *end;
    guint bit;      /* of *data, 0 the most significant */
    guint zeros;    /* zero bytes just before *data */
    gsize position; /* bits read of the RBSP, the NAL unit's header included */
    gboolean failed;
} BitReader;

static void next_byte(BitReader *reader)
{
    reader->zeros = *reader->data == 0 ? reader->zeros + 1 : 0;
    reader->data++;
    reader->bit = 0;
    if (reader->zeros >= 2 && reader->data < reader->end && *reader->data == 3) {
        reader->data++;
        reader->zeros = 0;
    }
}

static guint32 get_bits(BitReader *reader, guint n)
{
    guint32 value = 0;

    for (guint i = 0; i < n; i++) {
        if (reader->data >= reader->end) {
            reader->failed = TRUE;
            return 0;
        }
        value = value << 1 | ((*reader->data >> (7 - reader->bit)) & 1);
        reader->position++;
        if (++reader->bit == 8) {
            next_byte(reader);
        }
    }
    return value;
}

static gboolean get_flag(BitReader *reader)
{
    return get_bits(reader, 1) != 0;
}

static guint32 get_ue(BitReader *reader)
{
    guint zeros = 0;

    while (!reader->failed && !get_flag(reader)) {
        zeros++;
    }
    if (reader->failed || zeros > 31) {
        reader->failed = TRUE;
        return 0;
    }
    return (guint32)((G_GUINT64_CONSTANT(1) << zeros) - 1 + get_bits(reader, zeros));
}

static gint32 get_se(BitReader *reader)
{
    guint32 code = get_ue(reader);

    return code & 1 ? (gint32)(code / 2 + 1) : -(gint32)(code / 2);
}

/* A ue(v) that may not exceed @max. */
static guint32 get_ue_max(BitReader *reader, guint32 max)
{
    guint32 value = get_ue(reader);

    if (value > max) {
        reader->failed = TRUE;
        return 0;
    }
    return value;
}

/* ---- sequence parameter sets ---- */

/* Profiles whose SPS has the fields behind chroma_format_idc (7.3.2.1.1). */
static gboolean has_chroma_format(guint profile_idc)
{
    static const guint8 profiles[] = { 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135 };

    return memchr(profiles, (int)profile_idc, sizeof(profiles)) != NULL;
}

static void skip_scaling_list(BitReader *reader, guint size)
{
    gint32 last = 8, next = 8;

    for (guint i = 0; i < size && !reader->failed; i++) {
        if (next != 0) {
            gint32 delta = get_se(reader);

            if (delta < -128 || delta > 127) { /* 7.4.2.1.1.1 */
                reader->failed = TRUE;
                return;
            }
            next = (last + delta) & 0xff;
        }
        last = next == 0 ? last : next;
    }
}

static void parse_high_fields(BitReader *reader, HelixSps *sps)
{
    sps->chroma_format_idc = (guint8)get_ue_max(reader, 3);
    if (sps->chroma_format_idc == 3) {
        get_flag(reader); /* separate_colour_plane_flag */
    }
    sps->bit_depth_luma = (guint8)(8 + get_ue_max(reader, 6));
    sps->bit_depth_chroma = (guint8)(8 + get_ue_max(reader, 6));
    get_flag(reader);       /* qpprime_y_zero_transform_bypass_flag */
    if (get_flag(reader)) { /* seq_scaling_matrix_present_flag */
        guint lists = sps->chroma_format_idc == 3 ? 12 : 8;

        for (guint i = 0; i < lists; i++) {
            if (get_flag(reader)) {
                skip_scaling_list(reader, i < 6 ? 16 : 64);
            }
        }
    }
}

static void parse_poc(BitReader *reader, HelixSps *sps)
{
    sps->poc_type = (guint8)get_ue_max(reader, 2);
    if (sps->poc_type == 0) {
        sps->log2_max_poc_lsb = (guint8)(4 + get_ue_max(reader, 12));
    } else if (sps->poc_type == 1) {
        guint32 n;

        get_flag(reader);
        get_se(reader);
        get_se(reader);
        n = get_ue_max(reader, 255);
        for (guint32 i = 0; i < n; i++) {
            get_se(reader);
        }
    }
}

static void parse_size(BitReader *reader, HelixSps *sps)
{
    guint64 width, height, crop_x = 0, crop_y = 0;
    guint unit_x = sps->chroma_format_idc == 1 || sps->chroma_format_idc == 2 ? 2 : 1;
    guint unit_y = sps->chroma_format_idc == 1 ? 2 : 1;

    /* no level has more than 139264 macroblocks (table A-1), so no side has more */
    width = ((guint64)get_ue_max(reader, 139263) + 1) * 16;
    height = ((guint64)get_ue_max(reader, 139263) + 1) * 16;
    sps->frame_mbs_only = get_flag(reader);
    if (!sps->frame_mbs_only) {
        height *= 2;
        unit_y *= 2;
        get_flag(reader); /* mb_adaptive_frame_field_flag */
    }
    get_flag(reader); /* direct_8x8_inference_flag */
    if (get_flag(reader)) {
        crop_x = ((guint64)get_ue(reader) + get_ue(reader)) * unit_x;
        crop_y = ((guint64)get_ue(reader) + get_ue(reader)) * unit_y;
    }
    if (crop_x >= width || crop_y >= height) {
        reader->failed = TRUE;
        return;
    }
    sps->width = (guint32)(width - crop_x);
    sps->height = (guint32)(height - crop_y);
}

static void skip_hrd(BitReader *reader)
{
    guint32 n = get_ue_max(reader, 31) + 1;

    get_bits(reader, 8);
    for (guint32 i = 0; i < n; i++) {
        get_ue(reader);
        get_ue(reader);
        get_flag(reader);
    }
    get_bits(reader, 20);
}

/* By aspect_ratio_idc, table E-1. */
static const guint8 ratios[17][2] = {
    { 0, 0 },   { 1, 1 },   { 12, 11 }, { 10, 11 }, { 16, 11 },  { 40, 33 }, { 24, 11 }, { 20, 11 }, { 32, 11 },
    { 80, 33 }, { 18, 11 }, { 15, 11 }, { 64, 33 }, { 160, 99 }, { 4, 3 },   { 3, 2 },   { 2, 1 },
};

static void parse_sar(BitReader *reader, HelixSps *sps)
{
    guint idc = get_bits(reader, 8);

    if (idc == EXTENDED_SAR) {
        sps->sar_width = (guint16)get_bits(reader, 16);
        sps->sar_height = (guint16)get_bits(reader, 16);
    } else if (idc < G_N_ELEMENTS(ratios)) {
        sps->sar_width = ratios[idc][0];
        sps->sar_height = ratios[idc][1];
    }
}

static void parse_video_signal(BitReader *reader, HelixSps *sps)
{
    sps->video_format = (guint8)get_bits(reader, 3);
    sps->full_range = get_flag(reader);
    sps->colour_description = get_flag(reader);
    if (sps->colour_description) {
        sps->primaries = (guint8)get_bits(reader, 8);
        sps->transfer = (guint8)get_bits(reader, 8);
        sps->matrix = (guint8)get_bits(reader, 8);
    }
}

static void parse_restriction(BitReader *reader, HelixSps *sps, HelixSpsLayout *layout)
{
    layout->restriction = reader->position;
    sps->bitstream_restriction = get_flag(reader);
    if (!sps->bitstream_restriction) {
        return;
    }
    layout->limits_begin = reader->position;
    get_flag(reader); /* motion_vectors_over_pic_boundaries_flag */
    for (guint i = 0; i < 4; i++) {
        get_ue(reader);
    }
    layout->limits_end = reader->position;
    sps->max_num_reorder_frames = (guint8)get_ue_max(reader, 16);
    sps->max_dec_frame_buffering = (guint8)get_ue_max(reader, 16);
}

static void parse_vui(BitReader *reader, HelixSps *sps, HelixSpsLayout *layout)
{
    gboolean nal_hrd, vcl_hrd;

    if (get_flag(reader)) {
        parse_sar(reader, sps);
    }
    layout->aspect_end = reader->position;
    if (get_flag(reader)) { /* overscan_info_present_flag */
        get_flag(reader);
    }
    layout->signal_begin = reader->position;
    if (get_flag(reader)) {
        parse_video_signal(reader, sps);
    }
    layout->signal_end = reader->position;
    sps->chroma_loc = get_flag(reader);
    if (sps->chroma_loc) {
        sps->chroma_loc_type = (guint8)get_ue_max(reader, 5);
        get_ue_max(reader, 5);
    }
    layout->chroma_end = reader->position;
    sps->timing = get_flag(reader);
    if (sps->timing) {
        sps->num_units_in_tick = get_bits(reader, 32);
        sps->time_scale = get_bits(reader, 32);
        sps->fixed_frame_rate = get_flag(reader);
    }
    nal_hrd = get_flag(reader);
    if (nal_hrd) {
        skip_hrd(reader);
    }
    vcl_hrd = get_flag(reader);
    if (vcl_hrd) {
        skip_hrd(reader);
    }
    if (nal_hrd || vcl_hrd) {
        get_flag(reader); /* low_delay_hrd_flag */
    }
    get_flag(reader); /* pic_struct_present_flag */
    parse_restriction(reader, sps, layout);
}

gboolean helix_h264_scan_sps(const guint8 *nal, gsize size, HelixSps *sps, HelixSpsLayout *layout)
{
    BitReader reader = { 0 };

    *sps = (HelixSps){
        .chroma_format_idc = 1,
        .bit_depth_luma = 8,
        .bit_depth_chroma = 8,
        .video_format = UNSPECIFIED_FORMAT,
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
    get_bits(&reader, 8); /* the header */
    sps->profile_idc = (guint8)get_bits(&reader, 8);
    sps->constraints = (guint8)get_bits(&reader, 8);
    sps->level_idc = (guint8)get_bits(&reader, 8);
    sps->id = (guint8)get_ue_max(&reader, 31);
    if (has_chroma_format(sps->profile_idc)) {
        parse_high_fields(&reader, sps);
    }
    sps->log2_max_frame_num = (guint8)(4 + get_ue_max(&reader, 12));
    parse_poc(&reader, sps);
    sps->max_num_ref_frames = get_ue_max(&reader, 16);
    get_flag(&reader); /* gaps_in_frame_num_value_allowed_flag */
    parse_size(&reader, sps);
    layout->vui_flag = reader.position;
    sps->vui = get_flag(&reader);
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

void helix_h264_put_sar(HelixBitWriter *writer, guint16 width, guint16 height)
{
    guint idc = 1;

    while (idc < G_N_ELEMENTS(ratios) && (ratios[idc][0] != width || ratios[idc][1] != height)) {
        idc++;
    }
    helix_bits_put(writer, 8, idc < G_N_ELEMENTS(ratios) ? idc : EXTENDED_SAR);
    if (idc == G_N_ELEMENTS(ratios)) {
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
        helix_bits_put(writer, 3, UNSPECIFIED_FORMAT); /* video_format */
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
    if (has_chroma_format(sps->profile_idc)) {
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
