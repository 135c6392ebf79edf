/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* encode-state.c - see encode-state.h. */
#include <va/va.h>
#include <va/va_enc_h264.h>
#include "encode-state.h"

#define UNSPECIFIED 2u /* of tables E-3 to E-5 */
#define EXTENDED_SAR 255u
#define LEVEL_1B 9u
#define SLICE_P 0u /* of slice_type modulo 5, clause 7.4.3 */

/* aspect_ratio_idc, table E-1. */
static const guint16 aspect_ratios[][2] = {
    { 0, 0 },   { 1, 1 },   { 12, 11 }, { 10, 11 }, { 16, 11 },  { 40, 33 }, { 24, 11 }, { 20, 11 }, { 32, 11 },
    { 80, 33 }, { 18, 11 }, { 15, 11 }, { 64, 33 }, { 160, 99 }, { 4, 3 },   { 3, 2 },   { 2, 1 },
};

void hva_encode_state_init(HvaEncodeState *state, const HvaConfig *config, guint width, guint height)
{
    *state = (HvaEncodeState){
        .rate_control = config->rate_control,
        .profile_idc = hva_profile_idc(config->profile),
        .visible = { 0, 0, width, height },
        .coded = VA_INVALID_ID,
        .reconstructed = VA_INVALID_ID,
    };
    state->config.profile = state->profile_idc;
    state->config.realtime = 1;
    state->config.rate_control = config->rate_control == VA_RC_CBR ? HELIX_CLIENT_RATE_CBR
        : config->rate_control == VA_RC_VBR                        ? HELIX_CLIENT_RATE_VBR
                                                                   : HELIX_CLIENT_RATE_CQP;
}

void hva_encode_state_begin(HvaEncodeState *state)
{
    state->has_picture = state->idr = FALSE;
    state->coded = VA_INVALID_ID;
    state->reconstructed = VA_INVALID_ID;
    state->n_slices = 0;
}

/* ---- the sequence ---- */

/* Cropping is in units of two samples: frame_mbs_only_flag is 1 in what the host makes (clause 7.4.2.1.1). */
static gboolean read_size(const VAEncSequenceParameterBufferH264 *sequence, HvaRect *visible)
{
    guint64 left = 0, right = 0, top = 0, bottom = 0;
    guint width = sequence->picture_width_in_mbs * 16u, height = sequence->picture_height_in_mbs * 16u;

    if (sequence->frame_cropping_flag) {
        left = 2 * (guint64)sequence->frame_crop_left_offset;
        right = 2 * (guint64)sequence->frame_crop_right_offset;
        top = 2 * (guint64)sequence->frame_crop_top_offset;
        bottom = 2 * (guint64)sequence->frame_crop_bottom_offset;
    }
    if (left + right >= width || top + bottom >= height || width > HVA_MAX_SIDE || height > HVA_MAX_SIDE) {
        return FALSE;
    }
    *visible = (HvaRect){ (guint)left, (guint)top, width - (guint)(left + right), height - (guint)(top + bottom) };
    return TRUE;
}

static void read_vui(HvaEncodeState *state, const VAEncSequenceParameterBufferH264 *sequence)
{
    HelixClientVui *vui = &state->config.vui;
    guint idc = sequence->aspect_ratio_idc;

    vui->sar_width = vui->sar_height = 0;
    if (!sequence->vui_parameters_present_flag) {
        return;
    }
    if (sequence->vui_fields.bits.aspect_ratio_info_present_flag && idc == EXTENDED_SAR) {
        vui->sar_width = (guint16)MIN(sequence->sar_width, G_MAXUINT16);
        vui->sar_height = (guint16)MIN(sequence->sar_height, G_MAXUINT16);
    } else if (sequence->vui_fields.bits.aspect_ratio_info_present_flag && idc < G_N_ELEMENTS(aspect_ratios)) {
        vui->sar_width = aspect_ratios[idc][0];
        vui->sar_height = aspect_ratios[idc][1];
    }
    /* A frame lasts two ticks (clause E.2.1). */
    if (sequence->vui_fields.bits.timing_info_present_flag && sequence->num_units_in_tick &&
        sequence->num_units_in_tick <= G_MAXUINT32 / 2) {
        hva_encode_state_set_frame_rate(state, sequence->time_scale, sequence->num_units_in_tick * 2);
    }
}

