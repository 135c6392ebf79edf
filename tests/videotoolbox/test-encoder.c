/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-encoder.c - the VideoToolbox encoder, against the doubles, or against the frameworks themselves on a Mac.
 *
 * Tests that order failures need the doubles; what any encoder must do (streams that decode to the pictures that went in)
 * runs on both.
 */
#include <string.h>

#include <libavcodec/avcodec.h>

#include "core/encoder-videotoolbox.h"
#include "core/error.h"
#include "core/h264.h"
#include "streams.h"
#ifndef __APPLE__
#include "doubles.h"
#endif

#define WIDTH   320u
#define HEIGHT  192u
#define GOOD_DB 28.0

static gint live_surfaces;

static void surface_destroy(HelixSurface *surface)
{
    if (surface->kind == HELIX_SURFACE_IOSURFACE) {
        CFRelease(surface->native);
    }
    g_free(surface->data);
    g_free(surface);
    g_atomic_int_add(&live_surfaces, -1);
}

static HelixSurface *surface_new(HelixSurfaceKind kind, guint width, guint height, guint32 fourcc)
{
    HelixSurface *surface = g_new0(HelixSurface, 1);

    g_atomic_ref_count_init(&surface->refs);
    g_atomic_int_inc(&live_surfaces);
    surface->kind = kind;
    surface->width = width;
    surface->height = height;
    surface->fourcc = fourcc;
    surface->n_planes = fourcc == HELIX_FORMAT_NV12 ? 2 : 1;
    surface->fd = -1;
    surface->destroy = surface_destroy;
    return surface;
}

static HelixSurface *memory_surface(guint width, guint height, guint index)
{
    HelixSurface *surface = surface_new(HELIX_SURFACE_MEMORY, width, height, HELIX_FORMAT_AR24);

    surface->stride[0] = width * 4 + 32;
    surface->size = (gsize)surface->stride[0] * height;
    surface->data = g_malloc(surface->size);
    stream_draw_bgra(surface->data, surface->stride[0], width, height, index);
    return surface;
}

static HelixSurface *nv12_surface(guint width, guint height)
{
    HelixSurface *surface = surface_new(HELIX_SURFACE_MEMORY, width, height, HELIX_FORMAT_NV12);
    guint rows = (height + 1) & ~1u;

    surface->stride[0] = surface->stride[1] = (width + 1) & ~1u;
    surface->offset[1] = (gsize)surface->stride[0] * rows;
    surface->size = surface->offset[1] + (gsize)surface->stride[0] * rows / 2;
    surface->data = g_malloc(surface->size);
    for (guint y = 0; y < rows; y++) {
        memset(surface->data + (gsize)y * surface->stride[0], (int)(30 + y * 180 / rows), surface->stride[0]);
    }
    memset(surface->data + surface->offset[1], 128, surface->size - surface->offset[1]);
    return surface;
}

static CFNumberRef number(gint32 value)
{
    return CFNumberCreate(kCFAllocatorDefault, kCFNumberSInt32Type, &value);
}

static IOSurfaceRef iosurface_new(guint width, guint height)
{
    const void *keys[] = { kIOSurfaceWidth, kIOSurfaceHeight, kIOSurfaceBytesPerElement, kIOSurfacePixelFormat };
    const void *values[] = { number((gint32)width), number((gint32)height), number(4), number(kCVPixelFormatType_32BGRA) };
    CFDictionaryRef properties = CFDictionaryCreate(kCFAllocatorDefault, keys, values, 4, &kCFTypeDictionaryKeyCallBacks,
                                                    &kCFTypeDictionaryValueCallBacks);
    IOSurfaceRef surface = IOSurfaceCreate(properties);

    for (guint i = 0; i < 4; i++) {
        CFRelease(values[i]);
    }
    CFRelease(properties);
    g_assert_nonnull(surface);
    return surface;
}

static HelixSurface *io_surface(guint width, guint height, guint index)
{
    HelixSurface *surface = surface_new(HELIX_SURFACE_IOSURFACE, width, height, HELIX_FORMAT_AR24);
    IOSurfaceRef io = iosurface_new(width, height);

    IOSurfaceLock(io, 0, NULL);
    stream_draw_bgra(IOSurfaceGetBaseAddress(io), IOSurfaceGetBytesPerRow(io), width, height, index);
    IOSurfaceUnlock(io, 0, NULL);
    surface->native = io;
    surface->path = HELIX_HOST_PATH_IOSURFACE;
    return surface;
}

