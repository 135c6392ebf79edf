/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-encoder.c - what the VideoToolbox encoder must do with any VideoToolbox: streams that decode to the pictures
 * that went in. Runs on the doubles, and on the frameworks themselves on a Mac.
 */
#include <string.h>

#include "cases.h"
#include "protocol/error.h"
#include "rig.h"
#ifndef __APPLE__
#include "doubles.h"
#endif

TEST("/memory", test_memory)
{
    HelixEncoderConfig config = rig_config(WIDTH, HEIGHT);
    g_autoptr(HelixEncoder) encoder = rig_open(config);
    g_autoptr(AVCodecContext) decoder = stream_decoder_new();

    for (guint i = 0; i < 12; i++) {
        HelixAccessUnit unit = rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, i), i == 7);

        g_assert_true(unit.keyframe == (i == 0 || i == 7));
        if (unit.keyframe) {
            rig_check_idr(&unit, FALSE);
        }
        g_assert_cmpuint(unit.cpu_bytes, >=, WIDTH * HEIGHT * 4);
        g_assert_cmpint(unit.submitted_ns, >, 0);
        rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, i);
        g_bytes_unref(unit.data);
    }
    g_test_message("session in hardware: %s, low latency: %s", helix_videotoolbox_info(encoder).hardware ? "yes" : "no",
                   helix_videotoolbox_info(encoder).low_latency ? "yes" : "no");
}

TEST("/iosurface", test_iosurface)
{
    HelixEncoderConfig config = rig_config(WIDTH, HEIGHT);
    HelixEncoder *encoder;
    AVCodecContext *decoder = stream_decoder_new();

    config.aud = 1;
    encoder = rig_open(config);
    for (guint i = 0; i < 6; i++) {
        HelixAccessUnit unit = rig_must_encode(encoder, rig_io_surface(WIDTH, HEIGHT, i), FALSE);

        if (i == 0) {
            rig_check_idr(&unit, TRUE);
        }
        g_assert_cmpuint(unit.cpu_bytes, ==, 0);
        rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, i);
        g_bytes_unref(unit.data);
    }
    avcodec_free_context(&decoder);
    rig_close(encoder);
}

/* Pictures of other sizes than the coded one: scaled, or their edges repeated. */
TEST("/sizes", test_sizes)
{
    static const guint sizes[][2] = {
        { 640, 384 }, { 200, 120 }, { WIDTH - 1, HEIGHT }, { WIDTH, HEIGHT - 1 }, { WIDTH - 1, HEIGHT - 1 }
    };
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));
    g_autoptr(AVCodecContext) decoder = stream_decoder_new();

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        HelixAccessUnit unit = rig_must_encode(encoder, rig_memory_surface(sizes[i][0], sizes[i][1], 3), FALSE);

        rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, 3);
        g_bytes_unref(unit.data);
        unit = rig_must_encode(encoder, rig_io_surface(sizes[i][0], sizes[i][1], 3), FALSE);
        g_assert_cmpuint(unit.cpu_bytes, ==, 0);
        rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, 3);
        g_bytes_unref(unit.data);
    }
}

/* NV12 in other colours: its samples are coded as they are, and the SPS says what they are. */
TEST("/vui", test_vui)
{
    HelixEncoderConfig config = rig_config(WIDTH, HEIGHT), next;
    AVCodecContext *decoder = stream_decoder_new();
    HelixSurface *surface = rig_nv12_surface(WIDTH, HEIGHT);
    gsize half = (gsize)surface->stride[0] * HEIGHT / 2;
    HelixEncoder *encoder;
    HelixAccessUnit unit;
    AVFrame *frame;

    config.vui = (HelixVui){
        .sar_width = 4, .sar_height = 3, .primaries = 9, .transfer = 14, .matrix = 9, .full_range = 1, .chroma_loc = 1
    };
    encoder = rig_open(config);
    memset(surface->data, 0, half); /* values that limited range has not got */
    memset(surface->data + half, 255, half);
    unit = rig_must_encode(encoder, surface, FALSE);
    frame = stream_decode(decoder, unit.data);
    g_assert_nonnull(frame);
    g_assert_cmpint(frame->color_range, ==, AVCOL_RANGE_JPEG);
    g_assert_cmpint(frame->colorspace, ==, AVCOL_SPC_BT2020_NCL);
    g_assert_cmpint(frame->color_primaries, ==, AVCOL_PRI_BT2020);
    g_assert_cmpint(frame->color_trc, ==, AVCOL_TRC_BT2020_10);
    g_assert_cmpint(frame->chroma_location, ==, AVCHROMA_LOC_LEFT);
    g_assert_cmpint(frame->sample_aspect_ratio.num, ==, 4);
    g_assert_cmpint(frame->sample_aspect_ratio.den, ==, 3);
    g_assert_cmpint(frame->data[0][(int)(HEIGHT / 4) * frame->linesize[0] + (int)(WIDTH / 2)], <=, 2);
    g_assert_cmpint(frame->data[0][(int)(HEIGHT * 3 / 4) * frame->linesize[0] + (int)(WIDTH / 2)], >=, 253);
    av_frame_free(&frame);
    g_bytes_unref(unit.data);
    next = config;
    next.vui.matrix = 1;
    g_assert_false(encoder->klass->reconfigure(encoder, &next, NULL)); /* a new session, and so an SPS */
#ifndef __APPLE__
    for (guint i = 0; i < 3; i++) {
        static const char *const keys[] = { "ColorPrimaries", "TransferFunction", "YCbCrMatrix" };
        const char *attached[] = { double_vt_seen.last_primaries, double_vt_seen.last_transfer,
                                   double_vt_seen.last_matrix };
        g_autofree char *key = g_strconcat("kVTCompressionPropertyKey_", keys[i], NULL);
        g_autofree char *text = NULL;

        g_assert_true(g_str_has_suffix(attached[i], "_ITU_R_2020"));
        g_assert_true(double_vt_property(key, NULL, &text));
        g_assert_cmpstr(text, ==, attached[i]); /* or VideoToolbox would convert */
    }
#endif
    avcodec_free_context(&decoder);
    rig_close(encoder);
}

