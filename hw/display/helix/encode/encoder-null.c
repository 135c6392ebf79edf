/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encoder-null.c - an encoder that takes no time and needs no library, to measure everything else.
 *
 * It does not read the pictures. Its access units are valid H.264 that decodes to grey frames of the coded size; all of
 * them are written when it is opened. The macroblocks of an IDR are Intra_16x16 with DC prediction and no residual
 * (without neighbours that predicts 128, 8.3.3.3); every other picture is one run of skipped macroblocks.
 */
#include <string.h>

#include "encoder.h"
#include "../protocol/error.h"

#define LOG2_MAX_FRAME_NUM 4u
#define N_FRAME_NUMS (1u << LOG2_MAX_FRAME_NUM)
#define REF_IDC 1u      /* all are references: poc_type 2 allows no two pictures that are not (7.4.2.1.1) */
#define SLICE_TYPE_P 5u /* table 7-6: all slices of the picture are P, */
#define SLICE_TYPE_I 7u /* or I */

typedef struct NullEncoder {
    HelixEncoder base;
    HelixEncoderConfig config;
    GBytes *idr[2];             /* by idr_pic_id, which differs between neighbouring IDRs (7.4.3) */
    GBytes *skip[N_FRAME_NUMS]; /* by frame_num */
    guint idr_pic_id;           /* of the next IDR */
    guint frame_num;            /* of the next picture that is none */
    guint32 since_idr;          /* pictures, the IDR included; 0 before the first */
} NullEncoder;

static guint32 count_mbs(const HelixEncoderConfig *config)
{
    return ((config->width + 15) / 16) * ((config->height + 15) / 16);
}

static void append_aud(GByteArray *out, gboolean intra)
{
    g_autoptr(GByteArray) rbsp = g_byte_array_new();
    HelixBitWriter writer = { .bytes = rbsp };

    helix_bits_put(&writer, 3, intra ? 0 : 1); /* primary_pic_type, table 7-5: I, or I and P */
    helix_bits_put_trailing(&writer);
    helix_h264_append_nal(out, 0, HELIX_NAL_AUD, rbsp->data, rbsp->len);
}

static void append_sps(GByteArray *out, const HelixEncoderConfig *config)
{
    const HelixVui vui = helix_h264_vui_resolve(config->vui);
    HelixSps sps = {
        .profile_idc = config->profile,
        .level_idc = config->level,
        .log2_max_frame_num = LOG2_MAX_FRAME_NUM,
        .width = config->width,
        .height = config->height,
        .vui = TRUE,
        .sar_width = vui.sar_width,
        .sar_height = vui.sar_height,
        .colour_description = TRUE,
        .full_range = vui.full_range,
        .primaries = vui.primaries,
        .transfer = vui.transfer,
        .matrix = vui.matrix,
        .chroma_loc = vui.chroma_loc != 0,
        .chroma_loc_type = (guint8)(vui.chroma_loc ? vui.chroma_loc - 1 : 0),
        .timing = TRUE,
        .num_units_in_tick = config->fps_den,
        .time_scale = config->fps_num * 2,
        .bitstream_restriction = TRUE,
        .max_dec_frame_buffering = 1,
    };

    if (config->profile == HELIX_PROFILE_BASELINE) {
        sps.constraints = 0xc0; /* Main decoders take it too: no slice groups, no arbitrary slice order (A.2.1) */
    } else if (config->profile == HELIX_PROFILE_MAIN) {
        sps.constraints = 0x40;
    }
    helix_h264_append_sps(out, &sps);
}

/* 7.3.2.2 */
static void append_pps(GByteArray *out)
{
    g_autoptr(GByteArray) rbsp = g_byte_array_new();
    HelixBitWriter writer = { .bytes = rbsp };

    helix_bits_put_ue(&writer, 0); /* pic_parameter_set_id */
    helix_bits_put_ue(&writer, 0); /* seq_parameter_set_id */
    helix_bits_put(&writer, 2, 0); /* CAVLC, no bottom field order */
    helix_bits_put_ue(&writer, 0); /* one slice group */
    helix_bits_put_ue(&writer, 0); /* one reference frame in either list */
    helix_bits_put_ue(&writer, 0);
    helix_bits_put(&writer, 3, 0); /* no weighted prediction */
    helix_bits_put_se(&writer, 0); /* pic_init_qp 26 */
    helix_bits_put_se(&writer, 0); /* pic_init_qs 26 */
    helix_bits_put_se(&writer, 0); /* chroma_qp_index_offset */
    helix_bits_put(&writer, 1, 1); /* deblocking_filter_control_present_flag */
    helix_bits_put(&writer, 2, 0); /* no constrained intra prediction, no redundant pictures */
    helix_bits_put_trailing(&writer);
    helix_h264_append_nal(out, 3, HELIX_NAL_PPS, rbsp->data, rbsp->len);
}

/* 7.3.3, up to frame_num. */
static void put_slice_begin(HelixBitWriter *writer, guint slice_type, guint frame_num)
{
    helix_bits_put_ue(writer, 0); /* first_mb_in_slice */
    helix_bits_put_ue(writer, slice_type);
    helix_bits_put_ue(writer, 0); /* pic_parameter_set_id */
    helix_bits_put(writer, LOG2_MAX_FRAME_NUM, frame_num);
}

static void put_slice_end(HelixBitWriter *writer)
{
    helix_bits_put_se(writer, 0); /* slice_qp_delta */
    helix_bits_put_ue(writer, 1); /* disable_deblocking_filter_idc: nothing to filter, so spare the decoder */
}

