/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - an encoder's configuration as options of libavcodec's "libx264". */
#include <libavutil/opt.h>

#include "options.h"

#define NO_KEYFRAMES (1 << 30) /* x264's "infinite" key frame interval */
#define DEFAULT_CQP 23u        /* x264's own default quality */
#define MAX_THREADS 4u         /* the guest needs processors too */
#define MAX_SLICE_THREADS 8u   /* with at most this many slices, each has a thread */
#define MIN_THREAD_ROWS 4u     /* x264 gives no thread fewer macroblock rows */

/*
 * 640 x 480: waking threads takes time. On two processors the median encode with two threads takes 1.12 times as long
 * as with one at 640 x 360, 1.05 at 640 x 480, 1.00 at 854 x 480 and 0.90 at 1280 x 720 (encode() of this encoder with
 * 1 and with 2 slices, 200 pictures of bench/desktop.c, nine times each in turn, chrt -f 5).
 */
#define MIN_THREADED_MBS 1200u

#define LAST_PRIMARIES 12u /* colour_primaries that x264 knows */

/* A rate as x264 takes it: in kbit/s, and with no more bits for a frame than it can count. */
static guint32 usable_rate(const HelixEncoderConfig *config, guint32 rate)
{
    guint64 most = (guint64)HELIX_LIBAV_MAX_BITS * config->fps_num / config->fps_den;

    rate = (guint32)MIN(rate, most);
    return rate - rate % 1000;
}

void helix_x264_resolve(HelixEncoderConfig *config)
{
    guint rows = (config->height + 15) / 16, mbs = rows * ((config->width + 15) / 16);

    config->level = helix_encoder_level(config);
    config->rate_control = helix_libav_rate_control(config);
    if (config->rate_control == HELIX_RATE_CQP && config->min_qp == 0) {
        config->min_qp = DEFAULT_CQP;
    }
    config->bitrate = usable_rate(config, config->bitrate);
    config->max_bitrate = usable_rate(config, config->max_bitrate);
    if (config->slices == 0) {
        config->slices = mbs < MIN_THREADED_MBS ? 1 : (guint8)MIN(g_get_num_processors(), MAX_THREADS);
        config->slices = (guint8)CLAMP(rows / MIN_THREAD_ROWS, 1, config->slices);
    }
    config->slices = (guint8)MIN(config->slices, rows);
    if (config->vui.primaries > LAST_PRIMARIES) {
        config->vui.primaries = HELIX_H264_UNSPECIFIED; /* x264 would write that */
    }
}

static guint count_threads(const HelixEncoderConfig *config)
{
    guint rows = (config->height + 15) / 16;

    return config->slices <= MAX_SLICE_THREADS && config->slices * MIN_THREAD_ROWS <= rows ? config->slices : 1;
}

static void set_syntax(AVCodecContext *codec, const HelixEncoderConfig *config)
{
    helix_libav_set_stream(codec, config);
    codec->pix_fmt = AV_PIX_FMT_NV12;
    /*
     * An interval of 1 makes an intra-only profile, whose SPS goes without bitstream_restriction: those IDRs are forced
     * one by one instead.
     */
    codec->gop_size = config->key_int_max > 1 ? (int)MIN(config->key_int_max, NO_KEYFRAMES) : NO_KEYFRAMES;
    codec->keyint_min = 1;
}

/* x264 writes the lowest profile that has the features in use: each profile is set by the feature that it adds. */
static void set_profile(AVCodecContext *codec, const HelixEncoderConfig *config)
{
    void *options = codec->priv_data;

    switch (config->profile) {
    case HELIX_PROFILE_BASELINE:
        av_opt_set(options, "profile", "baseline", 0);
        break;
    case HELIX_PROFILE_MAIN:
        av_opt_set(options, "profile", "main", 0);
        av_opt_set(options, "coder", "cabac", 0);
        break;
    default:
        av_opt_set(options, "profile", "high", 0);
        av_opt_set(options, "8x8dct", "1", 0);
        break;
    }
}

static void set_private_options(AVCodecContext *codec, const HelixEncoderConfig *config)
{
    void *options = codec->priv_data;
    guint threads = count_threads(config);

    av_opt_set(options, "preset", config->realtime ? "ultrafast" : "superfast", 0);
    av_opt_set(options, "tune", "zerolatency", 0);
    av_opt_set(options, "forced-idr", "1", 0);
    av_opt_set_int(options, "sc_threshold", 0, 0); /* IDRs when asked, not when the picture changes */
    av_opt_set_int(options, "aud", config->aud, 0);
    set_profile(codec, config);
    if (config->rate_control == HELIX_RATE_CQP) {
        av_opt_set_int(options, "qp", config->min_qp, 0);
    } else if (config->min_qp) {
        codec->qmin = config->min_qp;
    }
    if (config->max_qp && config->rate_control != HELIX_RATE_CQP) {
        codec->qmax = config->max_qp;
    }
    codec->thread_count = (int)threads;
    codec->thread_type = FF_THREAD_SLICE;
    codec->slices = config->slices;
    /* of x264's many messages only errors are left at libav's default level */
    codec->log_level_offset = AV_LOG_INFO - AV_LOG_ERROR;
}

void helix_x264_set_options(AVCodecContext *codec, const HelixEncoderConfig *config)
{
    set_syntax(codec, config);
    helix_libav_set_rates(codec, config);
    set_private_options(codec, config);
}

/* x264 follows changes of a VBV buffer's rate: of a constant bit rate and of a maximum, but not of a variable rate's
 * mean. */
gboolean helix_x264_can_change(const HelixEncoderConfig *old, const HelixEncoderConfig *wanted)
{
    gboolean vbv_stays = (wanted->max_bitrate != 0) == (old->max_bitrate != 0);

    if (!helix_libav_same_but_rates(wanted, old)) {
        return FALSE;
    }
    return wanted->rate_control != HELIX_RATE_VBR || (wanted->bitrate == old->bitrate && vbv_stays);
}

/*
 * An upper bound of resident memory after the worst pictures (tests/encoder/test-x264-memory.c checks it): planes with
 * borders, of which presets slower than ultrafast have more, and our NV12; x264's tables and libswscale's filters;
 * memory of each thread; tables of motion vectors, which are larger from level 6 on; and the rows that libswscale keeps
 * to scale a high picture down to a low one.
 */
guint64 helix_x264_memory(const HelixEncoderConfig *asked)
{
    const guint64 mib = 1 << 20, border = 128; /* of both sides */
    HelixEncoderConfig config = *asked;
    guint64 bytes;

    helix_x264_resolve(&config);
    bytes = (config.width + border) * (config.height + border) * (config.realtime ? 25 : 41) / 2;
    if (config.letterbox) { /* two more NV12 pictures: the scaled one, and that with its borders */
        bytes += 3 * (guint64)(config.width + border) * config.height;
    }
    bytes += 8 * mib + (guint64)count_threads(&config) * 5 * mib / 2 + (config.level >= 60 ? 16 * mib : 0);
    return bytes + (guint64)config.width * 6 * HELIX_MAX_DIMENSION / config.height;
}
