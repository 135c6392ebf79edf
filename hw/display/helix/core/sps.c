/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sps.c - reads and rewrites sequence parameter sets.
 *
 * The rewrite copies bits instead of writing parsed values back, so that what this file does not know about cannot be lost:
 * it only needs the places where the VUI's signal type and its bitstream_restriction begin and end.
 */
#include <string.h>

#include "bits.h"
#include "error.h"
#include "sps.h"

#define NAL_TYPE_SPS 7
#define EXTENDED_SAR 255
#define UNSPECIFIED 2           /* of colour primaries, transfer and matrix, tables E-3 to E-5 */
#define BT709 1

/* Bit positions in the RBSP. */
typedef struct Layout {
    gsize vui_flag;             /* vui_parameters_present_flag */
    gsize signal_begin, signal_end;     /* video_signal_type_present_flag up to chroma_loc_info_present_flag */
    gsize restriction;          /* bitstream_restriction_flag */
    gsize tail_begin, tail_end; /* inside it: motion_vectors_over_pic_boundaries_flag up to max_num_reorder_frames */
} Layout;

/* 7.3.2.1.1.1: only to step over it. */
static void skip_scaling_list(HelixBitReader *reader, guint size)
{
    gint32 last = 8, next = 8;

    for (guint i = 0; i < size && !reader->failed; i++) {
        if (next != 0) {
            next = (last + helix_bits_se(reader)) & 255;
        }
        last = next == 0 ? last : next;
    }
}

static gboolean profile_has_chroma_format(guint8 profile)
{
    static const guint8 profiles[] = { 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135 };

    return memchr(profiles, profile, sizeof(profiles)) != NULL;
}

/* Returns separate_colour_plane_flag. */
static gboolean parse_chroma(HelixBitReader *reader, HelixSps *sps)
{
    gboolean separate = FALSE;

    sps->chroma_format_idc = helix_bits_ue(reader);
    if (sps->chroma_format_idc > 3) {
        reader->failed = TRUE;
    }
    if (sps->chroma_format_idc == 3) {
        separate = helix_bits_u(reader, 1);
    }
    sps->bit_depth_luma = 8 + helix_bits_ue(reader);
    sps->bit_depth_chroma = 8 + helix_bits_ue(reader);
    helix_bits_u(reader, 1);            /* qpprime_y_zero_transform_bypass_flag */
    if (helix_bits_u(reader, 1)) {      /* seq_scaling_matrix_present_flag */
        for (guint i = 0; i < (sps->chroma_format_idc == 3 ? 12 : 8); i++) {
            if (helix_bits_u(reader, 1)) {
                skip_scaling_list(reader, i < 6 ? 16 : 64);
            }
        }
    }
    return separate;
}

static void parse_picture_order(HelixBitReader *reader, HelixSps *sps)
{
    guint32 cycle;

    helix_bits_ue(reader);              /* log2_max_frame_num_minus4 */
    sps->pic_order_cnt_type = helix_bits_ue(reader);
    if (sps->pic_order_cnt_type == 0) {
        helix_bits_ue(reader);          /* log2_max_pic_order_cnt_lsb_minus4 */
    } else if (sps->pic_order_cnt_type == 1) {
        helix_bits_u(reader, 1);        /* delta_pic_order_always_zero_flag */
        helix_bits_se(reader);          /* offset_for_non_ref_pic */
        helix_bits_se(reader);          /* offset_for_top_to_bottom_field */
        cycle = helix_bits_ue(reader);
        if (cycle > 255) {
            reader->failed = TRUE;
        }
        for (guint32 i = 0; i < cycle && !reader->failed; i++) {
            helix_bits_se(reader);
        }
    } else if (sps->pic_order_cnt_type > 2) {
        reader->failed = TRUE;
    }
}

/* 7.4.2.1.1: the picture in samples, before and after cropping. */
static void parse_size(HelixBitReader *reader, HelixSps *sps, gboolean separate_planes)
{
    guint64 width_mbs = (guint64)helix_bits_ue(reader) + 1, height_maps = (guint64)helix_bits_ue(reader) + 1, height_mbs;
    guint32 chroma = separate_planes ? 0 : sps->chroma_format_idc;
    guint64 crop_x = 0, crop_y = 0, unit_x, unit_y;

    sps->frame_mbs_only = helix_bits_u(reader, 1);
    if (!sps->frame_mbs_only) {
        helix_bits_u(reader, 1);        /* mb_adaptive_frame_field_flag */
    }
    helix_bits_u(reader, 1);            /* direct_8x8_inference_flag */
    height_mbs = height_maps * (sps->frame_mbs_only ? 1 : 2);
    unit_x = chroma == 1 || chroma == 2 ? 2 : 1;
    unit_y = (chroma == 1 ? 2 : 1) * (sps->frame_mbs_only ? 1 : 2);
    if (helix_bits_u(reader, 1)) {      /* frame_cropping_flag: left, right, top, bottom */
        crop_x = helix_bits_ue(reader);
        crop_x = (crop_x + helix_bits_ue(reader)) * unit_x;
        crop_y = helix_bits_ue(reader);
        crop_y = (crop_y + helix_bits_ue(reader)) * unit_y;
    }
    /* table A-1: at most 139264 macroblocks, no side longer than sqrt(8 * that) of them */
    if (width_mbs > 1055 || height_mbs > 1055 || crop_x >= width_mbs * 16 || crop_y >= height_mbs * 16) {
        reader->failed = TRUE;
        return;
    }
    sps->coded_width = (guint32)width_mbs * 16;
    sps->coded_height = (guint32)height_mbs * 16;
    sps->width = sps->coded_width - (guint32)crop_x;
    sps->height = sps->coded_height - (guint32)crop_y;
}