static HelixEncoderConfig config_of(guint width, guint height)
{
    return (HelixEncoderConfig) { .width = width, .height = height, .bitrate = 4000000, .fps_num = 60, .fps_den = 1,
                                  .profile = 100, .realtime = TRUE };
}

static HelixEncoder *open_encoder(HelixEncoderConfig config)
{
    GError *error = NULL;
    HelixEncoder *encoder = helix_encoder_videotoolbox.open(&config, &error);

    g_assert_no_error(error);
    g_assert_nonnull(encoder);
    return encoder;
}

/* Encode and give the surface back. */
static gboolean encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force, HelixAccessUnit *unit, GError **error)
{
    gboolean ok;

    *unit = (HelixAccessUnit) { 0 };
    ok = helix_encoder_videotoolbox.encode(encoder, surface, force, unit, error);
    helix_surface_unref(surface);
    g_assert_true(!ok || unit->dropped == !unit->data);
    return ok;
}

static HelixAccessUnit must_encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force)
{
    HelixAccessUnit unit;
    GError *error = NULL;

    encode(encoder, surface, force, &unit, &error);
    g_assert_no_error(error);
    return unit;
}

static void close_encoder(HelixEncoder *encoder)
{
    helix_encoder_videotoolbox.close(encoder);
#ifndef __APPLE__
    char *kinds = NULL;
    guint live = double_live_objects(&kinds);

    if (live) {
        g_error("%u objects leaked:\n%s", live, kinds);
    }
    g_free(kinds);
    g_assert_cmpuint(double_vt_seen.not_invalidated, ==, 0);
    g_assert_cmpuint(double_vt_seen.sessions, ==, double_vt_seen.invalidated);
    g_assert_cmpuint(double_vt_seen.max_in_flight, <=, 1);
    g_assert_cmpuint(double_vt_seen.stamps_not_increasing, ==, 0);
    g_assert_cmpuint(double_vt_seen.colour_missing, ==, 0);
    g_assert_cmpuint(double_vt_seen.wrong_size, ==, 0);
    double_vt_reset();
#endif
    g_assert_cmpint(g_atomic_int_get(&live_surfaces), ==, 0);
}

/* The picture comes out at once and looks like what went in. */
static void check_picture(AVCodecContext *decoder, GBytes *unit, guint width, guint height, guint index)
{
    g_autofree guint8 *pixels = g_malloc((gsize)width * height * 4);
    AVFrame *frame = stream_decode(decoder, unit);

    g_assert_nonnull(frame);
    g_assert_cmpint(frame->width, ==, width);
    g_assert_cmpint(frame->height, ==, height);
    g_assert_cmpint(frame->colorspace, ==, AVCOL_SPC_BT709);
    g_assert_cmpint(frame->color_primaries, ==, AVCOL_PRI_BT709);
    g_assert_cmpint(frame->color_trc, ==, AVCOL_TRC_BT709);
    stream_draw_bgra(pixels, (gsize)width * 4, width, height, index);
    g_assert_cmpfloat(stream_psnr(frame, pixels, (gsize)width * 4), >, GOOD_DB);
    av_frame_free(&frame);
}

static void check_idr(const HelixAccessUnit *unit, gboolean aud)
{
    gsize len;
    const guint8 *data = g_bytes_get_data(unit->data, &len);
    g_autoptr(GArray) nals = stream_nals(data, len);
    guint i = 0;
    HelixSps sps;

    g_assert_true(unit->keyframe);
    if (aud) {
        g_assert_cmpuint(g_array_index(nals, StreamNal, i++).data[0] & 31, ==, 9);
    }
    g_assert_cmpuint(g_array_index(nals, StreamNal, i).data[0] & 31, ==, 7);
    g_assert_true(helix_h264_parse_sps(g_array_index(nals, StreamNal, i).data, g_array_index(nals, StreamNal, i).len, &sps));
    g_assert_true(sps.bitstream_restriction);
    g_assert_cmpuint(sps.max_num_reorder_frames, ==, 0);
    g_assert_cmpuint(g_array_index(nals, StreamNal, i + 1).data[0] & 31, ==, 8);
    g_assert_cmpuint(g_array_index(nals, StreamNal, nals->len - 1).data[0] & 31, ==, 5);
}

/* ---- what any encoder must do ---- */

