/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-failures.c - the VideoToolbox encoder when sessions and properties are refused and sessions are lost, as the
 * doubles are told to let it happen; what goes wrong with a single frame is in test-samples.c.
 */
#include <string.h>

#include "cases.h"
#include "protocol/error.h"
#include "doubles.h"
#include "rig.h"

/* The session has it: @text, or else @number. */
static void check_property(const char *name, double number, const char *text)
{
    g_autofree char *key = g_strconcat("kVTCompressionPropertyKey_", name, NULL), *is = NULL;
    double value = -1;

    g_assert_true(double_vt_property(key, text ? NULL : &value, text ? &is : NULL));
    g_assert_cmpstr(is, ==, text);
    g_assert_true(text || value == number);
}

TEST("/properties", test_properties)
{
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));
    double interval = -1;

    check_property("RealTime", 1, NULL);
    check_property("AllowFrameReordering", 0, NULL);
    check_property("PrioritizeEncodingSpeedOverQuality", 1, NULL);
    check_property("AverageBitRate", 4000000, NULL);
    check_property("ExpectedFrameRate", 60, NULL);
    check_property("ProfileLevel", -1, "kVTProfileLevel_H264_High_AutoLevel");
    check_property("YCbCrMatrix", -1, "kCVImageBufferYCbCrMatrix_ITU_R_709_2");
    g_assert_true(double_vt_property("kVTCompressionPropertyKey_MaxKeyFrameInterval", &interval, NULL));
    g_assert_cmpfloat(interval, >, 1e9);
    /* These two do harm. */
    g_assert_false(double_vt_property("kVTCompressionPropertyKey_DataRateLimits", NULL, NULL));
    g_assert_false(double_vt_property("kVTCompressionPropertyKey_ReferenceBufferCount", NULL, NULL));
}

static void check_candidates(gboolean low_latency, gboolean hardware)
{
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));
    HelixVideoToolboxInfo info = helix_videotoolbox_info(encoder);

    g_assert_true(info.low_latency == low_latency);
    g_assert_true(info.hardware == hardware);
    rig_encode_idr(encoder);
}