/* E.1.2: only to step over it. */
static void skip_hrd(HelixBitReader *reader)
{
    guint32 count = helix_bits_ue(reader);

    if (count > 31) {
        reader->failed = TRUE;
    }
    helix_bits_u(reader, 8);            /* bit_rate_scale, cpb_size_scale */
    for (guint32 i = 0; i <= count && !reader->failed; i++) {
        helix_bits_ue(reader);
        helix_bits_ue(reader);
        helix_bits_u(reader, 1);
    }
    helix_bits_u(reader, 20);           /* four lengths of five bits */
}

static void parse_signal_type(HelixBitReader *reader, HelixSps *sps)
{
    sps->signal_type_present = helix_bits_u(reader, 1);
    if (!sps->signal_type_present) {
        return;
    }
    sps->video_format = helix_bits_u(reader, 3);
    sps->full_range = helix_bits_u(reader, 1);
    sps->colour_present = helix_bits_u(reader, 1);
    if (sps->colour_present) {
        sps->primaries = helix_bits_u(reader, 8);
        sps->transfer = helix_bits_u(reader, 8);
        sps->matrix = helix_bits_u(reader, 8);
    }
}

static void parse_restriction(HelixBitReader *reader, HelixSps *sps, Layout *layout)
{
    layout->restriction = reader->pos;
    sps->bitstream_restriction = helix_bits_u(reader, 1);
    if (!sps->bitstream_restriction) {
        return;
    }
    layout->tail_begin = reader->pos;
    helix_bits_u(reader, 1);            /* motion_vectors_over_pic_boundaries_flag */
    helix_bits_ue(reader);              /* max_bytes_per_pic_denom */
    helix_bits_ue(reader);              /* max_bits_per_mb_denom */
    helix_bits_ue(reader);              /* log2_max_mv_length_horizontal */
    helix_bits_ue(reader);              /* log2_max_mv_length_vertical */
    layout->tail_end = reader->pos;
    sps->max_num_reorder_frames = helix_bits_ue(reader);
    sps->max_dec_frame_buffering = helix_bits_ue(reader);
}

/* E.1.1 */
static void parse_vui(HelixBitReader *reader, HelixSps *sps, Layout *layout)
{
    gboolean nal_hrd, vcl_hrd;

    if (helix_bits_u(reader, 1) && helix_bits_u(reader, 8) == EXTENDED_SAR) {
        helix_bits_u(reader, 32);       /* sar_width, sar_height */
    }
    if (helix_bits_u(reader, 1)) {      /* overscan_info_present_flag */
        helix_bits_u(reader, 1);
    }
    layout->signal_begin = reader->pos;
    parse_signal_type(reader, sps);
    layout->signal_end = reader->pos;
    if (helix_bits_u(reader, 1)) {      /* chroma_loc_info_present_flag */
        helix_bits_ue(reader);
        helix_bits_ue(reader);
    }
    if (helix_bits_u(reader, 1)) {      /* timing_info_present_flag */
        helix_bits_u(reader, 32);
        helix_bits_u(reader, 32);
        helix_bits_u(reader, 1);
    }
    nal_hrd = helix_bits_u(reader, 1);
    if (nal_hrd) {
        skip_hrd(reader);
    }
    vcl_hrd = helix_bits_u(reader, 1);
    if (vcl_hrd) {
        skip_hrd(reader);
    }
    if (nal_hrd || vcl_hrd) {
        helix_bits_u(reader, 1);        /* low_delay_hrd_flag */
    }
    helix_bits_u(reader, 1);            /* pic_struct_present_flag */
    parse_restriction(reader, sps, layout);
}

