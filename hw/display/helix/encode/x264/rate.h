/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rate.h - the share of the bit rate that a picture has, by the time since the one before it.
 *
 * x264 gives each picture the bits of one picture at the configured frame rate. A desktop rarely draws that often: each
 * of its few pictures may have the bits of those that did not come, as far as the VBV buffer holds them. (x264 can be
 * told the pictures' times instead, but then holds each picture back until it knows the time of the next.)
 */
#ifndef HELIX_X264_RATE_H
#define HELIX_X264_RATE_H

#include "options.h"

/* Zeroed at first. */
typedef struct HelixX264Rate {
    gint64 guest_pts_ns; /* of the last picture */
    guint n;             /* pictures so far, modulo 2^32 */
    guint gaps[4];       /* before the last pictures, in units of 1/fps; 0 not known */
    guint shares;        /* frame shares that a picture has now; 0: the configured rate is active */
} HelixX264Rate;

/* Set the bit rate of the next picture in @codec if it changes. @guest_pts_ns is unchecked. */
void helix_x264_rate_next(HelixX264Rate *rate, const HelixEncoderConfig *config, gint64 guest_pts_ns,
                          AVCodecContext *codec);

#endif