static void test_memory(void)
{
    HelixEncoderConfig config = config_of(WIDTH, HEIGHT);
    HelixEncoder *encoder = open_encoder(config);
    AVCodecContext *decoder = stream_decoder_new();

    for (guint i = 0; i < 12; i++) {
        HelixAccessUnit unit = must_encode(encoder, memory_surface(WIDTH, HEIGHT, i), i == 7);

        g_assert_true(unit.keyframe == (i == 0 || i == 7));
        if (unit.keyframe) {
            check_idr(&unit, FALSE);
        }
        g_assert_cmpuint(unit.cpu_bytes, >=, WIDTH * HEIGHT * 4);
        g_assert_cmpint(unit.submitted_ns, >, 0);
        check_picture(decoder, unit.data, WIDTH, HEIGHT, i);
        g_bytes_unref(unit.data);
    }
    g_test_message("session in hardware: %s, low latency: %s", helix_videotoolbox_info(encoder).hardware ? "yes" : "no",
                   helix_videotoolbox_info(encoder).low_latency ? "yes" : "no");
    avcodec_free_context(&decoder);
    close_encoder(encoder);
}

static void test_iosurface(void)
{
    HelixEncoderConfig config = config_of(WIDTH, HEIGHT);
    HelixEncoder *encoder;
    AVCodecContext *decoder = stream_decoder_new();

    config.aud = 1;
    encoder = open_encoder(config);
    for (guint i = 0; i < 6; i++) {
        HelixAccessUnit unit = must_encode(encoder, io_surface(WIDTH, HEIGHT, i), FALSE);

        if (i == 0) {
            check_idr(&unit, TRUE);
        }
        g_assert_cmpuint(unit.cpu_bytes, ==, 0);
        check_picture(decoder, unit.data, WIDTH, HEIGHT, i);
        g_bytes_unref(unit.data);
    }
    avcodec_free_context(&decoder);
    close_encoder(encoder);
}

/* Pictures of other sizes than the coded one: scaled, or their edges repeated. */
static void test_sizes(void)
{
    static const guint sizes[][2] = { { 640, 384 }, { 200, 120 }, { WIDTH - 1, HEIGHT }, { WIDTH, HEIGHT - 1 },
                                      { WIDTH - 1, HEIGHT - 1 } };
    HelixEncoder *encoder = open_encoder(config_of(WIDTH, HEIGHT));
    AVCodecContext *decoder = stream_decoder_new();

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        HelixAccessUnit unit = must_encode(encoder, memory_surface(sizes[i][0], sizes[i][1], 3), FALSE);

        check_picture(decoder, unit.data, WIDTH, HEIGHT, 3);
        g_bytes_unref(unit.data);
        unit = must_encode(encoder, io_surface(sizes[i][0], sizes[i][1], 3), FALSE);
        g_assert_cmpuint(unit.cpu_bytes, ==, 0);
        check_picture(decoder, unit.data, WIDTH, HEIGHT, 3);
        g_bytes_unref(unit.data);
    }
    avcodec_free_context(&decoder);
    close_encoder(encoder);
}

static void test_formats(void)
{
    HelixEncoder *encoder = open_encoder(config_of(WIDTH, HEIGHT));
    AVCodecContext *decoder = stream_decoder_new();
    static const guint heights[] = { HEIGHT, HEIGHT - 1, HEIGHT / 2 };
    HelixSurface *surface = memory_surface(WIDTH, HEIGHT, 5);
    HelixAccessUnit unit;

    for (guint y = 0; y < HEIGHT; y++) {
        for (guint x = 0; x < WIDTH; x++) {
            guint8 *pixel = surface->data + (gsize)y * surface->stride[0] + x * 4, blue = pixel[0];

            pixel[0] = pixel[2];
            pixel[2] = blue;
        }
    }
    surface->fourcc = HELIX_FORMAT_XB24;
    unit = must_encode(encoder, surface, FALSE);
    check_picture(decoder, unit.data, WIDTH, HEIGHT, 5);
    g_bytes_unref(unit.data);
    unit = must_encode(encoder, memory_surface(WIDTH * 2, HEIGHT * 2, 5), FALSE);       /* scaled before another format is */
    check_picture(decoder, unit.data, WIDTH, HEIGHT, 5);
    g_bytes_unref(unit.data);
    for (guint i = 0; i < G_N_ELEMENTS(heights); i++) {
        AVFrame *frame;

        unit = must_encode(encoder, nv12_surface(i == 1 ? WIDTH - 1 : WIDTH, heights[i]), FALSE);
        frame = stream_decode(decoder, unit.data);
        g_assert_nonnull(frame);
        g_assert_cmpint(ABS(frame->data[0][frame->linesize[0] * 2 + 9] - 31), <, 8);
        g_assert_cmpint(ABS(frame->data[0][frame->linesize[0] * (HEIGHT - 3) + 9] - 207), <, 8);
        g_assert_cmpint(ABS(frame->data[1][40] - 128), <, 8);
        av_frame_free(&frame);
        g_bytes_unref(unit.data);
    }
    avcodec_free_context(&decoder);
    close_encoder(encoder);
}

