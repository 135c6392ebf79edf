/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-x264.c - pictures through the x264 encoder and back, and the syntax of what it writes. */
#include <string.h>

#include "cases.h"
#include "common.h"
#include "x264.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_LEAK_CHECK 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(WITH_LEAK_CHECK)
#include <sanitizer/lsan_interface.h>
#else
static void __lsan_disable(void)
{
}
static void __lsan_enable(void)
{
}
#endif

/* ---- pictures ---- */

/* Through encoder and decoder at a generous rate: luma 40 dB, chroma 35 dB at least, nothing flipped or swapped. */
static void check_picture(guint32 fourcc, guint width, guint height, guint stride)
{
    HelixEncoderConfig config = config_for(width, height);
    g_autoptr(Decoder) decoder = decoder_new();
    HelixEncoder *encoder;

    config.bitrate = 20000000;
    encoder = x264_open(&config);
    for (guint n = 0; n < 4; n++) {
        g_autoptr(HelixSurface) surface = surface_paint(fourcc, width, height, stride, 0x80, paint_figure, n);
        g_autoptr(Yuv) expected = yuv_reference(paint_figure, width, height, n);
        g_autoptr(GBytes) unit = encode(encoder, surface, FALSE, NULL);
        g_autoptr(Yuv) got = decoder_feed(decoder, unit);

        g_assert_cmpfloat(yuv_compare(expected, got, 0).psnr, >=, 40);
        g_assert_cmpfloat(yuv_compare(expected, got, 1).psnr, >=, 35);
        g_assert_cmpfloat(yuv_compare(expected, got, 2).psnr, >=, 35);
    }
    g_assert_cmpint(decoder_context(decoder)->colorspace, ==, AVCOL_SPC_BT709);
    g_assert_cmpint(decoder_context(decoder)->color_primaries, ==, AVCOL_PRI_BT709);
    g_assert_cmpint(decoder_context(decoder)->color_trc, ==, AVCOL_TRC_BT709);
    g_assert_cmpint(decoder_context(decoder)->color_range, !=, AVCOL_RANGE_JPEG);
    encoder->klass->close(encoder);
}

TEST("/x264/pictures", test_pictures)
{
    static const guint32 formats[] = { HELIX_FORMAT_AR24, HELIX_FORMAT_XR24, HELIX_FORMAT_AB24, HELIX_FORMAT_XB24,
                                       HELIX_FORMAT_NV12 };

    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        check_picture(formats[i], 640, 360, 0);
        check_picture(formats[i], 321, 243, 2048);
        check_picture(formats[i], 1280, 719, 0);
    }
    check_picture(HELIX_FORMAT_XR24, 1920, 1080, 0);
}

TEST("/x264/flat", test_flat)
{
    static const guint colours[] = { 0x000000, 0xffffff, 0xff0000, 0x00ff00, 0x0000ff, 0x336699, 0xc0ffee };
    HelixEncoderConfig config = config_for(320, 240);
    HelixEncoder *encoder = x264_open(&config);
    g_autoptr(Decoder) decoder = decoder_new();

    for (guint i = 0; i < G_N_ELEMENTS(colours); i++) {
        g_autoptr(Yuv) expected = yuv_reference(paint_flat, 320, 240, colours[i]);
        g_autoptr(GBytes) unit = encode_painted(encoder, 320, 240, paint_flat, colours[i], TRUE);
        g_autoptr(Yuv) got = decoder_feed(decoder, unit);

        for (guint plane = 0; plane < 3; plane++) {
            g_assert_cmpuint(yuv_compare(expected, got, plane).max, <=, 3);
        }
    }
    encoder->klass->close(encoder);
}

/* A picture of another size is scaled to the coded one, also when the size changes under way. */
TEST("/x264/scaled", test_scaled)
{
    HelixEncoderConfig config = config_for(640, 360);
    HelixEncoder *encoder = x264_open(&config);
    g_autoptr(Decoder) decoder = decoder_new();
    g_autoptr(Yuv) expected = yuv_reference(paint_smooth, 640, 360, 0);
    static const guint sizes[][2] = { { 1280, 720 }, { 320, 180 }, { 640, 360 }, { 1001, 333 } };

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GBytes) unit = encode_painted(encoder, sizes[i][0], sizes[i][1], paint_smooth, 0, FALSE);
        g_autoptr(Yuv) got = decoder_feed(decoder, unit);

        g_assert_cmpfloat(yuv_compare(expected, got, 0).psnr, >=, 34);
        assert_nal_types(unit, i == 0 ? "785" : "1");
    }
    encoder->klass->close(encoder);
}

