/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-hang.c - a VideoToolbox that hangs, in whatever call: the encoder goes on with another session, ends when it is
 * told to, and nothing that comes back later finds memory that is gone.
 */
#include <string.h>

#include "cases.h"
#include "protocol/error.h"
#include "encode/encode-pool.h"
#include "encode/encode-thread.h"
#include "doubles.h"
#include "rig.h"

/* What hung comes back, and its threads clear up behind it. */
static void let_go(void)
{
    double_vt_let_go();
    while (helix_vt_sessions_hung() > 0) {
        g_usleep(1000);
    }
}

static void must_encode_idr(HelixEncoder *encoder, guint index, gboolean lost)
{
    HelixAccessUnit unit;

    if (lost) {
        g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*new session*");
    }
    unit = rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, index), FALSE);
    if (lost) {
        g_test_assert_expected_messages();
    }
    rig_check_idr(&unit, FALSE);
    g_bytes_unref(unit.data);
}

/* In the call that takes a frame, and in the one that is to bring it out: the frame comes from another session. */
TEST("/hang/frame", test_frame)
{
    static const DoubleVtHang calls[] = { DOUBLE_VT_HANG_ENCODE, DOUBLE_VT_HANG_COMPLETE };

    for (guint i = 0; i < G_N_ELEMENTS(calls); i++) {
        HelixEncoder *encoder = rig_open(rig_config(WIDTH, HEIGHT));

        must_encode_idr(encoder, 0, FALSE);
        double_vt_hang(calls[i]);
        double_vt.swallow = calls[i] == DOUBLE_VT_HANG_COMPLETE;
        must_encode_idr(encoder, 1, TRUE);
        g_assert_cmpuint(helix_vt_sessions_hung(), ==, 1);
        g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, 2);
        if (i == 0) {
            let_go(); /* before the encoder ends, or after it */
            g_bytes_unref(rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 2), FALSE).data);
        }
        helix_encoder_videotoolbox.close(encoder);
        let_go();
        rig_check_clear();
    }
}

/*
 * The frame's answer comes when its session was given up long ago: to memory that is still there, and nobody counts it.
 */
TEST("/hang/answer-too-late", test_answer_too_late)
{
    HelixEncoder *encoder = rig_open(rig_config(WIDTH, HEIGHT));

    must_encode_idr(encoder, 0, FALSE);
    double_vt.hold = 1; /* it answers when it is told to, which hangs */
    double_vt_hang(DOUBLE_VT_HANG_COMPLETE);
    must_encode_idr(encoder, 1, TRUE);
    helix_encoder_videotoolbox.close(encoder);
    g_assert_cmpint(rig_live_surfaces(), ==, 1); /* the one the hung session still holds */
    let_go();
    rig_check_clear();
}

/* The frame is answered while the call that is to bring it out hangs: it counts, and the next one has a new session. */
TEST("/hang/answer-in-flush", test_answer_in_flush)
{
    HelixEncoder *encoder = rig_open(rig_config(WIDTH, HEIGHT));

    must_encode_idr(encoder, 0, FALSE);
    double_vt.delay_us = 600000; /* later than it is waited for, earlier than the call is given up */
    double_vt_hang(DOUBLE_VT_HANG_COMPLETE);
    g_bytes_unref(rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 1), FALSE).data);
    g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, 1);
    double_vt.delay_us = 0;
    must_encode_idr(encoder, 2, TRUE);
    g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, 2);
    helix_encoder_videotoolbox.close(encoder);
    g_assert_cmpint(rig_live_surfaces(), ==, 0); /* the hung session holds none */
    let_go();
    rig_check_clear();
}

/* Hardware is not asked for again while a session hangs: each try could hang too, and the frame waits for it. */
TEST("/hang/no-retry", test_no_retry)
{
    HelixEncoderConfig config = rig_config(WIDTH, HEIGHT);
    HelixEncoder *software, *hanging;

    double_vt.no_hardware = TRUE;
    software = rig_open(config);
    double_vt.no_hardware = FALSE;
    hanging = rig_open(config);
    double_vt_hang(DOUBLE_VT_HANG_PROPERTY);
    config.bitrate /= 2;
    g_assert_true(helix_encoder_videotoolbox.reconfigure(hanging, &config, NULL)); /* longer than until the retry */
    g_assert_cmpuint(helix_vt_sessions_hung(), ==, 1);
    must_encode_idr(software, 0, FALSE);
    g_assert_cmpuint(helix_videotoolbox_info(software).sessions, ==, 1);
    let_go();
    must_encode_idr(software, 1, FALSE);
    g_assert_cmpuint(helix_videotoolbox_info(software).sessions, ==, 2);
    g_assert_true(helix_videotoolbox_info(software).hardware);
    helix_encoder_videotoolbox.close(hanging);
    rig_close(software);
}

/* Ending it waits for a limited time, whichever call hangs. */
TEST("/hang/end", test_end)
{
    static const DoubleVtHang calls[] = { DOUBLE_VT_HANG_COMPLETE, DOUBLE_VT_HANG_INVALIDATE };

    for (guint i = 0; i < G_N_ELEMENTS(calls); i++) {
        HelixEncoder *encoder = rig_open(rig_config(WIDTH, HEIGHT));

        must_encode_idr(encoder, 0, FALSE);
        double_vt_hang(calls[i]);
        helix_encoder_videotoolbox.close(encoder);
        g_assert_cmpuint(helix_vt_sessions_hung(), ==, 1);
        let_go();
        rig_check_clear();
    }
}

