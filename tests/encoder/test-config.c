/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-config.c - which encoders there are, and configurations completed or refused. */
#include <string.h>

#include "cases.h"
#include "encode/encoder.h"
#include "protocol/error.h"

TEST("/config/find", test_find)
{
    g_autoptr(GError) error = NULL, none = NULL;
    const HelixEncoderClass *best = helix_encoder_find(NULL, FALSE, &none);

    g_assert_true(best == helix_encoder_find("auto", FALSE, NULL));
    g_assert_true(helix_encoder_find("null", FALSE, NULL) == &helix_encoder_null);
    g_assert_true(helix_encoder_find("null-texture", FALSE, NULL) == &helix_encoder_null_texture);
    if (!best) { /* a grey film is nobody's default */
        g_assert_error(none, HELIX_ERROR, HELIX_CODE_NO_ENCODER);
        g_assert_nonnull(strstr(none->message, "libx264"));
    }
#ifdef HELIX_HAVE_LIBAVCODEC
    if (helix_encoder_x264.available(FALSE, NULL)) {
        g_assert_true(best == &helix_encoder_x264 || g_str_equal(best->name, "videotoolbox"));
        g_assert_true(helix_encoder_find("x264", FALSE, NULL) == &helix_encoder_x264);
    }
#else
    g_assert_null(best);
#endif
    g_assert_null(helix_encoder_find("x265", FALSE, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER);
    g_assert_nonnull(strstr(error->message, "\"x265\""));
    g_assert_nonnull(strstr(error->message, "auto"));
    g_assert_nonnull(strstr(error->message, "null"));
    g_assert_null(helix_encoder_find("", FALSE, NULL));
}

/* Without software: what needs the CPU is refused by name, and "auto" says why there is nothing left. */
TEST("/config/find/hardware", test_find_hardware)
{
    const HelixEncoderClass *best;
    GError *error = NULL;

#ifdef HELIX_HAVE_LIBAVCODEC
    g_assert_null(helix_encoder_find("x264", TRUE, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER);
    g_assert_nonnull(strstr(error->message, "software, which is disabled"));
    g_assert_nonnull(strstr(error->message, "there are: auto, "));
    g_assert_nonnull(strstr(error->message, "x264, null")); /* of this build, usable or not */
    g_clear_error(&error);
    g_assert_null(helix_encoder_find("x264", TRUE, &error)); /* the verdict is kept, with its reason */
    g_assert_nonnull(strstr(error->message, "software, which is disabled"));
    g_clear_error(&error);
#endif
    best = helix_encoder_find("auto", TRUE, &error);
    if (!best) {
        g_assert_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER);
        g_assert_nonnull(strstr(error->message, "allow encoding in software"));
        g_clear_error(&error);
    } else {
        g_assert_cmpstr(best->name, ==, "videotoolbox");
    }
    g_assert_true(helix_encoder_find("null", TRUE, NULL) == &helix_encoder_null);
}

static HelixEncoderConfig complete(HelixEncoderConfig config)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(helix_encoder_config_complete(&config, &error));
    g_assert_no_error(error);
    return config;
}

TEST("/config/automatic", test_automatic)
{
    HelixEncoderConfig asked = { .width = 1919, .height = 1079, .realtime = 7, .aud = 9 };
    HelixEncoderConfig slower = { .width = 1920, .height = 1080, .fps_num = 30, .fps_den = 1 };
    HelixEncoderConfig config = complete(asked), again = complete(config);

    g_assert_cmpuint(config.width, ==, 1920);
    g_assert_cmpuint(config.height, ==, 1080);
    g_assert_cmpuint(config.fps_num, ==, 60);
    g_assert_cmpuint(config.fps_den, ==, 1);
    g_assert_cmpuint(config.profile, ==, 100);
    g_assert_cmpuint(config.bitrate, ==, 1920 * 1080 * 6);
    g_assert_cmpuint(config.realtime, ==, 1);
    g_assert_cmpuint(config.aud, ==, 1);
    g_assert_cmpuint(config.max_bitrate, ==, 0);
    g_assert_cmpuint(config.key_int_max, ==, 0);

    /* completing twice changes nothing */
    g_assert_cmpmem(&again, sizeof(again), &config, sizeof(config));

    /* half the rate for half the frames; never absurdly little or much; never above the maximum asked for */
    g_assert_cmpuint(complete(slower).bitrate, ==, 1920 * 1080 * 3);
    g_assert_cmpuint(complete((HelixEncoderConfig){ .width = 2, .height = 2 }).bitrate, ==, 500000);
    g_assert_cmpuint(complete((HelixEncoderConfig){ .width = 8192, .height = 4320 }).bitrate, ==, 100000000);
    g_assert_cmpuint(complete((HelixEncoderConfig){ .width = 1920, .height = 1080, .max_bitrate = 3000000 }).bitrate,
                     ==, 3000000);
}

