/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-plain.c - the VideoToolbox encoder when every frame of a new session is refused, and what its threads are.
 */
#include <string.h>

#include "cases.h"
#include "protocol/error.h"
#include "doubles.h"
#include "rig.h"

static const char *const optional[] = {
    "RealTime",           "PrioritizeEncodingSpeedOverQuality",
    "MaxFrameDelayCount", "MaxKeyFrameInterval",
    "ColorPrimaries",     "TransferFunction",
    "YCbCrMatrix",        "ProfileLevel",
    "MaxAllowedFrameQP",  "MinAllowedFrameQP",
};

static gboolean is_set(const char *name)
{
    g_autofree char *key = g_strconcat("kVTCompressionPropertyKey_", name, NULL);

    return double_vt_property(key, NULL, NULL);
}

static HelixEncoderConfig config_with_all(void)
{
    HelixEncoderConfig config = rig_config(WIDTH, HEIGHT);

    config.min_qp = 10;
    config.max_qp = 40;
    return config;
}

static void check_plain(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(optional); i++) {
        g_assert_false(is_set(optional[i]));
    }
    g_assert_true(is_set("AllowFrameReordering") && is_set("AverageBitRate") && is_set("ExpectedFrameRate"));
}

/*
 * A property is taken, and then each frame is refused because of it, as macOS 15.0 does for MaxFrameDelayCount: the
 * frame comes out of a session without optional properties, which later sessions do without too.
 */
TEST("/plain/because-of-one", test_because_of_one)
{
    static const OSStatus statuses[] = { kVTParameterErr, kVTVideoEncoderMalfunctionErr };

    for (guint i = 0; i < 2 * G_N_ELEMENTS(optional); i++) {
        OSStatus status = statuses[i % 2];
        g_autofree char *key = g_strconcat("kVTCompressionPropertyKey_", optional[i / 2], NULL);
        g_autoptr(HelixEncoder) encoder = rig_open(config_with_all());
        HelixEncoderConfig config = config_with_all();
        guint lost = helix_vt_session_lost(status);

        g_assert_true(is_set(optional[i / 2]));
        double_vt.refuse_frames = status;
        double_vt.refuse_because_of = key;
        rig_encode_idr(encoder);
        g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, 2 + lost);
        g_assert_true(helix_videotoolbox_info(encoder).low_latency);
        check_plain();
        g_bytes_unref(rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 2), FALSE).data);
        g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, 2 + lost);
        /* what changes later is not told either, but for the rates */
        config.min_qp = config.max_qp = 0;
        config.key_int_max = 30;
        config.bitrate /= 2;
        g_assert_true(helix_encoder_videotoolbox.reconfigure(encoder, &config, NULL));
        check_plain();
        double_vt.die = TRUE;
        rig_encode_idr(encoder);
        g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, 3 + lost);
        check_plain();
    }
}

/* Frames are refused whatever the session was told: an error each, and no further session after the first two. */
TEST("/plain/in-vain", test_in_vain)
{
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));
    guint sessions = 0;

    double_vt.refuse_frames = kVTParameterErr;
    for (guint i = 0; i < 4; i++) {
        g_autoptr(GError) error = NULL;
        HelixAccessUnit unit;

        g_assert_false(rig_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, i), FALSE, &unit, &error));
        g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
        g_assert_true(i != 2 || (sessions = double_vt_seen.sessions) <= 3);
    }
    g_assert_cmpuint(double_vt_seen.sessions, ==, sessions);
    double_vt.refuse_frames = 0;
    rig_encode_idr(encoder);
    g_assert_true(is_set("RealTime")); /* it was not because of them */
    g_assert_cmpuint(double_vt_seen.sessions, ==, sessions);
}

/* A session that has encoded keeps its properties when a frame fails. */
TEST("/plain/one-frame", test_one_frame)
{
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));
    g_autoptr(GError) error = NULL;
    HelixAccessUnit unit;

    rig_encode_idr(encoder);
    double_vt.encode_later = kVTParameterErr;
    g_assert_false(rig_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 1), FALSE, &unit, &error));
    g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, 1);
    g_bytes_unref(rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 2), FALSE).data);
}

/* A silent encoder is not asked a third time: each time takes two seconds. */
TEST("/plain/silent", test_silent)
{
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));
    g_autoptr(GError) error = NULL;
    HelixAccessUnit unit;

    double_vt.swallow = 2;
    g_assert_false(rig_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 1), FALSE, &unit, &error));
    g_assert_cmpuint(double_vt_seen.sessions, ==, 2);
}

/* Level 5.2 ends at 56.25 frames of 4096 x 2304 a second: VideoToolbox drops what is beyond. */
TEST("/rate", test_rate)
{
    HelixEncoderConfig config = rig_config(4096, 2304);
    HelixEncoder *encoder;
    HelixAccessUnit unit;
    double rate = 0;

    g_assert_cmpuint(config.fps_num, ==, 60 * config.fps_den);
    encoder = rig_open(config);
    g_assert_true(double_vt_property("kVTCompressionPropertyKey_ExpectedFrameRate", &rate, NULL));
    g_assert_cmpfloat(rate, ==, 56.25);
    unit = rig_must_encode(encoder, rig_nv12_surface(4096, 2304), FALSE);
    g_assert_cmpint(double_vt_seen.last_duration, ==, 1000000000000 / 56250);
    g_bytes_unref(unit.data);
    config.fps_num = 30;
    config.fps_den = 1;
    g_assert_true(helix_encoder_videotoolbox.reconfigure(encoder, &config, NULL));
    g_assert_true(double_vt_property("kVTCompressionPropertyKey_ExpectedFrameRate", &rate, NULL));
    g_assert_cmpfloat(rate, ==, 30);
    rig_close(encoder);
}

static guint live_objects(void)
{
    g_autofree char *kinds = NULL;

    return double_live_objects(&kinds);
}

/* What VideoToolbox autoreleases is released with each call, on threads of the right class (see rig_check_clear()). */
TEST("/threads", test_threads)
{
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));
    guint before = 0;

    for (guint i = 0; i < 20; i++) {
        g_bytes_unref(rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, i), FALSE).data);
        if (i == 4) {
            before = live_objects();
        }
    }
    g_assert_cmpuint(live_objects(), <, before + 10);
}
