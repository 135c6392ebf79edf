/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-x264-rate.c - bit rates and quantisers of the x264 encoder, and what can change while it runs. */
#include <string.h>

#include "cases.h"
#include "common.h"
#include "x264.h"

/* Bits of @n pictures that always have something new, and how many SPS among them. */
static guint64 encode_many(HelixEncoder *encoder, guint first, guint n, guint *n_sps, gsize *largest)
{
    guint64 bits = 0;

    for (guint i = first; i < first + n; i++) {
        g_autoptr(GBytes) unit = encode_painted(encoder, 640, 360, paint_busy, i, FALSE);
        g_autofree char *types = nal_types(unit);

        bits += g_bytes_get_size(unit) * 8;
        *largest = MAX(*largest, g_bytes_get_size(unit) * 8);
        *n_sps += strchr(types, '7') != NULL;
    }
    return bits;
}

/* A constant bit rate is kept, changes while the stream runs, without a new SPS, and bounds every picture. */
TEST("/x264/constant-rate", test_constant_rate)
{
    HelixEncoderConfig config = config_for(640, 360), wanted;
    HelixEncoder *encoder;
    guint n_sps = 0;
    gsize largest = 0;
    guint64 slow, fast, slow_again;

    config.bitrate = 1500000;
    encoder = x264_open(&config);
    g_assert_cmpuint(config.rate_control, ==, HELIX_RATE_CBR);
    slow = encode_many(encoder, 0, 120, &n_sps, &largest);
    g_assert_cmpuint(largest, <=, 1500000 / 4);
    wanted = config;
    wanted.bitrate = 6000400;
    g_assert_true(encoder->klass->reconfigure(encoder, &wanted, NULL));
    g_assert_cmpuint(wanted.bitrate, ==, 6000000);
    encode_many(encoder, 120, 30, &n_sps, &largest);
    fast = encode_many(encoder, 150, 120, &n_sps, &largest);
    wanted.bitrate = 1500000;
    g_assert_true(encoder->klass->reconfigure(encoder, &wanted, NULL));
    encode_many(encoder, 270, 30, &n_sps, &largest);
    slow_again = encode_many(encoder, 300, 120, &n_sps, &largest);
    g_test_message("two seconds at 1.5, 6 and 1.5 Mbit/s: %u, %u, %u kbit", (guint)(slow / 1000), (guint)(fast / 1000),
                   (guint)(slow_again / 1000));
    g_assert_cmpuint(slow, >=, 3000000 * 85 / 100);
    g_assert_cmpuint(slow, <=, 3000000 * 115 / 100);
    g_assert_cmpuint(fast, >=, 12000000 * 65 / 100); /* x264 follows a rise within half a second, then creeps up */
    g_assert_cmpuint(fast, <=, 12000000 * 115 / 100);
    g_assert_cmpuint(slow_again, >=, 3000000 * 85 / 100);
    g_assert_cmpuint(slow_again, <=, 3000000 * 115 / 100);
    g_assert_cmpuint(n_sps, ==, 1);
    encoder->klass->close(encoder);
}

/* Bits of pictures @first to @first + @n, a @fps-th of a second apart; @now goes on from picture to picture. */
static guint64 encode_timed(HelixEncoder *encoder, guint first, guint n, guint fps, guint64 *now)
{
    guint64 bits = 0;

    for (guint i = first; i < first + n; i++) {
        g_autoptr(HelixSurface) surface = surface_paint(HELIX_FORMAT_XR24, 640, 360, 0, 0, paint_busy, i);
        HelixAccessUnit unit = { 0 };

        *now += 1000000000 / fps;
        unit.pts_ns = (gint64)*now;
        g_assert_true(encoder->klass->encode(encoder, surface, FALSE, &unit, NULL));
        bits += g_bytes_get_size(unit.data) * 8;
        g_bytes_unref(unit.data);
    }
    return bits;
}

/*
 * A desktop draws now 60, now 10 pictures a second: the bit rate is for those there are, and is kept when there are
 * more again. (And the guest's times may wrap.)
 */