static void test_geometry(void)
{
    HelixEncoder *encoder = open_encoder(config_of(WIDTH, HEIGHT));

    for (guint i = 0; i < 4; i++) {
        HelixSurface *surface = i < 3 ? memory_surface(WIDTH, HEIGHT, 0) : nv12_surface(WIDTH, HEIGHT);
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
        g_assert_false(encode(encoder, surface, FALSE, &unit, &error));
        g_assert_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY);
        g_clear_error(&error);
    }
    close_encoder(encoder);
}

static void test_profiles(void)
{
    static const guint8 profiles[] = { 66, 77, 100 };

    for (guint i = 0; i < G_N_ELEMENTS(profiles); i++) {
        HelixEncoderConfig config = config_of(WIDTH, HEIGHT);
        AVCodecContext *decoder = stream_decoder_new();
        HelixEncoder *encoder;
        HelixAccessUnit unit;

        config.profile = profiles[i];
        encoder = open_encoder(config);
        g_assert_true(profiles[i] == 100 || !helix_videotoolbox_info(encoder).low_latency);
        unit = must_encode(encoder, memory_surface(WIDTH, HEIGHT, 1), FALSE);
        check_picture(decoder, unit.data, WIDTH, HEIGHT, 1);
        g_bytes_unref(unit.data);
        avcodec_free_context(&decoder);
        close_encoder(encoder);
    }
}