static void check_no_encoder(HelixEncoderConfig config, gboolean hardware_only, const char *part)
{
    GError *error = NULL;

    g_assert_null(helix_encoder_videotoolbox.open(&config, hardware_only, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER);
    g_assert_nonnull(strstr(error->message, part));
    g_error_free(error);
}

TEST("/candidates", test_candidates)
{
    HelixEncoderConfig large = rig_config(5120, 2880), small = rig_config(WIDTH, HEIGHT);

    check_candidates(TRUE, TRUE);
    double_vt.create_low_latency = kVTCouldNotFindVideoEncoderErr;
    check_candidates(FALSE, TRUE);
    double_vt.no_hardware = TRUE;
    check_candidates(FALSE, FALSE);
    double_vt.prepare = kVTAllocationFailedErr;
    check_no_encoder(rig_config(WIDTH, HEIGHT), FALSE, "software (-12904)");
    double_vt_reset();
    double_vt.no_hardware = TRUE;
    check_no_encoder(small, TRUE, "hardware (-12908); software is forbidden");
    double_vt_reset();
    check_no_encoder(large, FALSE, "set a coded size of at");
    double_vt_reset();
}

/* Which properties an encoder can do without. */
TEST("/refused", test_refused)
{
    static const char *const optional[] = {
        "kVTCompressionPropertyKey_RealTime",           "kVTCompressionPropertyKey_PrioritizeEncodingSpeedOverQuality",
        "kVTCompressionPropertyKey_MaxFrameDelayCount", "kVTCompressionPropertyKey_MaxKeyFrameInterval",
        "kVTCompressionPropertyKey_ColorPrimaries",     "kVTCompressionPropertyKey_TransferFunction",
        "kVTCompressionPropertyKey_YCbCrMatrix",        "kVTCompressionPropertyKey_ProfileLevel",
        "kVTCompressionPropertyKey_MaxAllowedFrameQP",  "kVTCompressionPropertyKey_MinAllowedFrameQP",
    };
    static const char *const needed[] = {
        "kVTCompressionPropertyKey_AllowFrameReordering",
        "kVTCompressionPropertyKey_AverageBitRate",
        "kVTCompressionPropertyKey_ExpectedFrameRate",
    };
    HelixEncoderConfig config = rig_config(WIDTH, HEIGHT);

    config.min_qp = 10; /* which are told only where they are asked for */
    config.max_qp = 40;
    for (guint i = 0; i < G_N_ELEMENTS(optional); i++) {
        HelixEncoder *encoder;

        double_vt.refuse_property[0] = optional[i];
        encoder = rig_open(config);
        g_assert_cmpuint(helix_videotoolbox_info(encoder).refused_properties, ==, 1);
        rig_encode_idr(encoder);
        rig_close(encoder);
    }
    for (guint i = 0; i < G_N_ELEMENTS(needed); i++) {
        double_vt.refuse_property[0] = needed[i];
        check_no_encoder(config, FALSE, "(-12900)");
        double_vt_reset();
    }
    double_vt.refuse_property[0] = "kVTCompressionPropertyKey_ProfileLevel";
    config.profile = 77; /* asked for by name, so not to be had without */
    check_no_encoder(config, FALSE, "profile 77");
    double_vt_reset();
    /* what says nothing of itself is what it was asked to be */
    double_vt.refuse_property[0] = "kVTCompressionPropertyKey_UsingHardwareAcceleratedVideoEncoder";
    check_candidates(TRUE, TRUE);
    double_vt.create_low_latency = kVTCouldNotFindVideoEncoderErr;
    check_candidates(FALSE, TRUE);
    double_vt.no_hardware = TRUE;
    check_candidates(FALSE, FALSE);
}

/* Hardware does not encode so small a size; software does where hardware is ruled out, not where it is left open. */
TEST("/too-small", test_too_small)
{
    double_vt.least_for_hardware = WIDTH + 1;
    check_candidates(FALSE, FALSE);
}

/* What it refuses to be told it does not keep for its next session either. */
TEST("/reconfigure/refused-is-forgotten", test_refused_is_forgotten)
{
    HelixEncoderConfig before = rig_config(WIDTH, HEIGHT), config = before;
    g_autoptr(HelixEncoder) encoder = rig_open(before);
    GError *error = NULL;
    double rate = 0;

    double_vt.refuse_property[0] = "kVTCompressionPropertyKey_AverageBitRate";
    config.bitrate /= 2;
    config.fps_num = 30;
    g_assert_false(helix_encoder_videotoolbox.reconfigure(encoder, &config, &error));
    g_assert_no_error(error);
    double_vt.refuse_property[0] = NULL;
    double_vt.die = TRUE;
    rig_encode_idr(encoder);
    g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, 2);
    g_assert_true(double_vt_property("kVTCompressionPropertyKey_AverageBitRate", &rate, NULL));
    g_assert_cmpfloat(rate, ==, before.bitrate);
    g_assert_true(double_vt_property("kVTCompressionPropertyKey_ExpectedFrameRate", &rate, NULL));
    g_assert_cmpfloat(rate, ==, (double)before.fps_num / before.fps_den);
}