static gboolean parse(HelixBitReader *reader, HelixSps *sps, Layout *layout, GError **error)
{
    gboolean separate_planes = FALSE;

    *sps = (HelixSps) { .chroma_format_idc = 1, .bit_depth_luma = 8, .bit_depth_chroma = 8, .video_format = 5,
                        .primaries = UNSPECIFIED, .transfer = UNSPECIFIED, .matrix = UNSPECIFIED };
    *layout = (Layout) { 0 };
    if ((helix_bits_u(reader, 8) & 0x9f) != NAL_TYPE_SPS) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "not a sequence parameter set: a NAL unit of type 7 is one");
        return FALSE;
    }
    sps->profile_idc = helix_bits_u(reader, 8);
    sps->constraint_flags = helix_bits_u(reader, 8);
    sps->level_idc = helix_bits_u(reader, 8);
    sps->id = helix_bits_ue(reader);
    if (profile_has_chroma_format(sps->profile_idc)) {
        separate_planes = parse_chroma(reader, sps);
    }
    parse_picture_order(reader, sps);
    sps->max_num_ref_frames = helix_bits_ue(reader);
    helix_bits_u(reader, 1);            /* gaps_in_frame_num_value_allowed_flag */
    parse_size(reader, sps, separate_planes);
    layout->vui_flag = reader->pos;
    sps->vui_present = helix_bits_u(reader, 1);
    if (sps->vui_present) {
        parse_vui(reader, sps, layout);
    }
    if (reader->failed || sps->id > 31 || sps->max_num_ref_frames > 16) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "sequence parameter set of %" G_GSIZE_FORMAT " bytes cannot be read: "
                    "it ends too early or holds a value H.264 does not allow", reader->n_bits / 8);
        return FALSE;
    }
    return TRUE;
}

gboolean helix_sps_parse(const guint8 *nal, gsize len, HelixSps *sps, GError **error)
{
    GByteArray *rbsp = helix_rbsp_from_nal(nal, len);
    HelixBitReader reader;
    Layout layout;
    gboolean ok;

    helix_bit_reader_init(&reader, rbsp->data, rbsp->len);
    ok = parse(&reader, sps, &layout, error);
    g_byte_array_unref(rbsp);
    return ok;
}

static void put_signal_type(HelixBitWriter *writer, const HelixSps *sps)
{
    helix_bits_put(writer, 1, 1);
    helix_bits_put(writer, sps->video_format, 3);
    helix_bits_put(writer, sps->full_range, 1);
    helix_bits_put(writer, 1, 1);
    helix_bits_put(writer, BT709, 8);
    helix_bits_put(writer, BT709, 8);
    helix_bits_put(writer, BT709, 8);
}

static void put_restriction(HelixBitWriter *writer, const HelixSps *sps, const Layout *layout, const guint8 *rbsp)
{
    helix_bits_put(writer, 1, 1);
    if (sps->bitstream_restriction) {
        helix_bits_copy(writer, rbsp, layout->tail_begin, layout->tail_end);
    } else {
        /* what E.2.1 infers when they are absent */
        helix_bits_put(writer, 1, 1);
        helix_bits_put_ue(writer, 2);
        helix_bits_put_ue(writer, 1);
        helix_bits_put_ue(writer, 15);
        helix_bits_put_ue(writer, 15);
    }
    helix_bits_put_ue(writer, 0);
    helix_bits_put_ue(writer, sps->max_num_ref_frames);
}

GByteArray *helix_sps_rewrite(const guint8 *nal, gsize len, GError **error)
{
    GByteArray *rbsp = helix_rbsp_from_nal(nal, len), *out, *result;
    HelixBitReader reader;
    HelixBitWriter writer;
    HelixSps sps;
    Layout layout;

    helix_bit_reader_init(&reader, rbsp->data, rbsp->len);
    if (!parse(&reader, &sps, &layout, error)) {
        g_byte_array_unref(rbsp);
        return NULL;
    }
    helix_bit_writer_init(&writer);
    helix_bits_copy(&writer, rbsp->data, 0, layout.vui_flag);
    helix_bits_put(&writer, 1, 1);
    if (sps.vui_present) {
        helix_bits_copy(&writer, rbsp->data, layout.vui_flag + 1, layout.signal_begin);
        put_signal_type(&writer, &sps);
        helix_bits_copy(&writer, rbsp->data, layout.signal_end, layout.restriction);
    } else {
        helix_bits_put(&writer, 0, 2);  /* aspect_ratio_info, overscan_info: not present */
        put_signal_type(&writer, &sps);
        helix_bits_put(&writer, 0, 5);  /* chroma_loc, timing, nal_hrd, vcl_hrd, pic_struct: not present */
    }
    put_restriction(&writer, &sps, &layout, rbsp->data);
    out = helix_bit_writer_end(&writer);
    result = helix_nal_from_rbsp(out->data, out->len);
    g_byte_array_unref(out);
    g_byte_array_unref(rbsp);
    return result;
}