TEST("/x264/few-pictures", test_few_pictures)
{
    HelixEncoderConfig config = config_for(640, 360);
    guint64 now = G_MAXINT64 - 1000000000ull, few, many;
    HelixEncoder *encoder;

    config.bitrate = 1500000;
    encoder = x264_open(&config);
    g_assert_cmpuint(config.fps_num, ==, 60);
    encode_timed(encoder, 0, 10, 10, &now);
    few = encode_timed(encoder, 10, 20, 10, &now);
    many = encode_timed(encoder, 30, 60, 60, &now);
    g_test_message("at 1.5 Mbit/s, two seconds of 10 pictures, then one of 60: %u, %u kbit", (guint)(few / 1000),
                   (guint)(many / 1000));
    g_assert_cmpuint(few, >=, 3000000 * 60 / 100); /* not the sixth it would be if each were a 60th of a second */
    g_assert_cmpuint(few, <=, 3000000 * 115 / 100);
    g_assert_cmpuint(many, <=, 1500000 * 140 / 100); /* and what the buffer holds */
    encoder->klass->close(encoder);
}

/* Bits of the largest of @n noisy pictures after the first few, each @frames of the frame rate's apart; *@smallest of
 * the smallest. */
static gsize largest_noise(HelixEncoderConfig config, guint n, guint frames, gsize *smallest)
{
    const gint64 gap_ns = (gint64)(1000000000ull * config.fps_den * frames / config.fps_num);
    HelixEncoder *encoder = x264_open(&config);
    gsize largest = 0;

    *smallest = G_MAXSIZE;
    for (guint i = 0; i < n; i++) {
        g_autoptr(HelixSurface)
            surface = surface_paint(HELIX_FORMAT_XR24, config.width, config.height, 0, 0, paint_noise, i);
        HelixAccessUnit unit = { .pts_ns = i * gap_ns };

        g_assert_true(encoder->klass->encode(encoder, surface, FALSE, &unit, NULL));
        if (i >= 4) { /* the gaps are known, and what the buffer held before is used up */
            largest = MAX(largest, g_bytes_get_size(unit.data) * 8);
        }
        *smallest = MIN(*smallest, g_bytes_get_size(unit.data) * 8);
        g_bytes_unref(unit.data);
    }
    encoder->klass->close(encoder);
    return largest;
}

/* However far apart they are, a picture's share of the rate is one that the buffer holds: 250 ms, or two frames' if
 * that is more. */
TEST("/x264/few-pictures-fit-the-buffer", test_few_pictures_fit_the_buffer)
{
    static const guint rates[][2] = { { 60, 1 }, { 47, 1 }, { 30, 1 }, { 24000, 1001 }, { 10, 1 }, { 3, 1 }, { 1, 2 } };

    for (guint i = 0; i < G_N_ELEMENTS(rates); i++) {
        HelixEncoderConfig config = config_for(640, 360);
        gsize largest, smallest, buffer;

        config.bitrate = 2000000;
        config.fps_num = rates[i][0];
        config.fps_den = rates[i][1];
        buffer = MAX(config.bitrate / 4, (gsize)((guint64)config.bitrate * 2 * config.fps_den / config.fps_num));
        largest = largest_noise(config, 20, 12, &smallest);
        g_test_message("%u/%u fps, a twelfth of them drawn: the largest picture has %u of the buffer's %u kbit",
                       rates[i][0], rates[i][1], (guint)(largest / 1000), (guint)(buffer / 1000));
        g_assert_cmpuint(largest, <=, buffer * 105 / 100);
    }
}

/* x264 counts the bits of a frame and of the buffer in an int: what is more than that is what the int holds, not
 * nothing. */
TEST("/x264/huge-share", test_huge_share)
{
    static const guint rates[][2] = { { 20000000, 12 }, { 199000000, 1 }, { 199000000, 12 }, { 215000000, 1 },
                                      { 300000000, 1 }, { 430000000, 3 }, { 1000000000, 1 }, { 1000000000, 12 } };

    for (guint i = 0; i < G_N_ELEMENTS(rates); i++) {
        for (guint variable = 0; variable < 2; variable++) {
            HelixEncoderConfig config = config_for(320, 240);
            gsize smallest;

            config.fps_num = 1;
            config.fps_den = 10;
            config.bitrate = rates[i][0];
            config.max_bitrate = variable ? MIN(2 * rates[i][0], 1000000000) : 0;
            largest_noise(config, 8, rates[i][1], &smallest);
            g_test_message("%u Mbit/s, a picture each %u s, %s: %u kbit at least", rates[i][0] / 1000000,
                           rates[i][1] * 10, variable ? "variable" : "constant", (guint)(smallest / 1000));
            g_assert_cmpuint(smallest, >=, 320 * 240 * 8);
        }
    }
}