/* Bit rate and frame rate change within a session; size and profile do not. */
static void test_reconfigure(void)
{
    HelixEncoderConfig config = config_of(WIDTH, HEIGHT), next;
    HelixEncoder *encoder;
    AVCodecContext *decoder = stream_decoder_new();
    GError *error = NULL;

    config.max_bitrate = 9000000;
    config.level = 40;
    next = config;
    encoder = helix_encoder_videotoolbox.open(&next, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(next.max_bitrate, ==, 0);          /* what is not done is not promised */
    g_assert_cmpuint(next.level, ==, 0);
    g_assert_cmpuint(next.rate_control, ==, HELIX_RATE_VBR);
    for (guint i = 0; i < 6; i++) {
        HelixAccessUnit unit = must_encode(encoder, memory_surface(WIDTH, HEIGHT, i), FALSE);

        g_assert_true(unit.keyframe == (i == 0));
        check_picture(decoder, unit.data, WIDTH, HEIGHT, i);
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
    close_encoder(encoder);
}

#ifndef __APPLE__
/* ---- failures, on order ---- */

static void test_properties(void)
{
    HelixEncoder *encoder = open_encoder(config_of(WIDTH, HEIGHT));
    char *text = NULL;
    double value = -1;

    g_assert_true(double_vt_property("kVTCompressionPropertyKey_RealTime", &value, NULL));
    g_assert_cmpfloat(value, ==, 1);
    g_assert_true(double_vt_property("kVTCompressionPropertyKey_AllowFrameReordering", &value, NULL));
    g_assert_cmpfloat(value, ==, 0);
    g_assert_true(double_vt_property("kVTCompressionPropertyKey_PrioritizeEncodingSpeedOverQuality", &value, NULL));
    g_assert_cmpfloat(value, ==, 1);
    g_assert_true(double_vt_property("kVTCompressionPropertyKey_AverageBitRate", &value, NULL));
    g_assert_cmpfloat(value, ==, 4000000);
    g_assert_true(double_vt_property("kVTCompressionPropertyKey_ExpectedFrameRate", &value, NULL));
    g_assert_cmpfloat(value, ==, 60);
    g_assert_true(double_vt_property("kVTCompressionPropertyKey_MaxKeyFrameInterval", &value, NULL));
    g_assert_cmpfloat(value, >, 1e9);
    g_assert_true(double_vt_property("kVTCompressionPropertyKey_ProfileLevel", NULL, &text));
    g_assert_cmpstr(text, ==, "kVTProfileLevel_H264_High_AutoLevel");
    g_clear_pointer(&text, g_free);
    g_assert_true(double_vt_property("kVTCompressionPropertyKey_YCbCrMatrix", NULL, &text));
    g_assert_cmpstr(text, ==, "kCVImageBufferYCbCrMatrix_ITU_R_709_2");
    g_clear_pointer(&text, g_free);
    /* These two do harm. */
    g_assert_false(double_vt_property("kVTCompressionPropertyKey_DataRateLimits", NULL, NULL));
    g_assert_false(double_vt_property("kVTCompressionPropertyKey_ReferenceBufferCount", NULL, NULL));
    close_encoder(encoder);
}

static void check_ladder(gboolean low_latency, gboolean hardware)
{
    HelixEncoder *encoder = open_encoder(config_of(WIDTH, HEIGHT));
    HelixVideoToolboxInfo info = helix_videotoolbox_info(encoder);
    HelixAccessUnit unit;

    g_assert_true(info.low_latency == low_latency);
    g_assert_true(info.hardware == hardware);
    unit = must_encode(encoder, memory_surface(WIDTH, HEIGHT, 1), FALSE);
    check_idr(&unit, FALSE);
    g_bytes_unref(unit.data);
    close_encoder(encoder);
}

static void check_no_encoder(HelixEncoderConfig config, const char *part)
{
    GError *error = NULL;

    g_assert_null(helix_encoder_videotoolbox.open(&config, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER);
    g_assert_nonnull(strstr(error->message, part));
    g_error_free(error);
}

static void test_ladder(void)
{
    HelixEncoderConfig large = config_of(5120, 2880);

    check_ladder(TRUE, TRUE);
    double_vt.create_low_latency = kVTCouldNotFindVideoEncoderErr;
    check_ladder(FALSE, TRUE);
    double_vt.no_hardware = TRUE;
    check_ladder(FALSE, FALSE);
    double_vt.prepare = kVTAllocationFailedErr;
    check_no_encoder(config_of(WIDTH, HEIGHT), "software (-12904)");
    double_vt_reset();
    double_vt.no_hardware = TRUE;
    helix_videotoolbox_allow_software(FALSE);
    check_no_encoder(config_of(WIDTH, HEIGHT), "hardware (-12908)");
    helix_videotoolbox_allow_software(TRUE);
    double_vt_reset();
    check_no_encoder(large, "set a smaller coded size");
    double_vt_reset();
}

/* Which properties an encoder can do without. */
static void test_refused(void)
{
    static const char *const optional[] = {
        "kVTCompressionPropertyKey_RealTime", "kVTCompressionPropertyKey_PrioritizeEncodingSpeedOverQuality",
        "kVTCompressionPropertyKey_MaxFrameDelayCount", "kVTCompressionPropertyKey_MaxKeyFrameInterval",
        "kVTCompressionPropertyKey_ColorPrimaries", "kVTCompressionPropertyKey_TransferFunction",
        "kVTCompressionPropertyKey_YCbCrMatrix", "kVTCompressionPropertyKey_ProfileLevel",
    };
    static const char *const needed[] = {
        "kVTCompressionPropertyKey_AllowFrameReordering", "kVTCompressionPropertyKey_AverageBitRate",
    };
    HelixEncoderConfig config = config_of(WIDTH, HEIGHT);

    for (guint i = 0; i < G_N_ELEMENTS(optional); i++) {
        HelixEncoder *encoder;
        HelixAccessUnit unit;

        double_vt.refuse_property[0] = optional[i];
        encoder = open_encoder(config);
        g_assert_cmpuint(helix_videotoolbox_info(encoder).refused_properties, ==, 1);
        unit = must_encode(encoder, memory_surface(WIDTH, HEIGHT, 1), FALSE);
        check_idr(&unit, FALSE);
        g_bytes_unref(unit.data);
        close_encoder(encoder);
    }
    for (guint i = 0; i < G_N_ELEMENTS(needed); i++) {
        double_vt.refuse_property[0] = needed[i];
        check_no_encoder(config, "(-12900)");
        double_vt_reset();
    }
    double_vt.refuse_property[0] = "kVTCompressionPropertyKey_ProfileLevel";
    config.profile = 77;                                /* asked for by name, so not to be had without */
    check_no_encoder(config, "profile 77");
    double_vt_reset();
    double_vt.refuse_property[0] = "kVTCompressionPropertyKey_UsingHardwareAcceleratedVideoEncoder";
    check_ladder(TRUE, FALSE);
}

static void test_reconfigure_refused(void)
{
    HelixEncoderConfig config = config_of(WIDTH, HEIGHT);
    HelixEncoder *encoder = open_encoder(config);
    GError *error = NULL;
    HelixAccessUnit unit;

    double_vt.refuse_property[0] = "kVTCompressionPropertyKey_AverageBitRate";
    config.bitrate /= 2;
    g_assert_false(helix_encoder_videotoolbox.reconfigure(encoder, &config, &error));
    g_assert_no_error(error);
    double_vt.refuse_property[0] = NULL;
    /* A session that is gone is replaced with the next frame, by the new values. */
    double_vt.die = TRUE;
    config.bitrate /= 2;
    g_assert_true(helix_encoder_videotoolbox.reconfigure(encoder, &config, &error));
    config.bitrate /= 2;
    g_assert_true(helix_encoder_videotoolbox.reconfigure(encoder, &config, &error));
    g_assert_cmpuint(helix_videotoolbox_info(encoder).hardware, ==, FALSE);
    unit = must_encode(encoder, memory_surface(WIDTH, HEIGHT, 1), FALSE);
    check_idr(&unit, FALSE);
    g_bytes_unref(unit.data);
    g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, 2);
    close_encoder(encoder);
}

/* A session lost in any way: a new one, an IDR, and no frame missing. */
static void test_lost(void)
{
    static const OSStatus reasons[] = { kVTInvalidSessionErr, kVTVideoEncoderMalfunctionErr, kVTSessionMalfunctionErr,
                                        kVTVideoEncoderNotAvailableNowErr };
    HelixEncoder *encoder = open_encoder(config_of(WIDTH, HEIGHT));
    AVCodecContext *decoder = stream_decoder_new();
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
            unit = must_encode(encoder, memory_surface(WIDTH, HEIGHT, index), FALSE);
            if (k == 1) {
                g_test_assert_expected_messages();
                check_idr(&unit, FALSE);
            }
            check_picture(decoder, unit.data, WIDTH, HEIGHT, index++);
            g_bytes_unref(unit.data);
        }
    }
    g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, sessions);
    avcodec_free_context(&decoder);
    close_encoder(encoder);
}