TEST("/config/frame-rates", test_frame_rates)
{
    static const guint32 rates[][4] = {
        { 60000, 1001, 60000, 1001 },
        { 50, 2, 25, 1 },
        { 0, 1, 60, 1 },
        { 0, 0, 60, 1 },
        { 1, 2, 1, 2 },
        { 1, 10, 1, 10 },
        { 1000, 1, 1000, 1 },
        /* terms too large for a VUI: to the thousandth of a frame */
        { 1000000000, 16666667, 60, 1 },
        { 4294967295u, 71582788, 60, 1 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rates); i++) {
        HelixEncoderConfig config = complete(
            (HelixEncoderConfig){ .width = 640, .height = 480, .fps_num = rates[i][0], .fps_den = rates[i][1] });

        g_assert_cmpuint(config.fps_num, ==, rates[i][2]);
        g_assert_cmpuint(config.fps_den, ==, rates[i][3]);
    }
}

TEST("/config/refused", test_refused)
{
    static const struct {
        HelixEncoderConfig config;
        int code;
        const char *says; /* the range that would be right */
    } cases[] = {
        { { .width = 0, .height = 480 }, HELIX_CODE_GEOMETRY, "from 1 to 8192" },
        { { .width = 640, .height = 8193 }, HELIX_CODE_GEOMETRY, "from 1 to 8192" },
        { { .width = 4294967295u, .height = 4294967295u }, HELIX_CODE_GEOMETRY, "from 1 to 8192" },
        { { .width = 8192, .height = 8192 }, HELIX_CODE_GEOMETRY, "139264 macroblocks" },
        { { .width = 640, .height = 480, .fps_num = 30 }, HELIX_CODE_INVALID, "at least 1" },
        { { .width = 640, .height = 480, .fps_num = 1001, .fps_den = 1 }, HELIX_CODE_INVALID, "1000 frames a second" },
        { { .width = 640, .height = 480, .fps_num = 1, .fps_den = 11 }, HELIX_CODE_INVALID, "from 1/10" },
        { { .width = 640, .height = 480, .bitrate = 9999 }, HELIX_CODE_INVALID, "from 10000" },
        { { .width = 640, .height = 480, .bitrate = 4000000000u }, HELIX_CODE_INVALID, "to 1000000000" },
        { { .width = 640, .height = 480, .max_bitrate = 5 }, HELIX_CODE_INVALID, "from 10000" },
        { { .width = 640, .height = 480, .bitrate = 20000, .max_bitrate = 19000 }, HELIX_CODE_INVALID, "0 for none" },
        { { .width = 640, .height = 480, .rate_control = 4 }, HELIX_CODE_INVALID, "3 constant quality" },
        { { .width = 640, .height = 480, .profile = 88 }, HELIX_CODE_INVALID, "66 Baseline" },
        { { .width = 640, .height = 480, .level = 33 }, HELIX_CODE_INVALID, "10 (1.0) to 62 (6.2)" },
        { { .width = 640, .height = 480, .min_qp = 52 }, HELIX_CODE_INVALID, "at most 51" },
        { { .width = 640, .height = 480, .max_qp = 52 }, HELIX_CODE_INVALID, "at most 51" },
        { { .width = 640, .height = 480, .min_qp = 30, .max_qp = 29 }, HELIX_CODE_INVALID, "not above" },
        { { .width = 640, .height = 480, .key_int_max = 2147483648u }, HELIX_CODE_INVALID, "0 for none" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        HelixEncoderConfig config = cases[i].config;
        g_autoptr(GError) error = NULL;

        g_assert_false(helix_encoder_config_complete(&config, &error));
        g_assert_error(error, HELIX_ERROR, cases[i].code);
        g_test_message("%s", error->message);
        g_assert_nonnull(strstr(error->message, cases[i].says));
        g_assert_cmpuint(strlen(error->message), <, HELIX_ERROR_MESSAGE_SIZE);
        g_assert_cmpmem(&config, sizeof(config), &cases[i].config, sizeof(config));
        g_assert_false(helix_encoder_config_complete(&config, NULL));
    }
}

TEST("/config/level", test_level)
{
    HelixEncoderConfig config = complete((HelixEncoderConfig){ .width = 320, .height = 240 });

    g_assert_cmpuint(helix_encoder_level(&config), ==, 31);
    config.level = 21; /* what was asked for, if it is enough: 300 macroblocks, 18000 a second */
    g_assert_cmpuint(helix_encoder_level(&config), ==, 21);
    config.level = 10;
    g_assert_cmpuint(helix_encoder_level(&config), ==, 21);
    config.bitrate = 100000000;
    g_assert_cmpuint(helix_encoder_level(&config), ==, 50);
    config.rate_control = HELIX_RATE_CQP;
    g_assert_cmpuint(helix_encoder_level(&config), ==, 21);
    config = complete((HelixEncoderConfig){ .width = 1920, .height = 1080, .level = 30 });
    g_assert_cmpuint(helix_encoder_level(&config), ==, 42);
}
