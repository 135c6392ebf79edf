/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-vui.c - what decoders are told of the pictures: defaults, refusals, and what a decoder reads in each encoder's
 * stream. */
#include <string.h>

#include "cases.h"
#include "common.h"
#include "x264.h"

#define WIDTH 128u
#define HEIGHT 64u

/* BT.601 with the ratio of PAL, BT.2020 in full range, and a ratio that table E-1 has not got. */
static const HelixVui cases[] = {
    { .sar_width = 12, .sar_height = 11, .primaries = 5, .transfer = 6, .matrix = 6, .chroma_loc = 1 },
    { .sar_width = 1, .sar_height = 1, .primaries = 9, .transfer = 14, .matrix = 9, .full_range = 1, .chroma_loc = 3 },
    { .sar_width = 1000, .sar_height = 999, .primaries = 2, .transfer = 2, .matrix = 2, .full_range = 1 },
};

TEST("/vui/complete", test_complete)
{
    HelixEncoderConfig config = { .width = WIDTH, .height = HEIGHT };

    g_assert_true(helix_encoder_config_complete(&config, NULL));
    g_assert_cmpmem(&config.vui, sizeof(config.vui), (&(HelixVui){ 1, 1, 1, 1, 1, 0, 0 }), sizeof(HelixVui));
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        config.vui = cases[i];
        config.vui.full_range *= 9;
        g_assert_true(helix_encoder_config_complete(&config, NULL));
        g_assert_cmpmem(&config.vui, sizeof(config.vui), &cases[i], sizeof(cases[i]));
    }
}

TEST("/vui/refused", test_refused)
{
    static const struct {
        HelixVui vui;
        const char *says;
    } wrong[] = {
        { { .sar_width = 4 }, "both sides" }, { { .sar_height = 4 }, "both sides" },
        { { .primaries = 3 }, "table E-3" },  { { .primaries = 21 }, "table E-3" },
        { { .transfer = 19 }, "table E-4" },  { { .matrix = 15 }, "table E-5" },
        { { .chroma_loc = 7 }, "1 to 6" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        HelixEncoderConfig config = { .width = WIDTH, .height = HEIGHT, .vui = wrong[i].vui };
        g_autoptr(GError) error = NULL;

        g_assert_false(helix_encoder_config_complete(&config, &error));
        g_assert_error(error, HELIX_ERROR, HELIX_CODE_INVALID);
        g_assert_nonnull(strstr(error->message, wrong[i].says));
        g_assert_cmpuint(strlen(error->message), <, HELIX_ERROR_MESSAGE_SIZE);
    }
}

static void check_sps(GBytes *unit, const HelixVui *vui)
{
    HelixSps sps = read_sps(unit);

    g_assert_cmpuint(sps.sar_width, ==, vui->sar_width);
    g_assert_cmpuint(sps.sar_height, ==, vui->sar_height);
    g_assert_cmpuint(sps.primaries, ==, vui->primaries);
    g_assert_cmpuint(sps.transfer, ==, vui->transfer);
    g_assert_cmpuint(sps.matrix, ==, vui->matrix);
    g_assert_cmpint(sps.full_range, ==, vui->full_range);
    if (vui->chroma_loc) {
        /* Where it is absent, 0 is inferred (E.2.1). */
        g_assert_cmpuint(sps.chroma_loc_type, ==, vui->chroma_loc - 1);
    }
}

/* A decoder's own reading of it. */
static void check_context(const AVCodecContext *context, const HelixVui *vui)
{
    g_assert_cmpint(context->sample_aspect_ratio.num, ==, vui->sar_width);
    g_assert_cmpint(context->sample_aspect_ratio.den, ==, vui->sar_height);
    g_assert_cmpint((int)context->color_primaries, ==, vui->primaries);
    g_assert_cmpint((int)context->color_trc, ==, vui->transfer);
    g_assert_cmpint((int)context->colorspace, ==, vui->matrix);
    g_assert_cmpint((int)context->color_range, ==, (int)(vui->full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG));
}

/* Every value a sample can have, in steps: luma across, chroma down. */
static HelixSurface *ramp(void)
{
    HelixSurface *surface = surface_paint(HELIX_FORMAT_NV12, WIDTH, HEIGHT, 0, 0, paint_flat, 0);

    for (guint y = 0; y < HEIGHT; y++) {
        for (guint x = 0; x < WIDTH; x++) {
            surface->data[surface->offset[0] + y * surface->stride[0] + x] = (guint8)(x / 8 * 17);
        }
    }
    for (guint y = 0; y < HEIGHT / 2; y++) {
        memset(surface->data + surface->offset[1] + y * surface->stride[1], (int)(y / 8 * 85), WIDTH);
    }
    return surface;
}

/* NV12 comes out of the decoder with the sample values it went in with, in any of the colours it can be said to have.
 */
static void check_encoder(const HelixEncoderClass *klass, gboolean pictures)
{
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        HelixEncoderConfig config = config_for(WIDTH, HEIGHT), next;
        g_autoptr(HelixSurface) surface = ramp();
        g_autoptr(Decoder) decoder = decoder_new();
        g_autoptr(GBytes) unit = NULL;
        g_autoptr(Yuv) yuv = NULL;
        HelixEncoder *encoder;
        gboolean keyframe;

        config.vui = cases[i];
        config.bitrate = 20000000;
        encoder = klass->open(&config, FALSE, NULL);
        g_assert_nonnull(encoder);
        g_assert_cmpmem(&config.vui, sizeof(config.vui), &cases[i], sizeof(cases[i]));
        unit = encode(encoder, surface, FALSE, &keyframe);
        check_sps(unit, &cases[i]);
        yuv = decoder_feed(decoder, unit);
        check_context(decoder_context(decoder), &cases[i]);
        for (guint k = 0; pictures && k < WIDTH / 8 * 4; k++) {
            guint x = k % (WIDTH / 8) * 8 + 4, y = k / (WIDTH / 8) * 16 + 8;

            g_assert_cmpint(ABS(yuv->y[y * WIDTH + x] - (int)(x / 8 * 17)), <=, 2);
            g_assert_cmpint(ABS(yuv->u[y / 2 * (WIDTH / 2) + x / 2] - (int)(y / 16 * 85)), <=, 2);
            g_assert_cmpint(ABS(yuv->v[y / 2 * (WIDTH / 2) + x / 2] - (int)(y / 16 * 85)), <=, 2);
        }
        next = config;
        g_assert_true(klass->reconfigure(encoder, &next, NULL));
        next.vui.full_range ^= 1;
        g_assert_false(klass->reconfigure(encoder, &next, NULL)); /* that needs a new SPS */
        klass->close(encoder);
    }
}

TEST("/vui/null", test_null)
{
    check_encoder(&helix_encoder_null, FALSE);
}

TEST("/vui/x264", test_x264)
{
    HelixEncoderConfig config = config_for(WIDTH, HEIGHT);
    g_autoptr(GBytes) unit = NULL;
    HelixEncoder *encoder;

    if (!helix_encoder_x264.available(FALSE, NULL)) {
        g_test_skip("this libavcodec has no libx264");
        return;
    }
    check_encoder(&helix_encoder_x264, TRUE);
    /* What x264 does not know it does not claim: the answer says what is in force. */
    config.vui.primaries = 22;
    encoder = x264_open(&config);
    g_assert_cmpuint(config.vui.primaries, ==, HELIX_H264_UNSPECIFIED);
    unit = encode_painted(encoder, WIDTH, HEIGHT, paint_figure, 0, FALSE);
    check_sps(unit, &config.vui);
    encoder->klass->close(encoder);
}
