/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-null.c - what the null encoder writes is H.264: libavcodec decodes it without complaint. */
#include "cases.h"
#include "common.h"
#include "h264/h264.h"

static HelixEncoder *null_open(HelixEncoderConfig *config)
{
    g_autoptr(GError) error = NULL;
    HelixEncoder *encoder = helix_encoder_null.open(config, FALSE, &error);

    g_assert_no_error(error);
    return encoder;
}

static HelixAccessUnit encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force_idr)
{
    HelixAccessUnit unit = { 0 };
    g_autoptr(GError) error = NULL;

    g_assert_true(encoder->klass->encode(encoder, surface, force_idr, &unit, &error));
    g_assert_no_error(error);
    g_assert_nonnull(unit.data);
    g_assert_cmpuint(unit.cpu_bytes, ==, 0);
    g_assert_false(unit.dropped);
    return unit;
}

static void assert_grey(const Yuv *yuv, guint width, guint height)
{
    g_assert_cmpuint(yuv->width, ==, width);
    g_assert_cmpuint(yuv->height, ==, height);
    for (gsize i = 0; i < (gsize)width * height; i++) {
        g_assert_cmpuint(yuv->y[i], ==, 128);
    }
    for (gsize i = 0; i < (gsize)width * height / 4; i++) {
        g_assert_cmpuint(yuv->u[i], ==, 128);
        g_assert_cmpuint(yuv->v[i], ==, 128);
    }
}

/* Frames that wrap frame_num twice, IDRs next to each other, every profile, sizes that need cropping. */
static void check_stream(guint width, guint height, guint profile, guint aud, guint key_int_max)
{
    HelixEncoderConfig config = config_for(width, height);
    /* a surface it must not read: there is no memory behind it */
    HelixSurface nothing = { .kind = HELIX_SURFACE_DMABUF, .width = width, .height = height, .fd = -1 };
    g_autoptr(Decoder) decoder = decoder_new();
    HelixEncoder *encoder;

    config.profile = (guint8)profile;
    config.aud = (guint8)aud;
    config.key_int_max = key_int_max;
    encoder = null_open(&config);
    g_assert_cmpuint(config.slices, ==, 1);
    for (guint n = 0; n < 40; n++) {
        gboolean force = n == 5 || n == 6 || n == 7;
        HelixAccessUnit unit = encode(encoder, &nothing, force);
        g_autoptr(Yuv) yuv = decoder_feed(decoder, unit.data);

        assert_grey(yuv, config.width, config.height);
        if (!key_int_max) {
            g_assert_cmpint(unit.keyframe, ==, n == 0 || force);
        } else {
            g_assert_cmpint(unit.keyframe, ==, n <= 7 ? n % key_int_max == 0 || force : (n - 7) % key_int_max == 0);
        }
        g_assert_cmpuint(g_bytes_get_size(unit.data), <,
                         unit.keyframe ? config.width * config.height / 128 + 1024 : 64);
        g_bytes_unref(unit.data);
    }
    g_assert_cmpint(decoder_context(decoder)->profile & 0xff, ==, (int)profile);
    g_assert_cmpint(decoder_context(decoder)->level, ==, config.level);
    g_assert_cmpint(decoder_context(decoder)->colorspace, ==, AVCOL_SPC_BT709);
    g_assert_cmpint(decoder_context(decoder)->has_b_frames, ==, 0);
    encoder->klass->close(encoder);
}

TEST("/null/decodes", test_decodes)
{
    check_stream(16, 16, 100, 0, 0);
    check_stream(2, 2, 66, 0, 0);
    check_stream(322, 242, 77, 1, 0);
    check_stream(640, 480, 100, 1, 4);
    check_stream(1920, 1080, 100, 0, 0);
}

TEST("/null/syntax", test_syntax)
{
    HelixEncoderConfig config = config_for(1278, 718);
    HelixEncoder *encoder = null_open(&config);
    HelixAccessUnit unit = encode(encoder, NULL, FALSE);
    gsize size, position = 0;
    const guint8 *data = g_bytes_get_data(unit.data, &size);
    HelixNal nal;
    HelixSps sps;

    g_assert_true(helix_h264_next_nal(data, size, &position, &nal));
    g_assert_true(helix_h264_parse_sps(nal.data, nal.size, &sps));
    g_assert_cmpuint(sps.width, ==, 1278);
    g_assert_cmpuint(sps.height, ==, 718);
    g_assert_true(sps.bitstream_restriction && sps.max_num_reorder_frames == 0);
    g_assert_true(sps.colour_description && sps.primaries == 1 && sps.transfer == 1 && sps.matrix == 1 &&
                  !sps.full_range);
    g_assert_true(helix_h264_next_nal(data, size, &position, &nal));
    g_assert_cmpuint(nal.type, ==, HELIX_NAL_PPS);
    g_assert_true(helix_h264_next_nal(data, size, &position, &nal));
    g_assert_cmpuint(nal.type, ==, HELIX_NAL_IDR);
    g_assert_false(helix_h264_next_nal(data, size, &position, &nal));
    g_bytes_unref(unit.data);
    encoder->klass->close(encoder);
}

/* Neighbouring IDR pictures differ in idr_pic_id (7.4.3), or a decoder may take them for one. */
TEST("/null/neighbouring-idrs", test_neighbouring_idrs)
{
    HelixEncoderConfig config = config_for(64, 64);
    HelixEncoder *encoder = null_open(&config);
    HelixAccessUnit first = encode(encoder, NULL, TRUE), second = encode(encoder, NULL, TRUE);
    HelixAccessUnit third = encode(encoder, NULL, TRUE);

    g_assert_false(g_bytes_equal(first.data, second.data));
    g_assert_false(g_bytes_equal(second.data, third.data));
    g_bytes_unref(first.data);
    g_bytes_unref(second.data);
    g_bytes_unref(third.data);
    encoder->klass->close(encoder);
}

/* Every picture is a reference, so frame_num counts each one up, modulo 16 (7.4.3). libavcodec does not insist on it.
 */
TEST("/null/frame-num", test_frame_num)
{
    HelixEncoderConfig config = config_for(64, 64);
    HelixEncoder *encoder = null_open(&config);

    for (guint n = 0; n < 40; n++) {
        HelixAccessUnit unit = encode(encoder, NULL, n == 20);
        gsize size, position = 0;
        const guint8 *data = g_bytes_get_data(unit.data, &size);
        HelixNal nal;

        while (helix_h264_next_nal(data, size, &position, &nal) && nal.type != HELIX_NAL_SLICE) {
        }
        if (nal.type == HELIX_NAL_SLICE) { /* header, then 1 00110 1 and the four bits of frame_num */
            g_assert_cmpuint(nal.data[1] >> 1, ==, 0x4d);
            g_assert_cmpuint((nal.data[1] & 1) << 3 | nal.data[2] >> 5, ==, (n >= 20 ? n - 20 : n) % 16);
        } else {
            g_assert_true(n == 0 || n == 20);
        }
        g_bytes_unref(unit.data);
    }
    encoder->klass->close(encoder);
}

TEST("/null/reconfigure", test_reconfigure)
{
    HelixEncoderConfig config = config_for(640, 480), wanted;
    HelixEncoder *encoder = null_open(&config);
    g_autoptr(GError) error = NULL;

    wanted = config;
    wanted.bitrate *= 2;
    wanted.key_int_max = 7;
    g_assert_true(encoder->klass->reconfigure(encoder, &wanted, &error));
    wanted.width = 800;
    g_assert_false(encoder->klass->reconfigure(encoder, &wanted, &error));
    g_assert_no_error(error);
    encoder->klass->close(encoder);
}