static guint read_number(const Yuv *yuv)
{
    guint n = 0;

    for (guint bit = 0; bit < 16; bit++) {
        n |= (yuv->y[8 * yuv->width + bit * 16 + 8] > 125 ? 1u : 0u) << bit;
    }
    return n;
}

/* Access unit N gives picture N: the decoder needs no later one. Threads and slices as they come. */
TEST("/x264/no-delay", test_no_delay)
{
    static const guint8 profiles[] = { 66, 77, 100 };

    for (guint p = 0; p < G_N_ELEMENTS(profiles); p++) {
        HelixEncoderConfig config = config_for(1280, 720);
        g_autoptr(Decoder) decoder = decoder_new();
        HelixEncoder *encoder;

        config.profile = profiles[p];
        encoder = x264_open(&config);
        for (guint n = 0; n < 20; n++) {
            g_autoptr(GBytes) unit = encode_painted(encoder, 1280, 720, paint_number, n * 2731, FALSE);
            g_autoptr(Yuv) got = decoder_feed(decoder, unit);

            g_assert_cmpuint(read_number(got), ==, n * 2731);
        }
        g_assert_cmpint(decoder_context(decoder)->has_b_frames, ==, 0);
        encoder->klass->close(encoder);
    }
}

/* What is not copied on the way in is not kept either: the surface is free when encode() returns. */
TEST("/x264/lets-go", test_lets_go)
{
    HelixEncoderConfig config = config_for(320, 240);
    HelixEncoder *encoder = x264_open(&config);
    g_autoptr(HelixSurface) nv12 = surface_paint(HELIX_FORMAT_NV12, 320, 240, 0, 0, paint_figure, 0);
    g_autoptr(HelixSurface) rgb = surface_paint(HELIX_FORMAT_AB24, 320, 240, 0, 0, paint_figure, 0);
    HelixAccessUnit unit = { 0 };

    g_assert_true(encoder->klass->encode(encoder, nv12, FALSE, &unit, NULL));
    g_assert_true(g_atomic_ref_count_compare(&nv12->refs, 1));
    g_assert_cmpuint(unit.cpu_bytes, ==, 0);
    g_bytes_unref(unit.data);
    unit = (HelixAccessUnit){ 0 };
    g_assert_true(encoder->klass->encode(encoder, rgb, FALSE, &unit, NULL));
    g_assert_true(g_atomic_ref_count_compare(&rgb->refs, 1));
    /* read and written once, and copied first, as this surface ends at the edge of its memory */
    g_assert_cmpuint(unit.cpu_bytes, >=, 320 * 240 * 4 + 320 * 240 * 3 / 2);
    g_bytes_unref(unit.data);
    encoder->klass->close(encoder);
}

/* ---- syntax ---- */

/* IDRs come when asked, at once, with their parameter sets, and at no other time, whatever the picture does. */
TEST("/x264/idr", test_idr)
{
    HelixEncoderConfig config = config_for(640, 360);
    HelixEncoder *encoder;
    g_autoptr(Decoder) late = NULL;

    config.slices = 1;
    encoder = x264_open(&config);
    for (guint n = 0; n < 30; n++) {
        gboolean force = n == 10 || n == 11 || n == 20;
        Painter painter = n >= 15 && n % 2 ? paint_noise : paint_figure; /* scene cuts */
        g_autoptr(GBytes) unit = encode_painted(encoder, 640, 360, painter, n, force);

        assert_nal_types(unit, n == 0 || force ? "785" : "1");
        if (n == 20) {
            late = decoder_new(); /* a viewer who joins now sees the picture */
        }
        if (late) {
            g_autoptr(Yuv) got = decoder_feed(late, unit);

            g_assert_cmpuint(got->width, ==, 640);
        }
    }
    encoder->klass->close(encoder);
}

