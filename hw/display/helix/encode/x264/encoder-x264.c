/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encoder-x264.c - software encoding with x264, through libavcodec's "libx264". */
#include "rate.h"
#include "../convert.h"
#include "../letterbox.h"
#include "../../protocol/error.h"

typedef struct X264Encoder {
    HelixEncoder base;
    HelixEncoderConfig config; /* active */
    HelixConverter *converter; /* NULL: letterbox */
    HelixLetterbox *letterbox; /* NULL: converter */
    AVCodecContext *codec;
    AVFrame *frame;
    HelixX264Rate rate;
    gint64 pts; /* of the next picture: one a frame, in units of 1/fps */
} X264Encoder;

static void free_x264(X264Encoder *x264)
{
    av_frame_free(&x264->frame);
    avcodec_free_context(&x264->codec);
    helix_converter_free(x264->converter);
    helix_letterbox_free(x264->letterbox);
    g_free(x264);
}

static void x264_close(HelixEncoder *encoder)
{
    free_x264((X264Encoder *)encoder);
}

static const AVCodec *find_codec(GError **error)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");

    if (!codec) {
        g_set_error_literal(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
                            "libavcodec was built without libx264: install a build that has it");
    }
    return codec;
}

static gboolean x264_available(gboolean hardware_only, GError **error)
{
    if (hardware_only) {
        g_set_error_literal(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER, "it encodes in software, which is disabled");
        return FALSE;
    }
    return find_codec(error) != NULL;
}

static HelixEncoder *x264_open(HelixEncoderConfig *config, gboolean hardware_only, GError **error)
{
    const AVCodec *av_codec = find_codec(error);
    X264Encoder *x264;
    int result;

    if (!av_codec) {
        return NULL;
    }
    x264 = g_new0(X264Encoder, 1);
    x264->base.klass = &helix_encoder_x264;
    x264->config = *config;
    helix_x264_resolve(&x264->config);
    if (config->letterbox) {
        x264->letterbox = helix_letterbox_new(config->width, config->height, config->vui.full_range ? 0 : 16);
    } else {
        x264->converter = helix_converter_new(config->width, config->height);
    }
    x264->frame = av_frame_alloc();
    x264->codec = avcodec_alloc_context3(av_codec);
    result = AVERROR(ENOMEM);
    if (x264->frame && x264->codec) {
        helix_x264_set_options(x264->codec, &x264->config);
        result = avcodec_open2(x264->codec, av_codec, NULL);
    }
    if (result < 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE,
                    "libx264 does not open for %u x %u at %u bit/s, level %u: %s", config->width, config->height,
                    config->bitrate, x264->config.level, av_err2str(result));
        free_x264(x264);
        return NULL;
    }
    *config = x264->config;
    return &x264->base;
}

static gboolean x264_reconfigure(HelixEncoder *encoder, HelixEncoderConfig *config, GError **error)
{
    X264Encoder *x264 = (X264Encoder *)encoder;
    HelixEncoderConfig wanted = *config;

    helix_x264_resolve(&wanted);
    if (!helix_x264_can_change(&x264->config, &wanted)) {
        return FALSE;
    }
    x264->config = wanted;
    helix_libav_set_rates(x264->codec, &wanted);
    x264->rate.shares = 0;
    *config = wanted;
    return TRUE;
}

/* ---- encoding ---- */

static void release_surface(void *opaque, uint8_t *data)
{
    helix_surface_unref(opaque);
}

static void release_nothing(void *opaque, uint8_t *data)
{
}

/* Lend the picture's memory to libavcodec: it copies data that has no buffer reference. */
static gboolean fill_frame(X264Encoder *x264, HelixSurface *surface, const HelixNv12 *nv12)
{
    AVFrame *frame = x264->frame;
    guint8 *data = (guint8 *)nv12->plane[0];
    gsize size = (gsize)nv12->stride[0] * x264->config.height;

    frame->format = AV_PIX_FMT_NV12;
    frame->width = (int)x264->config.width;
    frame->height = (int)x264->config.height;
    for (guint i = 0; i < 2; i++) {
        frame->data[i] = (guint8 *)nv12->plane[i];
        frame->linesize[i] = (int)nv12->stride[i];
    }
    if (nv12->in_place) {
        frame->buf[0] = av_buffer_create(data, size, release_surface, helix_surface_ref(surface),
                                         AV_BUFFER_FLAG_READONLY);
        if (!frame->buf[0]) {
            helix_surface_unref(surface);
        }
    } else {
        frame->buf[0] = av_buffer_create(data, size, release_nothing, NULL, AV_BUFFER_FLAG_READONLY);
    }
    return frame->buf[0] != NULL;
}

static gboolean failed(int result, GError **error)
{
    g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "libx264 failed: %s",
                result == AVERROR(EAGAIN) ? "it returned no access unit for the picture" : av_err2str(result));
    return FALSE;
}

static gboolean x264_encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force_idr, HelixAccessUnit *unit,
                            GError **error)
{
    X264Encoder *x264 = (X264Encoder *)encoder;
    AVPacket *packet;
    HelixNv12 nv12;
    int result;

    if (!(x264->letterbox ? helix_letterbox_run(x264->letterbox, surface, &nv12, error)
                          : helix_converter_run(x264->converter, surface, &nv12, error))) {
        return FALSE;
    }
    unit->cpu_bytes += nv12.cpu_bytes;
    packet = av_packet_alloc();
    if (!packet || !fill_frame(x264, surface, &nv12)) {
        av_packet_free(&packet);
        return failed(AVERROR(ENOMEM), error);
    }
    helix_x264_rate_next(&x264->rate, &x264->config, unit->pts_ns, x264->codec);
    x264->frame->pts = x264->pts++;
    x264->frame->pict_type = force_idr || x264->config.key_int_max == 1 ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    unit->submitted_ns = g_get_monotonic_time() * 1000;
    result = avcodec_send_frame(x264->codec, x264->frame);
    av_frame_unref(x264->frame);
    if (result >= 0) {
        result = avcodec_receive_packet(x264->codec, packet);
    }
    if (result < 0) {
        av_packet_free(&packet);
        return failed(result, error);
    }
    unit->keyframe = (packet->flags & AV_PKT_FLAG_KEY) != 0;
    unit->data = helix_libav_take_packet(packet);
    return TRUE;
}

const HelixEncoderClass helix_encoder_x264 = {
    .name = "x264",
    .surface_kinds = 1u << HELIX_SURFACE_MEMORY,
    .memory = helix_x264_memory,
    .wants_nv12 = TRUE,
    .letterboxes = TRUE,
    .on_cpu = TRUE,
    .open = x264_open,
    .reconfigure = x264_reconfigure,
    .encode = x264_encode,
    .close = x264_close,
    .available = x264_available,
};