TEST("/reconfigure/refused", test_reconfigure_refused)
{
    HelixEncoderConfig config = rig_config(WIDTH, HEIGHT);
    g_autoptr(HelixEncoder) encoder = rig_open(config);
    GError *error = NULL;

    double_vt.refuse_property[0] = "kVTCompressionPropertyKey_AverageBitRate";
    config.bitrate /= 2;
    g_assert_false(helix_encoder_videotoolbox.reconfigure(encoder, &config, &error));
    g_assert_no_error(error);
    /* It goes on at the old frame rate, and within the old quantisers. */
    double_vt.refuse_property[0] = "kVTCompressionPropertyKey_ExpectedFrameRate";
    double_vt.refuse_property[1] = "kVTCompressionPropertyKey_MaxAllowedFrameQP";
    double_vt.refuse_property[2] = "kVTCompressionPropertyKey_MinAllowedFrameQP";
    config.bitrate *= 2;
    config.fps_num = 30;
    config.min_qp = 10;
    config.max_qp = 40;
    g_assert_true(helix_encoder_videotoolbox.reconfigure(encoder, &config, &error));
    g_assert_cmpuint(helix_videotoolbox_info(encoder).refused_properties, ==, 3);
    g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, 1);
    memset(double_vt.refuse_property, 0, sizeof(double_vt.refuse_property));
    /* A session that is gone is replaced with the next frame, by the new values. */
    double_vt.die = TRUE;
    config.bitrate /= 2;
    g_assert_true(helix_encoder_videotoolbox.reconfigure(encoder, &config, &error));
    config.bitrate /= 2;
    g_assert_true(helix_encoder_videotoolbox.reconfigure(encoder, &config, &error));
    g_assert_cmpuint(helix_videotoolbox_info(encoder).hardware, ==, FALSE);
    rig_encode_idr(encoder);
    g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, 2);
}

/* A session lost in any way: a new one, an IDR, and no frame missing. */
TEST("/lost", test_lost)
{
    static const OSStatus reasons[] = { kVTInvalidSessionErr, kVTVideoEncoderMalfunctionErr, kVTSessionMalfunctionErr,
                                        kVTVideoEncoderNotAvailableNowErr, kVTCouldNotCreateInstanceErr };
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));
    g_autoptr(AVCodecContext) decoder = stream_decoder_new();
    guint index = 0, sessions = 1;

    for (guint i = 0; i < 2 * G_N_ELEMENTS(reasons) + 1; i++) {
        for (guint k = 0; k < 3; k++) {
            HelixAccessUnit unit;

            if (k == 1) {
                g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*new session*");
                if (i == 2 * G_N_ELEMENTS(reasons)) {
                    double_vt.die = TRUE;
                } else if (i % 2) {
                    double_vt.encode_now = reasons[i / 2];
                    double_vt.callback_after_failure = TRUE;
                } else {
                    double_vt.encode_later = reasons[i / 2];
                }
                sessions++;
            }
            unit = rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, index), FALSE);
            if (k == 1) {
                g_test_assert_expected_messages();
                rig_check_idr(&unit, FALSE);
            }
            rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, index++);
            g_bytes_unref(unit.data);
        }
    }
    g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, sessions);
}

/* Lost again at once, or no new one to be had: an error, and the next frame tries again. */
TEST("/lost/for-good", test_lost_for_good)
{
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));
    HelixAccessUnit unit;
    GError *error = NULL;

    rig_encode_idr(encoder);
    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*new session*");
    g_test_expect_message(NULL, G_LOG_LEVEL_INFO, "*got hardware");
    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*without optional properties*");
    double_vt.refuse_frames = kVTVideoEncoderMalfunctionErr;
    g_assert_false(rig_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 1), FALSE, &unit, &error));
    double_vt.refuse_frames = 0;
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
    g_clear_error(&error);
    g_test_assert_expected_messages();
    double_vt.create_low_latency = double_vt.create_hardware = double_vt.create_software =
        kVTVideoEncoderNotAvailableNowErr;
    g_assert_false(rig_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 1), FALSE, &unit, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
    g_assert_nonnull(strstr(error->message, "has no H.264 encoder"));
    g_clear_error(&error);
    double_vt.create_low_latency = double_vt.create_hardware = double_vt.create_software = 0;
    rig_encode_idr(encoder);
    /* Any other failure is the frame's own. */
    double_vt.encode_now = kVTParameterErr;
    g_assert_false(rig_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 1), FALSE, &unit, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
    g_clear_error(&error);
    g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, 4);
}

