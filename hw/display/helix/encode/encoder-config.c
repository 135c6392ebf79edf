/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encoder-config.c - an encoder's configuration: the values that a guest may ask for, and the automatic ones. */
#include "encoder.h"
#include "../h264/h264.h"
#include "../protocol/error.h"

#define MIN_BITRATE 10000u      /* bit/s: ten of the kbit/s that x264 counts in */
#define MAX_BITRATE 1000000000u /* level 6.2 of High */
#define MIN_AUTO_BITRATE 500000u
#define MAX_AUTO_BITRATE 100000000u
#define MAX_FPS 1000u
#define MAX_FPS_TERM 1000000u /* twice fps_num is the VUI's time_scale: 32 bits, with room */
#define DEFAULT_FPS 60u
#define MAX_QP 51u /* 7.4.2.2, 8-bit samples */
#define LOWEST_AUTO_LEVEL 31u

static gboolean G_GNUC_PRINTF(2, 3) invalid(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (error) {
        *error = g_error_new_valist(HELIX_ERROR, HELIX_CODE_INVALID, format, args);
    }
    va_end(args);
    return FALSE;
}

gboolean helix_encoder_check_size(guint32 width, guint32 height, GError **error)
{
    if (width < 1 || height < 1 || width > HELIX_MAX_DIMENSION || height > HELIX_MAX_DIMENSION) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "coded size %u x %u: each side is from 1 to %u", width,
                    height, HELIX_MAX_DIMENSION);
        return FALSE;
    }
    if (helix_h264_level(width, height, 0, 1, 0, HELIX_PROFILE_HIGH, 0) == 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY,
                    "coded size %u x %u: H.264 has at most 139264 macroblocks of 16 x 16 "
                    "(8192 x 4352): scale the picture down, or ask for a smaller coded size in CONFIG_REQ",
                    width, height);
        return FALSE;
    }
    return TRUE;
}

static gboolean complete_size(HelixEncoderConfig *config, GError **error)
{
    if (!helix_encoder_check_size(config->width, config->height, error)) {
        return FALSE;
    }
    /* 4:2:0 has no odd sizes; the limit is even, so this stays within it */
    config->width = (config->width + 1) & ~1u;
    config->height = (config->height + 1) & ~1u;
    return TRUE;
}

