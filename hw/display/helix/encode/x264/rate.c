/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rate.c - the share of the bit rate that a picture has, by the time since the one before it. */
#include "rate.h"

#define MAX_SHARES 12u /* of the frame rate, for one picture: 5 pictures a second at 60; if the buffer holds them */

/* The shortest of the last gaps counts, so that a burst after a pause does not get the pause's bits. */
void helix_x264_rate_next(HelixX264Rate *rate, const HelixEncoderConfig *config, gint64 guest_pts_ns,
                          AVCodecContext *codec)
{
    const gint64 frame_ns = (gint64)(1000000000ull * config->fps_den / config->fps_num);
    gint64 gap = (gint64)((guint64)guest_pts_ns - (guint64)rate->guest_pts_ns); /* wraps */
    guint shares = MAX_SHARES;

    rate->guest_pts_ns = guest_pts_ns;
    gap = (CLAMP(gap, 0, MAX_SHARES * frame_ns) + frame_ns / 2) / frame_ns;
    rate->gaps[rate->n++ % G_N_ELEMENTS(rate->gaps)] = (guint)CLAMP(gap, 1, MAX_SHARES);
    for (guint i = 0; i < G_N_ELEMENTS(rate->gaps); i++) {
        shares = MIN(shares, rate->gaps[i]);
    }
    /* x264 makes the buffer larger if one picture may have more than it holds. 1 until all gaps are known. */
    shares = MAX(MIN(shares, helix_libav_buffered_frames(config)), 1);
    if (config->rate_control == HELIX_RATE_CBR && shares != rate->shares) {
        gint64 bits = (gint64)config->bitrate * shares;

        rate->shares = shares;
        codec->bit_rate = codec->rc_max_rate = MIN(bits, HELIX_LIBAV_MAX_BITS);
    }
}
