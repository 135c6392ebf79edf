/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-samples.c - the VideoToolbox encoder and its single frames, as the doubles are told to let them be: dropped,
 * held back, never answered, samples in every shape, pictures that can't be handed over.
 */
#include <string.h>

#include "cases.h"
#include "protocol/error.h"
#include "doubles.h"
#include "rig.h"

/* A dropped frame is no error, and does not swallow the IDR that was asked for. */
TEST("/dropped", test_dropped)
{
    for (guint how = 0; how < 3; how++) {
        HelixEncoder *encoder = rig_open(rig_config(WIDTH, HEIGHT));
        AVCodecContext *decoder = stream_decoder_new();

        for (guint i = 0; i < 9; i++) {
            gboolean drop = i == 3 || i == 6;
            HelixAccessUnit unit;

            double_vt.drop = drop && how < 2;
            double_vt.drop_silently = how == 1;
            double_vt.drop_at_once = drop && how == 2;
            unit = rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, i), i == 6);
            g_assert_true(unit.dropped == drop);
            if (!drop) {
                g_assert_true(unit.keyframe == (i == 0 || i == 7));
                rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, i);
                g_bytes_unref(unit.data);
            }
        }
        avcodec_free_context(&decoder);
        rig_close(encoder);
    }
}

/* An encoder that sits on each frame until told to give it out: waited for twice, said once, and then known. */
TEST("/holding", test_holding)
{
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));
    g_autoptr(AVCodecContext) decoder = stream_decoder_new();

    double_vt.hold = 1;
    for (guint i = 0; i < 6; i++) {
        HelixAccessUnit unit;

        if (i == 1) {
            g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*holds each frame back*flushed at once*");
        } else {
            g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "nothing"); /* any other would end the test */
        }
        double_vt.hold = i < 3; /* then it is the session that counts, not the time that the frame took */
        unit = rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, i), FALSE);
        if (i != 1) {
            g_message("nothing");
        }
        g_test_assert_expected_messages();
        rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, i);
        g_bytes_unref(unit.data);
        g_assert_cmpuint(double_vt_seen.completes, ==, i + 1);
    }
}

/* An encoder that sits on one frame until told to give it out; one that never answers; answers for frames of the past.
 */
TEST("/slow", test_slow)
{
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));
    g_autoptr(AVCodecContext) decoder = stream_decoder_new();
    HelixAccessUnit unit;

    double_vt.hold = 1;
    unit = rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 0), FALSE);
    rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, 0);
    g_bytes_unref(unit.data);
    g_assert_cmpuint(double_vt_seen.completes, ==, 1);
    double_vt.hold = 0;
    double_vt.late_callbacks = 2;
    double_vt.delay_us = 2000;
    for (guint i = 1; i < 5; i++) {
        unit = rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, i), FALSE);
        rig_check_picture(decoder, unit.data, WIDTH, HEIGHT, i);
        g_bytes_unref(unit.data);
    }
    double_vt.late_callbacks = 0;
    double_vt.swallow = 1;
    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*new session*");
    unit = rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 6), FALSE);
    g_test_assert_expected_messages();
    rig_check_idr(&unit, FALSE);
    g_bytes_unref(unit.data);
}

/* Told to make an IDR and did not. */
TEST("/force-ignored", test_force_ignored)
{
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));
    HelixAccessUnit unit = rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 0), FALSE);

    g_bytes_unref(unit.data);
    double_vt.ignore_force = TRUE;
    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*as an IDR*new session*");
    unit = rig_must_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 1), TRUE);
    g_test_assert_expected_messages();
    rig_check_idr(&unit, FALSE);
    g_bytes_unref(unit.data);
}

typedef struct Shape {
    const char *name;
    DoubleVtOrders orders;
} Shape;

static const Shape shapes[] = {
    { "plain", { .block_pieces = 1 } },
    { "lengths of 2 bytes", { .length_size = 2, .block_pieces = 2 } },
    { "lengths of 1 byte", { .length_size = 1, .block_pieces = 3 } },
    { "key without attachments", { .no_attachments = TRUE, .block_pieces = 4 } },
    { "key by NotSync being false", { .not_sync_false = TRUE } },
    { "VUI", { .keep_vui = TRUE, .block_pieces = 6 } },
    { "no count of sets", { .count_fails = TRUE } },
    { "no count of sets, lengths of 2 bytes", { .count_fails = TRUE, .length_size = 2 } },
    { "no count of three sets", { .count_fails = TRUE, .second_pps = TRUE } },
    { "three sets", { .second_pps = TRUE } },
    { "no length size", { .length_fails = TRUE } },
    { "no length size, no count of three sets", { .length_fails = TRUE, .count_fails = TRUE, .second_pps = TRUE } },
};

static guint count_nals(GBytes *unit, guint type)
{
    gsize len;
    const guint8 *data = g_bytes_get_data(unit, &len);
    g_autoptr(GArray) nals = stream_nals(data, len);
    guint n = 0;

    for (guint i = 0; i < nals->len; i++) {
        n += (g_array_index(nals, StreamNal, i).data[0] & 31u) == type;
    }
    return n;
}