static GBytes *make_idr(const HelixEncoderConfig *config, guint idr_pic_id)
{
    g_autoptr(GByteArray) rbsp = g_byte_array_new();
    GByteArray *out = g_byte_array_new();
    HelixBitWriter writer = { .bytes = rbsp };
    guint32 mbs = count_mbs(config);

    if (config->aud) {
        append_aud(out, TRUE);
    }
    append_sps(out, config);
    append_pps(out);
    put_slice_begin(&writer, SLICE_TYPE_I, 0);
    helix_bits_put_ue(&writer, idr_pic_id);
    helix_bits_put(&writer, 2, 0); /* no_output_of_prior_pics_flag, long_term_reference_flag */
    put_slice_end(&writer);
    for (guint32 i = 0; i < mbs; i++) {
        helix_bits_put_ue(&writer, 3); /* mb_type I_16x16_2_0_0, table 7-11: DC prediction, no coefficients but DC */
        helix_bits_put_ue(&writer, 0); /* intra_chroma_pred_mode: DC */
        helix_bits_put_se(&writer, 0); /* mb_qp_delta */
        helix_bits_put(&writer, 1, 1); /* coeff_token of Intra16x16DCLevel, table 9-5, nC 0: none */
    }
    helix_bits_put_trailing(&writer);
    helix_h264_append_nal(out, REF_IDC, HELIX_NAL_IDR, rbsp->data, rbsp->len);
    return g_byte_array_free_to_bytes(out);
}

static GBytes *make_skip(const HelixEncoderConfig *config, guint frame_num)
{
    g_autoptr(GByteArray) rbsp = g_byte_array_new();
    GByteArray *out = g_byte_array_new();
    HelixBitWriter writer = { .bytes = rbsp };

    if (config->aud) {
        append_aud(out, FALSE);
    }
    put_slice_begin(&writer, SLICE_TYPE_P, frame_num);
    helix_bits_put(&writer, 3, 0); /* no more references, their order as it is, no memory management */
    put_slice_end(&writer);
    helix_bits_put_ue(&writer, count_mbs(config)); /* mb_skip_run */
    helix_bits_put_trailing(&writer);
    helix_h264_append_nal(out, REF_IDC, HELIX_NAL_SLICE, rbsp->data, rbsp->len);
    return g_byte_array_free_to_bytes(out);
}

static HelixEncoder *null_open(HelixEncoderConfig *config, gboolean hardware_only, GError **error)
{
    NullEncoder *null = g_new0(NullEncoder, 1);

    config->level = helix_encoder_level(config);
    config->slices = 1;
    null->base.klass = &helix_encoder_null;
    null->config = *config;
    for (guint i = 0; i < G_N_ELEMENTS(null->idr); i++) {
        null->idr[i] = make_idr(config, i);
    }
    for (guint i = 0; i < N_FRAME_NUMS; i++) {
        null->skip[i] = make_skip(config, i);
    }
    return &null->base;
}

/* A change of the parameter sets' content or of the coded size needs new access units. */
static gboolean null_reconfigure(HelixEncoder *encoder, HelixEncoderConfig *config, GError **error)
{
    NullEncoder *null = (NullEncoder *)encoder;
    const HelixEncoderConfig *old = &null->config;

    if (config->width != old->width || config->height != old->height || config->fps_num != old->fps_num ||
        config->fps_den != old->fps_den || config->profile != old->profile || config->aud != old->aud ||
        memcmp(&config->vui, &old->vui, sizeof(config->vui)) != 0 || helix_encoder_level(config) != old->level) {
        return FALSE;
    }
    config->level = old->level;
    config->slices = 1;
    null->config = *config;
    return TRUE;
}

static gboolean null_encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force_idr, HelixAccessUnit *unit,
                            GError **error)
{
    NullEncoder *null = (NullEncoder *)encoder;
    guint32 key_int_max = null->config.key_int_max;

    unit->submitted_ns = g_get_monotonic_time() * 1000;
    unit->keyframe = force_idr || null->since_idr == 0 || (key_int_max && null->since_idr >= key_int_max);
    if (unit->keyframe) {
        unit->data = g_bytes_ref(null->idr[null->idr_pic_id]);
        null->idr_pic_id ^= 1;
        null->frame_num = 1;
        null->since_idr = 1;
        return TRUE;
    }
    unit->data = g_bytes_ref(null->skip[null->frame_num]);
    null->frame_num = (null->frame_num + 1) % N_FRAME_NUMS;
    if (null->since_idr < G_MAXUINT32) {
        null->since_idr++;
    }
    return TRUE;
}

static void null_close(HelixEncoder *encoder)
{
    NullEncoder *null = (NullEncoder *)encoder;

    for (guint i = 0; i < G_N_ELEMENTS(null->idr); i++) {
        g_bytes_unref(null->idr[i]);
    }
    for (guint i = 0; i < N_FRAME_NUMS; i++) {
        g_bytes_unref(null->skip[i]);
    }
    g_free(null);
}

const HelixEncoderClass helix_encoder_null = {
    .name = "null",
    .surface_kinds = 1u << HELIX_SURFACE_MEMORY | 1u << HELIX_SURFACE_DMABUF | 1u << HELIX_SURFACE_IOSURFACE,
    .letterboxes = TRUE, /* it codes no pixels */
    .open = null_open,
    .reconfigure = null_reconfigure,
    .encode = null_encode,
    .close = null_close,
};