static guint32 gcd(guint32 a, guint32 b)
{
    while (b) {
        guint32 rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

static gboolean complete_fps(HelixEncoderConfig *config, GError **error)
{
    guint64 num = config->fps_num, den = config->fps_den;
    guint32 divisor;

    if (num == 0) {
        config->fps_num = DEFAULT_FPS;
        config->fps_den = 1;
        return TRUE;
    }
    if (den == 0) {
        return invalid(error, "frame rate %u/0: the denominator is at least 1", config->fps_num);
    }
    if (num > MAX_FPS * den || num * 10 < den) {
        return invalid(error, "frame rate %u/%u: from 1/10 to %u frames a second", config->fps_num, config->fps_den,
                       MAX_FPS);
    }
    divisor = gcd(config->fps_num, config->fps_den);
    num /= divisor;
    den /= divisor;
    if (num > MAX_FPS_TERM || den > MAX_FPS_TERM) {
        num = (num * 1000 + den / 2) / den;
        den = 1000;
        divisor = gcd((guint32)num, (guint32)den);
        num /= divisor;
        den /= divisor;
    }
    config->fps_num = (guint32)num;
    config->fps_den = (guint32)den;
    return TRUE;
}

/*
 * 0.1 bit per pixel of each frame: between low and medium motion by the Kush gauge (K. Amerasinghe, "H.264 for the rest
 * of us": pixels a second x motion rank 1, 2 or 4 x 0.07). A desktop mostly stands still or scrolls, but its text needs
 * more than the bits of low motion.
 */
static guint32 automatic_bitrate(const HelixEncoderConfig *config)
{
    guint64 bits = (guint64)config->width * config->height * config->fps_num / config->fps_den / 10;

    return (guint32)CLAMP(bits, MIN_AUTO_BITRATE, MAX_AUTO_BITRATE);
}

static gboolean rate_usable(guint32 rate)
{
    return rate >= MIN_BITRATE && rate <= MAX_BITRATE;
}

static gboolean complete_rates(HelixEncoderConfig *config, GError **error)
{
    if (config->rate_control > HELIX_RATE_CQP) {
        return invalid(error, "rate control %u: 0 automatic, 1 constant, 2 variable, 3 constant quality",
                       config->rate_control);
    }
    if (config->max_bitrate && !rate_usable(config->max_bitrate)) {
        return invalid(error, "maximum bit rate %u: from %u to %u bit/s, or 0 for none", config->max_bitrate,
                       MIN_BITRATE, MAX_BITRATE);
    }
    if (config->bitrate == 0) {
        config->bitrate = automatic_bitrate(config);
        if (config->max_bitrate) {
            config->bitrate = MIN(config->bitrate, config->max_bitrate);
        }
    }
    if (!rate_usable(config->bitrate)) {
        return invalid(error, "bit rate %u: from %u to %u bit/s, or 0 for automatic", config->bitrate, MIN_BITRATE,
                       MAX_BITRATE);
    }
    if (config->max_bitrate && config->max_bitrate < config->bitrate) {
        return invalid(error, "maximum bit rate %u is below the bit rate %u: it is at least that, or 0 for none",
                       config->max_bitrate, config->bitrate);
    }
    return TRUE;
}

static gboolean complete_syntax(HelixEncoderConfig *config, GError **error)
{
    if (config->profile == 0) {
        config->profile = HELIX_PROFILE_HIGH;
    }
    if (config->profile != HELIX_PROFILE_BASELINE && config->profile != HELIX_PROFILE_MAIN &&
        config->profile != HELIX_PROFILE_HIGH) {
        return invalid(error, "profile_idc %u: 66 Baseline, 77 Main, 100 High, or 0 for automatic", config->profile);
    }
    if (config->level && !helix_h264_level_known(config->level)) {
        return invalid(error,
                       "level %u: ten times a level of H.264 from 10 (1.0) to 62 (6.2), such as 31, 42 or 51, "
                       "or 0 for automatic",
                       config->level);
    }
    return TRUE;
}

static gboolean complete_quality(HelixEncoderConfig *config, GError **error)
{
    if (config->min_qp > MAX_QP || config->max_qp > MAX_QP) {
        return invalid(error, "quantisers %u to %u: each is at most %u, or 0 for automatic", config->min_qp,
                       config->max_qp, MAX_QP);
    }
    if (config->max_qp && config->min_qp > config->max_qp) {
        return invalid(error, "quantisers %u to %u: the smallest is not above the largest", config->min_qp,
                       config->max_qp);
    }
    if (config->key_int_max > G_MAXINT32) {
        return invalid(error, "an IDR every %u frames: at most every %d, or 0 for none but those asked for",
                       config->key_int_max, G_MAXINT32);
    }
    return TRUE;
}

static gboolean complete_vui(HelixEncoderConfig *config, GError **error)
{
    const char *fault = helix_h264_vui_fault(&config->vui);

    config->vui = helix_h264_vui_resolve(config->vui);
    return fault ? invalid(error, "the colours or the aspect ratio cannot be written into an SPS: %s", fault) : TRUE;
}

gboolean helix_encoder_config_complete(HelixEncoderConfig *config, GError **error)
{
    HelixEncoderConfig complete = *config;

    if (!complete_size(&complete, error) || !complete_fps(&complete, error) || !complete_rates(&complete, error) ||
        !complete_syntax(&complete, error) || !complete_quality(&complete, error) || !complete_vui(&complete, error)) {
        return FALSE;
    }
    complete.realtime = complete.realtime != 0;
    complete.aud = complete.aud != 0;
    *config = complete;
    return TRUE;
}

guint8 helix_encoder_level(const HelixEncoderConfig *config)
{
    guint64 bitrate = MAX(config->bitrate, config->max_bitrate);

    if (config->rate_control == HELIX_RATE_CQP) {
        bitrate = 0; /* has no meaning there */
    }
    return (guint8)helix_h264_level(config->width, config->height, config->fps_num, config->fps_den, bitrate,
                                    config->profile, config->level ? config->level : LOWEST_AUTO_LEVEL);
}