static void encode_to(HelixEncoder *encoder, AVCodecContext *decoder, guint index, gboolean idr)
{
    HelixAccessUnit unit = rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, index), FALSE);

    g_assert_true(unit.keyframe == idr);
    rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, index);
    g_bytes_unref(unit.data);
}

/*
 * Hardware is lost and only software to be had: that is said aloud, no frame is missing, and hardware is used again as
 * soon as there is some.
 */
TEST("/lost/fallen", test_fallen)
{
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));
    g_autoptr(AVCodecContext) decoder = stream_decoder_new();
    guint index = 0;

    encode_to(encoder, decoder, index++, TRUE);
    double_vt.no_hardware = TRUE;
    double_vt.encode_later = kVTVideoEncoderNotAvailableNowErr;
    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*new session*");
    g_test_expect_message(NULL, G_LOG_LEVEL_INFO, "*got software");
    g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*lost its hardware encoder*in software*");
    encode_to(encoder, decoder, index++, TRUE);
    g_test_assert_expected_messages();
    g_assert_true(helix_videotoolbox_info(encoder).fallen);
    g_assert_false(helix_videotoolbox_info(encoder).hardware);
    encode_to(encoder, decoder, index++, FALSE);
    g_usleep(1100000); /* it is asked for again, in vain, and the software session goes on */
    encode_to(encoder, decoder, index++, FALSE);
    g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, 2);
    double_vt.no_hardware = FALSE;
    g_test_expect_message(NULL, G_LOG_LEVEL_INFO, "*got hardware");
    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*in hardware again*");
    while (helix_videotoolbox_info(encoder).fallen) {
        HelixAccessUnit unit = rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, index), FALSE);

        g_assert_true(unit.keyframe == !helix_videotoolbox_info(encoder).fallen);
        rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, index++);
        g_bytes_unref(unit.data);
        g_usleep(50000);
    }
    g_test_assert_expected_messages();
    g_assert_true(helix_videotoolbox_info(encoder).hardware && helix_videotoolbox_info(encoder).low_latency);
    encode_to(encoder, decoder, index++, FALSE);
}

/* Frames until hardware has them again. */
static void encode_until_hardware(HelixEncoder *encoder)
{
    for (guint i = 0; helix_videotoolbox_info(encoder).fallen; i++) {
        g_bytes_unref(rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, i), FALSE).data);
        g_usleep(50000);
    }
}

/* An encoder that is opened while there is no hardware, the stream's second one or its first, asks for it again too. */
TEST("/lost/opened-in-software", test_opened_in_software)
{
    HelixEncoder *encoder = rig_open(rig_config(WIDTH, HEIGHT));

    double_vt.no_hardware = TRUE;
    double_vt.encode_later = kVTVideoEncoderNotAvailableNowErr;
    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*new session*");
    g_test_expect_message(NULL, G_LOG_LEVEL_INFO, "*got software");
    g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*lost its hardware encoder*in software*");
    g_bytes_unref(rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 0), FALSE).data);
    g_test_assert_expected_messages();
    helix_encoder_videotoolbox.close(encoder); /* as for a new size, or after a frame that failed */
    encoder = rig_open(rig_config(WIDTH, HEIGHT));
    g_assert_true(helix_videotoolbox_info(encoder).fallen);
    double_vt.no_hardware = FALSE;
    encode_until_hardware(encoder);
    g_assert_true(helix_videotoolbox_info(encoder).hardware);
    g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, 2);
    rig_close(encoder);
}

/* Hardware that does not say that it is: what was made with nothing else allowed is taken for it, once. */
TEST("/lost/unreported-hardware", test_unreported_hardware)
{
    HelixEncoder *encoder;

    double_vt.no_hardware = TRUE;
    encoder = rig_open(rig_config(WIDTH, HEIGHT));
    double_vt.no_hardware = FALSE;
    double_vt.refuse_property[0] = "kVTCompressionPropertyKey_UsingHardwareAcceleratedVideoEncoder";
    encode_until_hardware(encoder);
    for (guint i = 0; i < 5; i++) {
        g_bytes_unref(rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, i), FALSE).data);
    }
    g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, 2);
    rig_close(encoder);
}