/* Samples in every shape they come in. */
TEST("/samples", test_samples)
{
    for (guint i = 0; i < G_N_ELEMENTS(shapes); i++) {
        gboolean tiny = shapes[i].orders.length_size == 1;
        guint side = tiny ? 32 : 192;
        HelixEncoderConfig config = rig_config(side, side);
        AVCodecContext *decoder = stream_decoder_new();
        HelixEncoder *encoder;

        g_test_message("%s", shapes[i].name);
        config.bitrate = tiny ? 20000 : 2000000;
        double_vt = shapes[i].orders;
        encoder = rig_open(config);
        for (guint k = 0; k < 3; k++) {
            HelixSurface *surface = rig_memory_surface(side, side, tiny ? 0 : k);
            HelixAccessUnit unit;
            AVFrame *frame;

            if (tiny) {
                memset(surface->data, 90, surface->size);
            }
            unit = rig_must_encode(encoder, surface, FALSE);
            g_assert_true(unit.keyframe == (k == 0));
            g_assert_cmpuint(count_nals(unit.data, 7), ==, k == 0);
            g_assert_cmpuint(count_nals(unit.data, 8), ==, k ? 0 : shapes[i].orders.second_pps ? 2 : 1);
            frame = stream_decode(decoder, unit.data);
            g_assert_nonnull(frame);
            av_frame_free(&frame);
            g_bytes_unref(unit.data);
        }
        avcodec_free_context(&decoder);
        rig_close(encoder);
    }
}

TEST("/samples/bad", test_bad_samples)
{
    for (guint i = 0; i < 9; i++) {
        HelixEncoder *encoder = rig_open(rig_config(WIDTH, HEIGHT));
        HelixAccessUnit unit;
        GError *error = NULL;

        double_vt.no_format = i == 0;
        double_vt.no_data = i == 1;
        double_vt.bad_sps = i == 2;
        double_vt.truncated = i == 3;
        double_vt.unreadable_block = i == 4;
        double_vt.sets_fail = i == 5 || i == 8;
        double_vt.count_fails = i == 8;
        double_vt.huge = i == 6;
        double_vt.length_size = i == 7 ? 3 : 0;
        g_assert_false(rig_encode(encoder, rig_memory_surface(WIDTH, HEIGHT, 1), FALSE, &unit, &error));
        g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
        g_clear_error(&error);
        rig_close(encoder);
    }
}

typedef struct InputFailure {
    HelixSurface *(*surface)(void);
    DoubleVtOrders orders;
    gint code;
} InputFailure;

static HelixSurface *memory(void)
{
    return rig_memory_surface(WIDTH, HEIGHT, 0);
}

static HelixSurface *short_of_a_column(void)
{
    return rig_memory_surface(WIDTH - 1, HEIGHT, 0);
}

static HelixSurface *other_size(void)
{
    return rig_memory_surface(640, 360, 0);
}

static HelixSurface *nv12(void)
{
    return rig_nv12_surface(WIDTH, HEIGHT);
}

static HelixSurface *io(void)
{
    return rig_io_surface(WIDTH, HEIGHT, 0);
}

/* CoreVideo and pixel transfer fail. */
TEST("/input-fails", test_input_fails)
{
    static const InputFailure failures[] = {
        { memory, { .wrap_bytes = kCVReturnInvalidArgument }, HELIX_CODE_ENCODE },
        { nv12, { .wrap_bytes = kCVReturnInvalidArgument }, HELIX_CODE_ENCODE },
        { io, { .wrap_iosurface = kCVReturnInvalidArgument }, HELIX_CODE_NO_IOSURFACE },
        { io, { .wrap_iosurface = kCVReturnAllocationFailed }, HELIX_CODE_ENCODE },
        { other_size, { .pool = kCVReturnAllocationFailed }, HELIX_CODE_ENCODE },
        { other_size, { .pool_buffer = kCVReturnAllocationFailed }, HELIX_CODE_ENCODE },
        { short_of_a_column, { .lock = kCVReturnInvalidArgument }, HELIX_CODE_ENCODE },
        { other_size, { .transfer_create = kVTAllocationFailedErr }, HELIX_CODE_ENCODE },
    };
    g_autoptr(HelixEncoder) encoder = rig_open(rig_config(WIDTH, HEIGHT));

    for (guint i = 0; i < G_N_ELEMENTS(failures); i++) {
        HelixAccessUnit unit;
        GError *error = NULL;

        double_vt = failures[i].orders;
        g_assert_false(rig_encode(encoder, failures[i].surface(), FALSE, &unit, &error));
        g_assert_error(error, HELIX_ERROR, failures[i].code);
        g_clear_error(&error);
        g_assert_cmpint(rig_live_surfaces(), ==, 0);
    }
    double_vt = (DoubleVtOrders){ .transfer = kVTParameterErr };
    for (guint i = 0; i < 2; i++) {
        HelixAccessUnit unit;
        GError *error = NULL;

        g_assert_false(rig_encode(encoder, rig_memory_surface(640, 360, 0), FALSE, &unit, &error));
        g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
        g_clear_error(&error);
    }
    double_vt = (DoubleVtOrders){ 0 };
}
