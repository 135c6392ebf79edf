/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-vaapi.c - the encoder "vaapi" on real libva and libavcodec. The driver behind them is the project's own for
 * guests, and a host in a process of its own encodes what reaches it: no GPU is needed, and each proves the other.
 */
#include <string.h>
#include <glib/gstdio.h>

#include "../encoder/x264.h"
#include "../va/va-rig.h"

static HelixEncoder *open_vaapi(HelixEncoderConfig *config)
{
    g_autoptr(GError) error = NULL;
    HelixEncoder *encoder = helix_encoder_vaapi.open(config, TRUE, &error);

    g_assert_no_error(error);
    g_assert_nonnull(encoder);
    return encoder;
}

/* The types of @unit's NAL units; the slices of a picture, as many as the driver makes, count as one. */
static void assert_units(GBytes *unit, const char *expected)
{
    g_autofree char *types = nal_types(unit);
    char *to = types;

    for (const char *at = types; *at; at++) {
        if (to == types || to[-1] != *at) {
            *to++ = *at;
        }
    }
    *to = '\0';
    g_assert_cmpstr(types, ==, expected);
}

/* ---- pictures ---- */

static void check_pictures(guint32 fourcc, guint width, guint height, guint profile)
{
    HelixEncoderConfig config = config_for(width, height);
    g_autoptr(Decoder) decoder = decoder_new();
    HelixEncoder *encoder;

    config.bitrate = 20000000;
    config.profile = (guint8)profile;
    encoder = open_vaapi(&config);
    for (guint n = 0; n < 4; n++) {
        g_autoptr(HelixSurface) surface = surface_paint(fourcc, width, height, 0, 0x80, paint_figure, n);
        g_autoptr(Yuv) expected = yuv_reference(paint_figure, width, height, n);
        g_autoptr(GBytes) unit = encode(encoder, surface, n == 2, NULL);
        g_autoptr(Yuv) got = decoder_feed(decoder, unit);

        assert_units(unit, n == 0 || n == 2 ? "785" : "1");
        g_assert_cmpuint(got->width, ==, config.width);
        g_assert_cmpuint(got->height, ==, config.height);
        g_assert_cmpfloat(yuv_compare(expected, got, 0).psnr, >=, 40);
        g_assert_cmpfloat(yuv_compare(expected, got, 1).psnr, >=, 35);
        g_assert_cmpfloat(yuv_compare(expected, got, 2).psnr, >=, 35);
        g_assert_true(g_atomic_ref_count_compare(&surface->refs, 1));
    }
    g_assert_cmpint(decoder_context(decoder)->has_b_frames, ==, 0);
    encoder->klass->close(encoder);
}

RIG_TEST("/vaapi/pictures", test_pictures)
{
    check_pictures(HELIX_FORMAT_XR24, 640, 360, HELIX_PROFILE_HIGH);
    check_pictures(HELIX_FORMAT_NV12, 640, 360, HELIX_PROFILE_MAIN);
    check_pictures(HELIX_FORMAT_AB24, 322, 242, HELIX_PROFILE_BASELINE);
    check_pictures(HELIX_FORMAT_XR24, 1920, 1080, HELIX_PROFILE_HIGH);
    g_assert_cmpuint(va_rig_lines(f), ==, 0);
}

/* The picture is uploaded once, and an edge of whole macroblocks: those bytes are counted. */
RIG_TEST("/vaapi/cpu-bytes", test_cpu_bytes)
{
    HelixEncoderConfig config = config_for(640, 360);
    HelixEncoder *encoder = open_vaapi(&config);
    g_autoptr(HelixSurface) surface = surface_paint(HELIX_FORMAT_NV12, 640, 360, 0, 0, paint_figure, 0);
    g_autoptr(GError) error = NULL;
    HelixAccessUnit unit = { 0 };

    g_assert_true(encoder->klass->encode(encoder, surface, FALSE, &unit, &error));
    g_assert_cmpuint(unit.cpu_bytes, ==, 2 * 640 * 368 * 3 / 2);
    g_bytes_unref(unit.data);
    encoder->klass->close(encoder);
}

/* ---- syntax ---- */

static void check_sps(guint width, guint height, guint profile)
{
    HelixEncoderConfig config = config_for(width, height);
    HelixEncoder *encoder;
    g_autoptr(GBytes) unit = NULL;
    HelixSps sps;

    config.profile = (guint8)profile;
    config.vui.chroma_loc = 2;
    encoder = open_vaapi(&config);
    unit = encode_painted(encoder, width, height, paint_figure, 0, FALSE);
    sps = read_sps(unit);
    g_assert_cmpuint(sps.profile_idc, ==, profile);
    g_assert_cmpuint(sps.level_idc, ==, config.level);
    g_assert_cmpuint(sps.width, ==, config.width);
    g_assert_cmpuint(sps.height, ==, config.height);
    g_assert_true(sps.frame_mbs_only);
    g_assert_false(sps.full_range);
    g_assert_cmpuint(sps.primaries, ==, HELIX_H264_BT709);
    g_assert_cmpuint(sps.matrix, ==, HELIX_H264_BT709);
    g_assert_true(sps.chroma_loc && sps.chroma_loc_type == 1);
    g_assert_true(sps.bitstream_restriction);
    g_assert_cmpuint(sps.max_num_reorder_frames, ==, 0);
    encoder->klass->close(encoder);
}