TEST("/x264/variable-rate", test_variable_rate)
{
    HelixEncoderConfig config = config_for(640, 360), wanted;
    HelixEncoder *encoder;
    guint n_sps = 0;
    gsize largest = 0;
    guint64 bits;

    config.bitrate = 2000000;
    config.max_bitrate = 3000000;
    encoder = x264_open(&config);
    g_assert_cmpuint(config.rate_control, ==, HELIX_RATE_VBR);
    bits = encode_many(encoder, 0, 120, &n_sps, &largest);
    g_assert_cmpuint(bits, >=, 4000000 * 85 / 100);
    g_assert_cmpuint(bits, <=, 6000000 * 115 / 100);
    wanted = config;
    wanted.max_bitrate = 2500000;
    g_assert_true(encoder->klass->reconfigure(encoder, &wanted, NULL));
    bits = encode_many(encoder, 120, 120, &n_sps, &largest);
    g_assert_cmpuint(bits, <=, 5000000 * 115 / 100);
    g_assert_cmpuint(n_sps, ==, 1);
    encoder->klass->close(encoder);
}

/* The smaller the quantiser, the better and larger; no bit rate holds it. */
TEST("/x264/constant-quality", test_constant_quality)
{
    static const guint8 qps[] = { 1, 18, 30, 51 };
    double better = 1000;
    gsize larger = G_MAXSIZE;

    for (guint i = 0; i < G_N_ELEMENTS(qps); i++) {
        HelixEncoderConfig config = config_for(640, 360);
        g_autoptr(Yuv) expected = yuv_reference(paint_number, 640, 360, 3);
        g_autoptr(Decoder) decoder = decoder_new();
        g_autoptr(GBytes) unit = NULL;
        g_autoptr(Yuv) got = NULL;
        HelixEncoder *encoder;

        config.rate_control = HELIX_RATE_CQP;
        config.min_qp = qps[i];
        config.bitrate = 100000;
        encoder = x264_open(&config);
        unit = encode_painted(encoder, 640, 360, paint_number, 3, FALSE);
        got = decoder_feed(decoder, unit);
        g_assert_cmpuint(read_sps(unit).profile_idc, ==, 100);
        g_assert_cmpfloat(yuv_compare(expected, got, 0).psnr, <, better);
        g_assert_cmpuint(g_bytes_get_size(unit), <, larger);
        better = yuv_compare(expected, got, 0).psnr;
        larger = g_bytes_get_size(unit);
        encoder->klass->close(encoder);
    }
}

/* A floor under the quantiser keeps a generous rate from being used up. */
TEST("/x264/qp-range", test_qp_range)
{
    gsize sizes[2] = { 0, 0 };

    for (guint i = 0; i < 2; i++) {
        HelixEncoderConfig config = config_for(640, 360);
        HelixEncoder *encoder;
        guint n_sps = 0;
        gsize largest = 0;

        config.bitrate = 30000000;
        config.min_qp = i ? 40 : 0;
        encoder = x264_open(&config);
        sizes[i] = encode_many(encoder, 0, 10, &n_sps, &largest);
        encoder->klass->close(encoder);
    }
    g_assert_cmpuint(sizes[1], <, sizes[0] / 4);
}

/* What x264 cannot change under way is refused without an error, and the encoder goes on as before. */
TEST("/x264/reopen-needed", test_reopen_needed)
{
    HelixEncoderConfig config = config_for(640, 360);
    HelixEncoder *encoder = x264_open(&config);

    for (guint i = 0; i < 9; i++) {
        HelixEncoderConfig wanted = config, before;
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) unit = NULL;

        switch (i) {
        case 0:
            wanted.width = 642;
            break;
        case 1:
            wanted.height = 362;
            break;
        case 2:
            wanted.fps_num = 30;
            break;
        case 3:
            wanted.profile = 66;
            break;
        case 4:
            wanted.level = 52;
            break;
        case 5:
            wanted.rate_control = HELIX_RATE_CQP;
            break;
        case 6:
            wanted.slices = 5;
            break;
        case 7:
            wanted.aud = 1;
            break;
        case 8:
            wanted.min_qp = 20;
            break;
        }
        before = wanted;
        g_assert_false(encoder->klass->reconfigure(encoder, &wanted, &error));
        g_assert_no_error(error);
        g_assert_cmpmem(&wanted, sizeof(wanted), &before, sizeof(before));
        unit = encode_painted(encoder, 640, 360, paint_figure, i, FALSE);
        g_assert_cmpuint(g_bytes_get_size(unit), >, 0);
    }
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