TEST("/x264/key-int-max", test_key_int_max)
{
    static const guint intervals[] = { 1, 2, 7 };

    for (guint i = 0; i < G_N_ELEMENTS(intervals); i++) {
        HelixEncoderConfig config = config_for(320, 240);
        HelixEncoder *encoder;

        config.key_int_max = intervals[i];
        encoder = x264_open(&config);
        for (guint n = 0; n < 15; n++) {
            g_autoptr(HelixSurface) surface = surface_paint(HELIX_FORMAT_XR24, 320, 240, 0, 0, paint_figure, n);
            gboolean keyframe;
            g_autoptr(GBytes) unit = encode(encoder, surface, FALSE, &keyframe);

            g_assert_cmpint(keyframe, ==, n % intervals[i] == 0);
            assert_nal_types(unit, keyframe ? "785" : "1");
            if (keyframe) {
                g_assert_true(read_sps(unit).bitstream_restriction);
            }
        }
        encoder->klass->close(encoder);
    }
}

static void check_sps(guint width, guint height, guint profile, guint level, guint realtime, guint fps_num,
                      guint fps_den)
{
    HelixEncoderConfig config = config_for(width, height);
    HelixEncoder *encoder;
    g_autoptr(GBytes) unit = NULL;
    HelixSps sps;

    config.profile = (guint8)profile;
    config.level = (guint8)level;
    config.realtime = (guint8)realtime;
    config.fps_num = fps_num;
    config.fps_den = fps_den;
    encoder = x264_open(&config);
    unit = encode_painted(encoder, width, height, paint_figure, 0, FALSE);
    sps = read_sps(unit);
    g_assert_cmpuint(sps.profile_idc, ==, profile);
    g_assert_cmpuint(sps.level_idc, ==, config.level);
    g_assert_cmpuint(config.level, >=, level);
    g_assert_cmpuint(sps.width, ==, width);
    g_assert_cmpuint(sps.height, ==, height);
    g_assert_true(sps.frame_mbs_only);
    g_assert_true(sps.colour_description);
    g_assert_false(sps.full_range);
    g_assert_cmpuint(sps.primaries, ==, HELIX_H264_BT709);
    g_assert_cmpuint(sps.transfer, ==, HELIX_H264_BT709);
    g_assert_cmpuint(sps.matrix, ==, HELIX_H264_BT709);
    g_assert_true(sps.chroma_loc && sps.chroma_loc_type == 1);
    g_assert_cmpuint(sps.sar_width, ==, 1);
    g_assert_cmpuint(sps.sar_height, ==, 1);
    g_assert_true(sps.timing);
    g_assert_cmpuint((guint64)sps.time_scale * fps_den, ==, (guint64)sps.num_units_in_tick * fps_num * 2);
    g_assert_true(sps.bitstream_restriction);
    g_assert_cmpuint(sps.max_num_reorder_frames, ==, 0);
    g_assert_cmpuint(sps.max_dec_frame_buffering, ==, 1);
    encoder->klass->close(encoder);
}

TEST("/x264/sps", test_sps)
{
    check_sps(640, 480, 66, 0, 1, 60, 1);
    check_sps(640, 480, 77, 0, 1, 30000, 1001);
    check_sps(640, 480, 100, 0, 1, 60, 1);
    check_sps(640, 480, 66, 40, 0, 25, 1);
    check_sps(640, 480, 77, 51, 0, 1, 2);
    check_sps(322, 242, 100, 30, 0, 1000, 1);
    check_sps(1920, 1080, 100, 30, 1, 60, 1);
}