/* Lost again at once, or no new one to be had: an error, and the next frame tries again. */
static void test_lost_for_good(void)
{
    HelixEncoder *encoder = open_encoder(config_of(WIDTH, HEIGHT));
    HelixAccessUnit unit;
    GError *error = NULL;

    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*new session*");
    double_vt.encode_now = kVTInvalidSessionErr;
    double_vt.encode_later = kVTVideoEncoderMalfunctionErr;
    g_assert_false(encode(encoder, memory_surface(WIDTH, HEIGHT, 1), FALSE, &unit, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
    g_clear_error(&error);
    g_test_assert_expected_messages();
    double_vt.create_low_latency = double_vt.create_hardware = double_vt.create_software = kVTVideoEncoderNotAvailableNowErr;
    g_assert_false(encode(encoder, memory_surface(WIDTH, HEIGHT, 1), FALSE, &unit, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER);
    g_clear_error(&error);
    double_vt.create_low_latency = double_vt.create_hardware = double_vt.create_software = 0;
    unit = must_encode(encoder, memory_surface(WIDTH, HEIGHT, 1), FALSE);
    check_idr(&unit, FALSE);
    g_bytes_unref(unit.data);
    /* Any other failure is the frame's own. */
    double_vt.encode_now = kVTParameterErr;
    g_assert_false(encode(encoder, memory_surface(WIDTH, HEIGHT, 1), FALSE, &unit, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
    g_clear_error(&error);
    g_assert_cmpuint(helix_videotoolbox_info(encoder).sessions, ==, 3);
    close_encoder(encoder);
}

/* A dropped frame is no error, and does not swallow the IDR that was asked for. */
static void test_dropped(void)
{
    for (guint how = 0; how < 3; how++) {
        HelixEncoder *encoder = open_encoder(config_of(WIDTH, HEIGHT));
        AVCodecContext *decoder = stream_decoder_new();

        for (guint i = 0; i < 9; i++) {
            gboolean drop = i == 3 || i == 6;
            HelixAccessUnit unit;

            double_vt.drop = drop && how < 2;
            double_vt.drop_silently = how == 1;
            double_vt.drop_at_once = drop && how == 2;
            unit = must_encode(encoder, memory_surface(WIDTH, HEIGHT, i), i == 6);
            g_assert_true(unit.dropped == drop);
            if (!drop) {
                g_assert_true(unit.keyframe == (i == 0 || i == 7));
                check_picture(decoder, unit.data, WIDTH, HEIGHT, i);
                g_bytes_unref(unit.data);
            }
        }
        avcodec_free_context(&decoder);
        close_encoder(encoder);
    }
}

/* An encoder that sits on a frame until told to give it out; one that never answers; answers for frames of the past. */
static void test_slow(void)
{
    HelixEncoder *encoder = open_encoder(config_of(WIDTH, HEIGHT));
    AVCodecContext *decoder = stream_decoder_new();
    HelixAccessUnit unit;

    double_vt.hold = 1;
    unit = must_encode(encoder, memory_surface(WIDTH, HEIGHT, 0), FALSE);
    check_picture(decoder, unit.data, WIDTH, HEIGHT, 0);
    g_bytes_unref(unit.data);
    g_assert_cmpuint(double_vt_seen.completes, ==, 1);
    double_vt.hold = 0;
    double_vt.late_callbacks = 2;
    double_vt.delay_us = 2000;
    for (guint i = 1; i < 5; i++) {
        unit = must_encode(encoder, memory_surface(WIDTH, HEIGHT, i), FALSE);
        check_picture(decoder, unit.data, WIDTH, HEIGHT, i);
        g_bytes_unref(unit.data);
    }
    double_vt.late_callbacks = 0;
    double_vt.swallow = 1;
    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*new session*");
    unit = must_encode(encoder, memory_surface(WIDTH, HEIGHT, 6), FALSE);
    g_test_assert_expected_messages();
    check_idr(&unit, FALSE);
    g_bytes_unref(unit.data);
    avcodec_free_context(&decoder);
    close_encoder(encoder);
}

/* Told to make an IDR and did not. */
static void test_force_ignored(void)
{
    HelixEncoder *encoder = open_encoder(config_of(WIDTH, HEIGHT));
    HelixAccessUnit unit = must_encode(encoder, memory_surface(WIDTH, HEIGHT, 0), FALSE);

    g_bytes_unref(unit.data);
    double_vt.ignore_force = TRUE;
    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*no IDR*new session*");
    unit = must_encode(encoder, memory_surface(WIDTH, HEIGHT, 1), TRUE);
    g_test_assert_expected_messages();
    check_idr(&unit, FALSE);
    g_bytes_unref(unit.data);
    close_encoder(encoder);
}

/* Samples in every shape they come in. */
static void test_samples(void)
{
    static const guint length_sizes[] = { 4, 2, 1, 4, 4, 4 };

    for (guint i = 0; i < G_N_ELEMENTS(length_sizes); i++) {
        guint side = length_sizes[i] == 1 ? 32 : 192;
        HelixEncoderConfig config = config_of(side, side);
        AVCodecContext *decoder = stream_decoder_new();
        HelixEncoder *encoder;

        config.bitrate = length_sizes[i] == 1 ? 20000 : 2000000;
        double_vt.length_size = length_sizes[i];
        double_vt.block_pieces = i + 1;
        double_vt.no_attachments = i == 3;
        double_vt.count_fails = i == 4;
        double_vt.keep_vui = i == 5;
        encoder = open_encoder(config);
        for (guint k = 0; k < 3; k++) {
            HelixSurface *surface = memory_surface(side, side, length_sizes[i] == 1 ? 0 : k);
            HelixAccessUnit unit;
            AVFrame *frame;

            if (length_sizes[i] == 1) {
                memset(surface->data, 90, surface->size);
            }
            unit = must_encode(encoder, surface, FALSE);
            g_assert_true(unit.keyframe == (k == 0));
            frame = stream_decode(decoder, unit.data);
            g_assert_nonnull(frame);
            av_frame_free(&frame);
            g_bytes_unref(unit.data);
        }
        avcodec_free_context(&decoder);
        close_encoder(encoder);
    }
}

static void test_bad_samples(void)
{
    for (guint i = 0; i < 8; i++) {
        HelixEncoder *encoder = open_encoder(config_of(WIDTH, HEIGHT));
        HelixAccessUnit unit;
        GError *error = NULL;

        double_vt.no_format = i == 0;
        double_vt.no_data = i == 1;
        double_vt.bad_sps = i == 2;
        double_vt.truncated = i == 3;
        double_vt.unreadable_block = i == 4;
        double_vt.sets_fail = i == 5;
        double_vt.huge = i == 6;
        double_vt.length_size = i == 7 ? 3 : 0;
        g_assert_false(encode(encoder, memory_surface(WIDTH, HEIGHT, 1), FALSE, &unit, &error));
        g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
        g_clear_error(&error);
        close_encoder(encoder);
    }
}

/* CoreVideo and pixel transfer fail. */
static void test_input_fails(void)
{
    HelixEncoder *encoder = open_encoder(config_of(WIDTH, HEIGHT));

    for (guint i = 0; i < 7; i++) {
        HelixSurface *surface = i == 0 ? memory_surface(WIDTH, HEIGHT, 0) : i == 1 ? io_surface(WIDTH, HEIGHT, 0) :
                                i == 4 ? memory_surface(WIDTH - 1, HEIGHT, 0) : i == 6 ? nv12_surface(WIDTH, HEIGHT) :
                                memory_surface(640, 360, 0);
        int code = i == 1 ? HELIX_CODE_NO_IOSURFACE : HELIX_CODE_ENCODE;
        HelixAccessUnit unit;
        GError *error = NULL;

        double_vt = (DoubleVtOrders) { 0 };
        double_vt.wrap_bytes = i == 0 || i == 6 ? kCVReturnInvalidArgument : 0;
        double_vt.wrap_iosurface = i == 1 ? kCVReturnInvalidArgument : 0;
        double_vt.pool = i == 2 ? kCVReturnAllocationFailed : 0;
        double_vt.pool_buffer = i == 3 ? kCVReturnAllocationFailed : 0;
        double_vt.lock = i == 4 ? kCVReturnInvalidArgument : 0;
        double_vt.transfer_create = i == 5 ? kVTAllocationFailedErr : 0;
        g_assert_false(encode(encoder, surface, FALSE, &unit, &error));
        g_assert_error(error, HELIX_ERROR, code);
        g_clear_error(&error);
        g_assert_cmpint(g_atomic_int_get(&live_surfaces), ==, 0);
    }
    double_vt = (DoubleVtOrders) { .transfer = kVTParameterErr };
    for (guint i = 0; i < 2; i++) {
        HelixAccessUnit unit;
        GError *error = NULL;

        g_assert_false(encode(encoder, memory_surface(640, 360, 0), FALSE, &unit, &error));
        g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
        g_clear_error(&error);
    }
    double_vt = (DoubleVtOrders) { 0 };
    close_encoder(encoder);
}

static void test_close_unused(void)
{
    HelixEncoderConfig config = config_of(WIDTH, HEIGHT);
    HelixEncoder *encoder = open_encoder(config);

    close_encoder(encoder);
    encoder = open_encoder(config);
    double_vt.die = TRUE;
    config.bitrate /= 2;
    g_assert_true(helix_encoder_videotoolbox.reconfigure(encoder, &config, NULL));
    close_encoder(encoder);     /* its session is gone already */
}
#endif

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    av_log_set_level(AV_LOG_ERROR);
    g_test_add_func("/memory", test_memory);
    g_test_add_func("/iosurface", test_iosurface);
    g_test_add_func("/sizes", test_sizes);
    g_test_add_func("/formats", test_formats);
    g_test_add_func("/geometry", test_geometry);
    g_test_add_func("/profiles", test_profiles);
    g_test_add_func("/reconfigure", test_reconfigure);
#ifndef __APPLE__
    g_test_add_func("/properties", test_properties);
    g_test_add_func("/ladder", test_ladder);
    g_test_add_func("/refused", test_refused);
    g_test_add_func("/reconfigure/refused", test_reconfigure_refused);
    g_test_add_func("/lost", test_lost);
    g_test_add_func("/lost/for-good", test_lost_for_good);
    g_test_add_func("/dropped", test_dropped);
    g_test_add_func("/slow", test_slow);
    g_test_add_func("/force-ignored", test_force_ignored);
    g_test_add_func("/samples", test_samples);
    g_test_add_func("/samples/bad", test_bad_samples);
    g_test_add_func("/input-fails", test_input_fails);
    g_test_add_func("/close-unused", test_close_unused);
#endif
    return g_test_run();
}