TEST("/formats", test_formats)
{
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));
    g_autoptr(AVCodecContext) decoder = stream_decoder_new();
    static const guint heights[] = { HEIGHT, HEIGHT - 1, HEIGHT / 2 };
    HelixSurface *surface = rig_memory_surface(WIDTH, HEIGHT, 5);
    HelixAccessUnit unit;

    for (guint y = 0; y < HEIGHT; y++) {
        for (guint x = 0; x < WIDTH; x++) {
            guint8 *pixel = surface->data + (gsize)y * surface->stride[0] + x * 4, blue = pixel[0];

            pixel[0] = pixel[2];
            pixel[2] = blue;
        }
    }
    surface->fourcc = HELIX_FORMAT_XB24;
    unit = rig_must_encode(encoder, surface, FALSE);
    rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, 5);
    g_bytes_unref(unit.data);
    /* scaled before another format is */
    unit = rig_must_encode(encoder, rig_memory_surface(WIDTH * 2, HEIGHT * 2, 5), FALSE);
    rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, 5);
    g_bytes_unref(unit.data);
    for (guint i = 0; i < G_N_ELEMENTS(heights); i++) {
        AVFrame *frame;

        unit = rig_must_encode(encoder, rig_nv12_surface(i == 1 ? WIDTH - 1 : WIDTH, heights[i]), FALSE);
        frame = stream_decode(decoder, unit.data);
        g_assert_nonnull(frame);
        g_assert_cmpint(ABS(frame->data[0][frame->linesize[0] * 2 + 9] - 31), <, 8);
        g_assert_cmpint(ABS(frame->data[0][frame->linesize[0] * (HEIGHT - 3) + 9] - 207), <, 8);
        g_assert_cmpint(ABS(frame->data[1][40] - 128), <, 8);
        av_frame_free(&frame);
        g_bytes_unref(unit.data);
    }
}

/* Parts of larger pictures, as snapshots have them: their last row ends with their memory, before its stride does. */
TEST("/part", test_part)
{
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));
    g_autoptr(AVCodecContext) decoder = stream_decoder_new();
    HelixSurface *surface = rig_memory_surface(2 * WIDTH, HEIGHT, 7);
    HelixAccessUnit unit;
    AVFrame *frame;

    surface->width = WIDTH;
    surface->offset[0] = surface->stride[0] - WIDTH * 4;
    stream_draw_bgra(surface->data + surface->offset[0], surface->stride[0], WIDTH, HEIGHT, 3);
    unit = rig_must_encode(encoder, surface, FALSE);
    g_assert_cmpuint(unit.cpu_bytes, ==, 3 * WIDTH * HEIGHT * 4); /* copied, and read by VideoToolbox */
    rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, 3);
    g_bytes_unref(unit.data);

    surface = rig_nv12_surface(2 * WIDTH, HEIGHT);
    surface->width = WIDTH;
    for (guint i = 0; i < 2; i++) {
        surface->offset[i] += WIDTH;
    }
    unit = rig_must_encode(encoder, surface, FALSE);
    g_assert_cmpuint(unit.cpu_bytes, ==, 3 * WIDTH * HEIGHT * 3 / 2);
    frame = stream_decode(decoder, unit.data);
    g_assert_nonnull(frame);
    g_assert_cmpint(ABS(frame->data[0][frame->linesize[0] * (HEIGHT - 3) + 9] - 207), <, 8);
    g_assert_cmpint(ABS(frame->data[1][40] - 128), <, 8);
    av_frame_free(&frame);
    g_bytes_unref(unit.data);
}