RIG_TEST("/vaapi/sps", test_sps)
{
    check_sps(640, 480, HELIX_PROFILE_BASELINE);
    check_sps(640, 480, HELIX_PROFILE_MAIN);
    check_sps(1920, 1080, HELIX_PROFILE_HIGH);
}

RIG_TEST("/vaapi/aud", test_aud)
{
    HelixEncoderConfig config = config_for(640, 360);
    HelixEncoder *encoder;

    config.aud = 1;
    encoder = open_vaapi(&config);
    for (guint n = 0; n < 3; n++) {
        g_autoptr(GBytes) unit = encode_painted(encoder, 640, 360, paint_figure, n, FALSE);

        assert_units(unit, n == 0 ? "9785" : "91");
    }
    encoder->klass->close(encoder);
}

RIG_TEST("/vaapi/key-int-max", test_key_int_max)
{
    HelixEncoderConfig config = config_for(320, 240);
    HelixEncoder *encoder;

    config.key_int_max = 5;
    encoder = open_vaapi(&config);
    for (guint n = 0; n < 12; n++) {
        g_autoptr(GBytes) unit = encode_painted(encoder, 320, 240, paint_figure, n, FALSE);

        assert_units(unit, n % 5 == 0 ? "785" : "1");
    }
    encoder->klass->close(encoder);
}

/* ---- rates and changes ---- */

RIG_TEST("/vaapi/rate", test_rate)
{
    HelixEncoderConfig config = config_for(640, 360);
    HelixEncoder *encoder;
    guint64 bytes = 0;

    config.bitrate = 2000000;
    config.fps_num = 30;
    encoder = open_vaapi(&config);
    g_assert_cmpuint(config.rate_control, ==, HELIX_RATE_CBR);
    for (guint n = 0; n < 90; n++) {
        g_autoptr(GBytes) unit = encode_painted(encoder, 640, 360, paint_busy, n, FALSE);

        bytes += g_bytes_get_size(unit);
    }
    g_assert_cmpuint(bytes * 8 / 3, >, 1700000);
    g_assert_cmpuint(bytes * 8 / 3, <, 2300000);
    encoder->klass->close(encoder);
}

RIG_TEST("/vaapi/reconfigure", test_reconfigure)
{
    HelixEncoderConfig asked = config_for(640, 360), active = asked, other;
    HelixEncoder *encoder = open_vaapi(&active);
    g_autoptr(GError) error = NULL;

    other = asked;
    g_assert_true(encoder->klass->reconfigure(encoder, &other, &error));
    g_assert_cmpmem(&other, sizeof(other), &active, sizeof(active));
    other = asked;
    other.bitrate /= 2;
    g_assert_false(encoder->klass->reconfigure(encoder, &other, &error));
    g_assert_no_error(error);
    encoder->klass->close(encoder);
}

/* ---- what is missing ---- */

static void assert_unavailable(const char *with)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(helix_encoder_vaapi.available(TRUE, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER);
    if (!strstr(error->message, with)) {
        g_error("\"%s\" says nothing of \"%s\"", error->message, with);
    }
}

/* The check takes test pictures: a driver that opens and cannot encode is not available. */
RIG_TEST("/vaapi/available", test_available)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(helix_encoder_vaapi.available(TRUE, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(helix_encoder_find("auto", TRUE, NULL)->name, ==, "vaapi");
    va_rig_restart_host(f, "--encoder=null");
    assert_unavailable("differs");
}

RIG_TEST("/vaapi/missing", test_missing)
{
    g_autofree char *empty = g_dir_make_tmp("helix-vaapi-XXXXXX", NULL);
    g_autofree char *node = g_build_filename(f->dir, "renderD128", NULL);

    g_setenv("LIBVA_DRIVERS_PATH", empty, TRUE);
    assert_unavailable("no VA-API driver");
    g_setenv("LIBVA_DRIVERS_PATH", g_getenv("HELIX_VA_DRIVERS"), TRUE);
    helix_encoder_set_render_node("/dev/dri/renderD200");
    assert_unavailable("renderD200");
    helix_encoder_set_render_node(NULL);
    g_setenv("FAKE_DRI", empty, TRUE);
    assert_unavailable("no render node");
    g_setenv("FAKE_DRI", f->dir, TRUE);
    g_rmdir(empty);
}

LONE_TEST("/vaapi/cannot-encode", test_cannot_encode)
{
    assert_unavailable("");
}