TEST("/hang/reconfigure", test_reconfigure)
{
    HelixEncoderConfig config = rig_config(WIDTH, HEIGHT);
    HelixEncoder *encoder = rig_open(config);

    must_encode_idr(encoder, 0, FALSE);
    double_vt_hang(DOUBLE_VT_HANG_PROPERTY);
    config.bitrate /= 2;
    g_assert_true(helix_encoder_videotoolbox.reconfigure(encoder, &config, NULL));
    must_encode_idr(encoder, 1, FALSE); /* the new session has the new values from its beginning */
    helix_encoder_videotoolbox.close(encoder);
    let_go();
    rig_check_clear();
}

/* Also a session that is made hangs. With too many that do, no more are made: the guest gets an error at once. */
TEST("/hang/open", test_open)
{
    HelixEncoderConfig config = rig_config(WIDTH, HEIGHT);
    HelixEncoder *encoders[4];
    GError *error = NULL;

    double_vt_hang(DOUBLE_VT_HANG_CREATE);
    g_assert_null(helix_encoder_videotoolbox.open(&config, FALSE, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER);
    g_assert_nonnull(strstr(error->message, "within five seconds"));
    g_clear_error(&error);
    g_assert_cmpuint(helix_vt_sessions_hung(), ==, 1);
    for (guint i = 1; i < G_N_ELEMENTS(encoders); i++) {
        encoders[i] = rig_open(config);
        /* one that hangs in a call is not waited for a second time */
        double_vt_hang(DOUBLE_VT_HANG_PROPERTY);
        config.bitrate ^= 1;
        g_assert_true(helix_encoder_videotoolbox.reconfigure(encoders[i], &config, NULL));
        g_assert_cmpuint(helix_vt_sessions_hung(), ==, 1 + i);
    }
    g_assert_null(helix_encoder_videotoolbox.open(&config, FALSE, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER);
    g_assert_nonnull(strstr(error->message, "4 sessions hang"));
    g_clear_error(&error);
    for (guint i = 1; i < G_N_ELEMENTS(encoders); i++) {
        helix_encoder_videotoolbox.close(encoders[i]);
    }
    let_go();
    encoders[0] = rig_open(config);
    must_encode_idr(encoders[0], 1, FALSE);
    rig_close(encoders[0]);
}

static gpointer try_open(gpointer refusals)
{
    HelixEncoderConfig config = rig_config(WIDTH, HEIGHT);
    GError *error = NULL;

    g_assert_null(helix_encoder_videotoolbox.open(&config, FALSE, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER);
    if (strstr(error->message, "4 sessions hang")) {
        g_atomic_int_inc((gint *)refusals);
    }
    g_error_free(error);
    return NULL;
}

/* Many streams begin at once, and every session hangs as it is made: four do, and the others' are not even tried. */
TEST("/hang/open-at-once", test_open_at_once)
{
    GThread *threads[10];
    HelixEncoder *encoder;
    gint refusals = 0;

    double_vt_hang_all(DOUBLE_VT_HANG_CREATE);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++) {
        threads[i] = g_thread_new("opens", try_open, &refusals);
    }
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++) {
        g_thread_join(threads[i]);
    }
    g_assert_cmpuint(helix_vt_sessions_hung(), ==, 4);
    g_assert_cmpint(refusals, ==, G_N_ELEMENTS(threads) - 4);
    let_go();
    encoder = rig_open(rig_config(WIDTH, HEIGHT));
    must_encode_idr(encoder, 1, FALSE);
    rig_close(encoder);
}

static void not_called(gpointer owner, gpointer tag, HelixEncodeResult *result)
{
    g_assert_not_reached();
}

/* g_test_expect_message() is for one thread. */
static void count_new_sessions(const char *domain, GLogLevelFlags level, const char *message, gpointer count)
{
    if (level & G_LOG_LEVEL_MESSAGE && strstr(message, "new session")) {
        g_atomic_int_inc((gint *)count);
    } else {
        g_log_default_handler(domain, level, message, NULL);
    }
}

/* QEMU exits while a frame's call hangs: its encoder threads end. */
TEST("/hang/exit", test_exit)
{
    gint count = 0;
    GLogFunc before = g_log_set_default_handler(count_new_sessions, &count);
    HelixEncodePool *encode_pool = helix_encode_pool_new(NULL);
    HelixEncodeThread *encode_thread = helix_encode_thread_new(encode_pool, &helix_encoder_videotoolbox, FALSE,
                                                               not_called, &encode_thread, NULL);
    HelixSurface *surface = rig_memory_surface(WIDTH, HEIGHT, 0);

    double_vt_hang(DOUBLE_VT_HANG_ENCODE);
    helix_encode_thread_encode(encode_thread, surface, 0, FALSE, NULL);
    helix_surface_unref(surface);
    while (!double_vt_hangs()) {
        g_usleep(1000);
    }
    helix_encode_pool_free(encode_pool);
    g_log_set_default_handler(before, NULL);
    g_assert_cmpint(count, ==, 1);
    g_assert_cmpuint(helix_vt_sessions_hung(), ==, 1);
    let_go();
    rig_check_clear();
}