TEST("/x264/aud-and-slices", test_aud_and_slices)
{
    HelixEncoderConfig config = config_for(1280, 720);
    HelixEncoder *encoder;

    config.aud = 1;
    config.slices = 1;
    encoder = x264_open(&config);
    for (guint n = 0; n < 3; n++) {
        g_autoptr(GBytes) unit = encode_painted(encoder, 1280, 720, paint_figure, n, FALSE);

        assert_nal_types(unit, n == 0 ? "9785" : "91");
    }
    encoder->klass->close(encoder);

    for (guint slices = 2; slices <= 12; slices += 5) {
        g_autofree char *others = g_strnfill(slices, '1'), *fives = g_strnfill(slices, '5');
        g_autofree char *idr = g_strconcat("78", fives, NULL);

        config = config_for(1280, 720);
        config.slices = (guint8)slices;
        encoder = x264_open(&config);
        g_assert_cmpuint(config.slices, ==, slices);
        for (guint n = 0; n < 2; n++) {
            g_autoptr(GBytes) unit = encode_painted(encoder, 1280, 720, paint_figure, n, FALSE);

            assert_nal_types(unit, n == 0 ? idr : others);
        }
        encoder->klass->close(encoder);
    }

    /* automatic and too many: what is said to be in force is what comes */
    for (guint asked = 0; asked <= 255; asked += 255) {
        g_autoptr(GBytes) unit = NULL;
        g_autofree char *types = NULL;

        config = config_for(1280, 720);
        config.slices = (guint8)asked;
        encoder = x264_open(&config);
        g_assert_cmpuint(config.slices, >, 0);
        unit = encode_painted(encoder, 1280, 720, paint_figure, 0, FALSE);
        types = nal_types(unit);
        g_assert_cmpuint(strlen(types), ==, 2 + config.slices);
        encoder->klass->close(encoder);
    }
}

/* ---- sizes and failures ---- */

TEST("/x264/sizes", test_sizes)
{
    static const guint sizes[][2] = { { 1, 1 },   { 2, 2 },    { 16, 16 },    { 17, 33 },
                                      { 2, 720 }, { 1280, 2 }, { 3840, 2160 } };

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        HelixEncoderConfig config = config_for(sizes[i][0], sizes[i][1]);
        HelixEncoder *encoder = x264_open(&config);
        g_autoptr(Decoder) decoder = decoder_new();

        for (guint n = 0; n < 2; n++) {
            g_autoptr(GBytes) unit = encode_painted(encoder, sizes[i][0], sizes[i][1], paint_figure, n, FALSE);
            g_autoptr(Yuv) got = decoder_feed(decoder, unit);

            g_assert_cmpuint(got->width, ==, config.width);
            g_assert_cmpuint(got->height, ==, config.height);
        }
        encoder->klass->close(encoder);
    }
}

/* Sizes that never went through helix_encoder_config_complete() do not open, and say for what. */
TEST("/x264/open-fails", test_open_fails)
{
    static const guint sizes[][2] = { { 641, 360 }, { 640, 361 }, { 40000, 40 } };

    av_log_set_level(AV_LOG_QUIET);
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        HelixEncoderConfig config = config_for(640, 360), before;
        g_autofree char *size = g_strdup_printf("%u x %u", sizes[i][0], sizes[i][1]);
        g_autoptr(GError) error = NULL;

        config.width = sizes[i][0];
        config.height = sizes[i][1];
        before = config;
        __lsan_disable(); /* libx264 loses some bytes when it refuses */
        g_assert_null(helix_encoder_x264.open(&config, FALSE, &error));
        __lsan_enable();
        g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
        g_assert_nonnull(strstr(error->message, size));
        g_assert_cmpmem(&config, sizeof(config), &before, sizeof(before));
    }
    av_log_set_level(AV_LOG_INFO);
}

/* A surface that cannot be read is an error of that picture. */
TEST("/x264/bad-surface", test_bad_surface)
{
    HelixEncoderConfig config = config_for(64, 64);
    HelixEncoder *encoder = x264_open(&config);
    g_autoptr(HelixSurface) surface = surface_paint(HELIX_FORMAT_AR24, 64, 64, 0, 0, paint_flat, 0);
    HelixAccessUnit unit = { 0 };
    g_autoptr(GError) error = NULL;

    surface->size--;
    g_assert_false(encoder->klass->encode(encoder, surface, FALSE, &unit, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY);
    g_assert_null(unit.data);
    encoder->klass->close(encoder);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!helix_encoder_x264.available(FALSE, NULL)) {
        return 77; /* this libavcodec has no libx264 */
    }
    test_cases_add();
    return g_test_run();
}
