/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* encode-rate.c - bit rate, frame rate and bounds of the quantiser. */
#include "encode-state.h"

#define MAX_QP 51u
/* What a host takes: frames a second, and seconds a frame. */
#define MAX_RATE 1000u
#define LEAST_PERIOD 10u

/* @target_percentage of the maximum, which @bits_per_second is, is the mean of a variable rate; 0: all of it. */
void hva_encode_state_set_rate(HvaEncodeState *state, guint32 bits_per_second, guint32 target_percentage)
{
    HelixClientConfig *config = &state->config;

    config->bitrate = bits_per_second;
    config->max_bitrate = 0;
    if (state->rate_control == VA_RC_CQP) {
        config->bitrate = 0;
    } else if (state->rate_control == VA_RC_VBR) {
        guint32 percent = target_percentage ? MIN(target_percentage, 100) : 100;

        config->max_bitrate = bits_per_second;
        config->bitrate = (guint32)((guint64)bits_per_second * percent / 100);
    }
}

void hva_encode_state_set_frame_rate(HvaEncodeState *state, guint32 num, guint32 den)
{
    guint32 a = num, b = den;

    /* FFmpeg gives the inverse of its time base, cut to 16 bits, for pictures that come at no steady rate. */
    if (num == 0 || den == 0 || num / den > MAX_RATE || den / num > LEAST_PERIOD) {
        return;
    }
    while (b != 0) {
        guint32 rest = a % b;

        a = b;
        b = rest;
    }
    state->config.fps_num = num / a;
    state->config.fps_den = den / a;
}

static void take_rate(HvaEncodeState *state, const VAEncMiscParameterRateControl *rate)
{
    if (rate->bits_per_second) {
        hva_encode_state_set_rate(state, rate->bits_per_second, rate->target_percentage);
    }
    if (state->rate_control != VA_RC_CQP) {
        state->config.min_qp = (guint8)MIN(rate->min_qp, MAX_QP);
        state->config.max_qp = (guint8)MIN(rate->max_qp, MAX_QP);
    }
}

VAStatus hva_encode_state_take_misc(HvaEncodeState *state, const HvaBuffer *buffer)
{
    const gsize head = sizeof(VAEncMiscParameterBuffer);
    const VAEncMiscParameterBuffer *misc = hva_buffer_parameters(buffer, head);

    if (!misc) {
        return VA_STATUS_ERROR_INVALID_BUFFER;
    }
    if (misc->type == VAEncMiscParameterTypeRateControl) {
        if (!hva_buffer_parameters(buffer, head + sizeof(VAEncMiscParameterRateControl))) {
            return VA_STATUS_ERROR_INVALID_BUFFER;
        }
        take_rate(state, (const void *)misc->data);
    } else if (misc->type == VAEncMiscParameterTypeFrameRate) {
        const VAEncMiscParameterFrameRate *rate = (const void *)misc->data;

        if (!hva_buffer_parameters(buffer, head + sizeof(*rate))) {
            return VA_STATUS_ERROR_INVALID_BUFFER;
        }
        hva_encode_state_set_frame_rate(state, rate->framerate & 0xffff, MAX(rate->framerate >> 16, 1));
    }
    return VA_STATUS_SUCCESS; /* of others none is offered: they are hints */
}