TEST("/geometry", test_geometry)
{
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));

    for (guint i = 0; i < 4; i++) {
        HelixSurface *surface = i < 3 ? rig_memory_surface(WIDTH, HEIGHT, 0) : rig_nv12_surface(WIDTH, HEIGHT);
        HelixAccessUnit unit;
        GError *error = NULL;

        switch (i) {
        case 0:
            surface->height = 4000000000u;
            break;
        case 1:
            surface->stride[0] = WIDTH * 4 - 1;
            break;
        case 2:
            surface->offset[0] = surface->size + 1;
            break;
        default:
            surface->offset[1] += 1;
            break;
        }
        g_assert_false(rig_encode(encoder, surface, FALSE, &unit, &error));
        g_assert_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY);
        g_clear_error(&error);
    }
}

TEST("/profiles", test_profiles)
{
    static const guint8 profiles[] = { 66, 77, 100 };

    for (guint i = 0; i < G_N_ELEMENTS(profiles); i++) {
        HelixEncoderConfig config = rig_config(WIDTH, HEIGHT);
        AVCodecContext *decoder = stream_decoder_new();
        HelixEncoder *encoder;
        HelixAccessUnit unit;

        config.profile = profiles[i];
        encoder = rig_open(config);
        g_assert_true(profiles[i] == 100 || !helix_videotoolbox_info(encoder).low_latency);
        unit = rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 1), FALSE);
        rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, 1);
        g_bytes_unref(unit.data);
        avcodec_free_context(&decoder);
        rig_close(encoder);
    }
}

/* Bit rate and frame rate change within a session; size and profile do not. */
TEST("/reconfigure", test_reconfigure)
{
    HelixEncoderConfig config = rig_config(WIDTH, HEIGHT), next;
    HelixEncoder *encoder;
    AVCodecContext *decoder = stream_decoder_new();
    GError *error = NULL;

    config.max_bitrate = 9000000;
    config.level = 40;
    next = config;
    encoder = helix_encoder_videotoolbox.open(&next, FALSE, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(next.max_bitrate, ==, 0); /* what is not done is not promised */
    g_assert_cmpuint(next.level, ==, 0);
    g_assert_cmpuint(next.rate_control, ==, HELIX_RATE_VBR);
    for (guint i = 0; i < 6; i++) {
        HelixAccessUnit unit = rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, i), FALSE);

        g_assert_true(unit.keyframe == (i == 0));
        rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, i);
        g_bytes_unref(unit.data);
        if (i == 2) {
            next.bitrate = 900000;
            next.fps_num = 30000;
            next.fps_den = 1001;
            next.key_int_max = 600;
            next.min_qp = 10;
            next.max_qp = 40;
            g_assert_true(helix_encoder_videotoolbox.reconfigure(encoder, &next, &error));
            g_assert_no_error(error);
#ifndef __APPLE__
            double value = 0;

            g_assert_true(double_vt_property("kVTCompressionPropertyKey_AverageBitRate", &value, NULL));
            g_assert_cmpfloat(value, ==, 900000);
            g_assert_true(double_vt_property("kVTCompressionPropertyKey_ExpectedFrameRate", &value, NULL));
            g_assert_cmpfloat_with_epsilon(value, 29.97, 0.001);
            g_assert_true(double_vt_property("kVTCompressionPropertyKey_MaxKeyFrameInterval", &value, NULL));
            g_assert_cmpfloat(value, ==, 600);
            g_assert_true(double_vt_property("kVTCompressionPropertyKey_MaxAllowedFrameQP", &value, NULL));
            g_assert_cmpfloat(value, ==, 40);
            g_assert_true(double_vt_property("kVTCompressionPropertyKey_MinAllowedFrameQP", &value, NULL));
            g_assert_cmpfloat(value, ==, 10);
#endif
        }
    }
#ifndef __APPLE__
    g_assert_cmpuint(double_vt_seen.sessions, ==, 1);
    g_assert_cmpint(double_vt_seen.last_duration, ==, 33366666);
#endif
    next.max_qp = 0;
    g_assert_true(helix_encoder_videotoolbox.reconfigure(encoder, &next, &error));
    next.width = 640;
    g_assert_false(helix_encoder_videotoolbox.reconfigure(encoder, &next, &error));
    g_assert_no_error(error);
    next.width = WIDTH;
    next.profile = 77;
    g_assert_false(helix_encoder_videotoolbox.reconfigure(encoder, &next, &error));
    avcodec_free_context(&decoder);
    rig_close(encoder);
}
