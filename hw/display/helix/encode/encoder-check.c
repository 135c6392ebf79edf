/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encoder-check.c - see encoder-check.h. */
#include <string.h>

#include <libavcodec/avcodec.h>

#include "encoder-check.h"
#include "../protocol/error.h"

/* No multiple of 16 high, so that cropping is seen; larger than what any hardware has as its least size. */
#define WIDTH 640u
#define HEIGHT 360u
#define PICTURES 4u
#define BITRATE 8000000u
/* The mean of squared differences of luma that passes: 34 dB. Something else gives 1000 and more. */
#define MAX_ERROR 26.0

static gboolean G_GNUC_PRINTF(2, 3) fault(GError **error, const char *format, ...)
{
    va_list args;
    g_autofree char *what = NULL;

    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER, "its test pictures failed: %s", what);
    return FALSE;
}

/* Ramps with a bar that moves, not symmetrical in any way. */
static guint8 luma(guint x, guint y, guint n)
{
    return x / 16 == 5 + 3 * n ? 220 : (guint8)(32 + (x + 2 * y) * 128 / (WIDTH + 2 * HEIGHT));
}

static void paint(HelixSurface *surface, guint n)
{
    for (guint y = 0; y < HEIGHT; y++) {
        guint8 *row = surface->data + surface->offset[0] + (gsize)y * surface->stride[0];

        for (guint x = 0; x < WIDTH; x++) {
            row[x] = luma(x, y, n);
        }
    }
    for (guint y = 0; y < HEIGHT / 2; y++) {
        guint8 *row = surface->data + surface->offset[1] + (gsize)y * surface->stride[1];

        for (guint x = 0; x < WIDTH; x++) {
            row[x] = x % 2 ? 150 : 100;
        }
    }
}

static gboolean compare(const AVFrame *frame, guint n, GError **error)
{
    double sum = 0;

    if (frame->width != (int)WIDTH || frame->height != (int)HEIGHT) {
        return fault(error, "%d x %d came of %u x %u", frame->width, frame->height, WIDTH, HEIGHT);
    }
    for (guint y = 0; y < HEIGHT; y++) {
        const guint8 *row = frame->data[0] + (gssize)y * frame->linesize[0];

        for (guint x = 0; x < WIDTH; x++) {
            int difference = row[x] - luma(x, y, n);

            sum += difference * difference;
        }
    }
    sum /= WIDTH * HEIGHT;
    return sum <= MAX_ERROR ? TRUE : fault(error, "picture %u differs by %.0f (mean square)", n, sum);
}

/* Feed @unit and compare what comes. */
static gboolean decode(AVCodecContext *decoder, GBytes *unit, guint n, GError **error)
{
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    gsize size;
    gconstpointer data = g_bytes_get_data(unit, &size);
    gboolean same = FALSE;
    int result = AVERROR(ENOMEM);

    if (packet && frame && av_new_packet(packet, (int)size) >= 0) {
        memcpy(packet->data, data, size);
        result = avcodec_send_packet(decoder, packet);
    }
    if (result >= 0) {
        result = avcodec_receive_frame(decoder, frame);
    }
    if (result < 0) {
        fault(error, "picture %u does not come out of a decoder at once: %s", n, av_err2str(result));
    } else {
        same = compare(frame, n, error);
    }
    av_frame_free(&frame);
    av_packet_free(&packet);
    return same;
}

static gboolean check_picture(HelixEncoder *encoder, AVCodecContext *decoder, guint n, GError **error)
{
    HelixSurfacePool *pool = helix_surface_pool_new(0);
    HelixSurface *surface = helix_surface_pool_take(pool, HELIX_FORMAT_NV12, WIDTH, HEIGHT, error);
    HelixAccessUnit unit = { .pts_ns = (gint64)n * 33333333 };
    g_autoptr(GError) cause = NULL;
    gboolean good = FALSE;

    if (surface) {
        paint(surface, n);
        helix_surface_clear_edges(surface, 0, 0, HEIGHT);
        helix_surface_clear_edges(surface, 1, 0, HEIGHT / 2);
        good = encoder->klass->encode(encoder, surface, n == PICTURES - 1, &unit, &cause);
        if (!good) {
            fault(error, "%s", cause->message);
        }
    }
    if (good && !unit.data) {
        good = fault(error, "picture %u was dropped", n);
    } else if (good && (n == 0 || n == PICTURES - 1) != (unit.keyframe != FALSE)) {
        good = fault(error, "picture %u is %s IDR", n, unit.keyframe ? "an" : "no");
    } else if (good) {
        good = decode(decoder, unit.data, n, error);
    }
    g_clear_pointer(&unit.data, g_bytes_unref);
    g_clear_pointer(&surface, helix_surface_unref);
    helix_surface_pool_unref(pool);
    return good;
}

static AVCodecContext *open_decoder(GError **error)
{
    const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_H264);
    AVCodecContext *decoder = codec ? avcodec_alloc_context3(codec) : NULL;

    if (decoder) {
        decoder->thread_count = 1;
        if (avcodec_open2(decoder, codec, NULL) >= 0) {
            return decoder;
        }
    }
    avcodec_free_context(&decoder);
    fault(error, "libavcodec has no H.264 decoder to look at them");
    return NULL;
}

gboolean helix_encoder_check(const HelixEncoderClass *klass, gboolean hardware_only, GError **error)
{
    HelixEncoderConfig config = { .width = WIDTH, .height = HEIGHT, .bitrate = BITRATE, .fps_num = 30, .fps_den = 1 };
    AVCodecContext *decoder;
    HelixEncoder *encoder;
    gboolean good;

    if (!helix_encoder_config_complete(&config, error)) {
        return FALSE;
    }
    encoder = klass->open(&config, hardware_only, error);
    if (!encoder) {
        return FALSE;
    }
    decoder = open_decoder(error);
    good = decoder != NULL;
    for (guint n = 0; n < PICTURES && good; n++) {
        good = check_picture(encoder, decoder, n, error);
    }
    avcodec_free_context(&decoder);
    klass->close(encoder);
    return good;
}