/* Threads that the system refuses from now on. */
static gint threads_refused;

GThread *__real_g_thread_try_new(const char *name, GThreadFunc function, gpointer data, GError **error);
GThread *__wrap_g_thread_try_new(const char *name, GThreadFunc function, gpointer data, GError **error);

GThread *__wrap_g_thread_try_new(const char *name, GThreadFunc function, gpointer data, GError **error)
{
    if (g_atomic_int_get(&threads_refused) > 0) {
        g_atomic_int_add(&threads_refused, -1);
        g_set_error_literal(error, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN, "no threads left");
        return NULL;
    }
    return __real_g_thread_try_new(name, function, data, error);
}

/* The host has no thread left for a session: an error, QEMU goes on, and the next try may do better. */
TEST("/no-thread", test_no_thread)
{
    HelixEncoder *encoder;
    HelixAccessUnit unit;
    GError *error = NULL;

    g_atomic_int_set(&threads_refused, 1);
    check_no_encoder(rig_config(WIDTH, HEIGHT), FALSE, "no threads left; try again later");
    g_assert_cmpuint(helix_vt_sessions_hung(), ==, 0);
    g_assert_cmpuint(double_vt_seen.sessions, ==, 0);
    encoder = rig_open(rig_config(WIDTH, HEIGHT));
    g_atomic_int_set(&threads_refused, 1);
    double_vt.encode_now = kVTInvalidSessionErr;
    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*new session*");
    g_assert_false(rig_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 0), FALSE, &unit, &error));
    g_test_assert_expected_messages();
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
    g_clear_error(&error);
    rig_encode_idr(encoder);
    rig_close(encoder);
}

/* A session for a size beyond the hardware is made, and its frames fail: the guest hears what would be right. */
TEST("/too-large", test_too_large)
{
    HelixEncoder *encoder = rig_open(rig_config(4096, 2560));
    HelixAccessUnit unit;
    GError *error = NULL;

    double_vt.refuse_frames = kVTParameterErr;
    g_assert_false(rig_encode(encoder, rig_nv12_surface(4096, 2560), FALSE, &unit, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
    g_assert_nonnull(strstr(error->message, "4096 x 2560"));
    g_assert_nonnull(strstr(error->message, "set a coded size of at"));
    g_clear_error(&error);
    rig_close(encoder);
    encoder = rig_open(rig_config(WIDTH, HEIGHT));
    double_vt.refuse_frames = kVTParameterErr;
    g_assert_false(rig_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 0), FALSE, &unit, &error));
    g_assert_null(strstr(error->message, "coded size"));
    g_clear_error(&error);
    rig_close(encoder);
}

/* What "auto" asks before it takes VideoToolbox. */
TEST("/available", test_available)
{
    GError *error = NULL;

    g_assert_true(helix_encoder_videotoolbox.available(TRUE, &error));
    double_vt.no_hardware = TRUE;
    g_assert_true(helix_encoder_videotoolbox.available(FALSE, &error));
    g_assert_no_error(error);
    g_assert_false(helix_encoder_videotoolbox.available(TRUE, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER);
    g_clear_error(&error);
    double_vt.create_software = kVTCouldNotFindVideoEncoderErr;
    g_assert_false(helix_encoder_videotoolbox.available(FALSE, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER);
    g_clear_error(&error);
    rig_check_clear();
}

TEST("/close-unused", test_close_unused)
{
    HelixEncoderConfig config = rig_config(WIDTH, HEIGHT);
    HelixEncoder *encoder = rig_open(config);

    rig_close(encoder);
    encoder = rig_open(config);
    double_vt.die = TRUE;
    config.bitrate /= 2;
    g_assert_true(helix_encoder_videotoolbox.reconfigure(encoder, &config, NULL));
    rig_close(encoder); /* its session is gone already */
}