static VAStatus take_sequence(HvaEncodeState *state, const VAEncSequenceParameterBufferH264 *sequence)
{
    if (!read_size(sequence, &state->visible)) {
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    state->config.level = sequence->level_idc == LEVEL_1B ? 0 : sequence->level_idc;
    read_vui(state, sequence);
    if (sequence->bits_per_second) {
        hva_encode_state_set_rate(state, sequence->bits_per_second, 0);
    }
    return VA_STATUS_SUCCESS;
}

/* ---- the picture ---- */

static VAStatus take_picture(HvaEncodeState *state, const VAEncPictureParameterBufferH264 *picture)
{
    state->has_picture = TRUE;
    state->idr = picture->pic_fields.bits.idr_pic_flag != 0;
    state->coded = picture->coded_buf;
    state->reconstructed = picture->CurrPic.picture_id;
    state->initial_qp = picture->pic_init_qp;
    return VA_STATUS_SUCCESS;
}

/*
 * The host has one quantiser for all pictures, and begins anew with an IDR where it changes: that of P slices is taken,
 * and an I slice's until there is one.
 */
static VAStatus take_slice(HvaEncodeState *state, const VAEncSliceParameterBufferH264 *slice)
{
    gint qp = CLAMP(state->initial_qp + slice->slice_qp_delta, 1, 51);

    if (slice->slice_type % 5 == SLICE_P || state->quantiser == 0) {
        state->quantiser = (guint8)qp;
    }
    return VA_STATUS_SUCCESS;
}

VAStatus hva_encode_state_take(HvaEncodeState *state, const HvaBuffer *buffer)
{
    const void *data;

    switch ((int)buffer->type) {
    case VAEncSequenceParameterBufferType:
        data = hva_buffer_parameters(buffer, sizeof(VAEncSequenceParameterBufferH264));
        return data ? take_sequence(state, data) : VA_STATUS_ERROR_INVALID_BUFFER;
    case VAEncPictureParameterBufferType:
        data = hva_buffer_parameters(buffer, sizeof(VAEncPictureParameterBufferH264));
        return data ? take_picture(state, data) : VA_STATUS_ERROR_INVALID_BUFFER;
    case VAEncSliceParameterBufferType:
        data = hva_buffer_parameters(buffer, sizeof(VAEncSliceParameterBufferH264));
        if (!data || buffer->size < sizeof(VAEncSliceParameterBufferH264)) {
            return VA_STATUS_ERROR_INVALID_BUFFER;
        }
        state->n_slices += buffer->n; /* a buffer may have several */
        return take_slice(state, data);
    case VAEncMiscParameterBufferType:
        return hva_encode_state_take_misc(state, buffer);
    case VAEncPackedHeaderParameterBufferType:
    case VAEncPackedHeaderDataBufferType:
        return VA_STATUS_SUCCESS; /* the host writes its own */
    default:
        return VA_STATUS_ERROR_UNSUPPORTED_BUFFERTYPE;
    }
}

void hva_encode_state_config(HvaEncodeState *state, gboolean is_bt709, HelixClientConfig *config)
{
    *config = state->config;
    config->width = state->visible.width;
    config->height = state->visible.height;
    config->slices = state->n_slices > 1 ? (guint8)MIN(state->n_slices, G_MAXUINT8) : 0; /* 0: the host chooses */
    if (state->rate_control == VA_RC_CQP) {
        config->min_qp = config->max_qp = state->quantiser;
    }
    if (!is_bt709) {
        config->vui.primaries = config->vui.transfer = config->vui.matrix = UNSPECIFIED;
    }
}
