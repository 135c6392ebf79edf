/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encoder-x264.c - software encoding with x264, through libavcodec's "libx264".
 *
 * Set up so that a picture comes out of the call it went into: no B-frames, no look-ahead, and threads that share one
 * picture by slices instead of working on several.
 */
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>

#include "../convert.h"
#include "../encoder.h"
#include "../../protocol/error.h"

#define NO_KEYFRAMES (1 << 30) /* x264's "infinite" key frame interval */
#define DEFAULT_CQP 23u        /* x264's own default quality */
#define MAX_THREADS 4u         /* more gain little on one picture, and the guest needs cores as well */
#define MAX_SLICE_THREADS 8u   /* if so many slices are asked for */
#define MIN_THREADED_MBS 1200u /* 640 x 480: smaller pictures are coded sooner than threads wake up */
#define MIN_THREAD_ROWS 4u     /* x264 gives no thread fewer macroblock rows */

/*
 * How many milliseconds of the bit rate one picture may take at once (the VBV buffer). An IDR needs about ten times the
 * share of a picture at 60 fps, or it is visibly worse than what came before; all of it is delay on a line that only
 * just carries the bit rate.
 */
#define CBR_BUFFER_MS 250u
#define VBR_BUFFER_MS 500u

#define LAST_PRIMARIES 12u /* colour_primaries that x264 knows */

#define MAX_SHARES 12u /* of the frame rate, for one picture: 5 pictures a second at 60; if the buffer holds them */

/* x264 counts the bits of the buffer, of a second and of a frame's share in an int each, and rounds: with room. */
#define MAX_BITS 2000000000u

typedef struct X264Encoder {
    HelixEncoder base;
    HelixEncoderConfig config; /* in force */
    HelixConverter *converter;
    AVCodecContext *codec;
    AVFrame *frame;
    gint64 pts;          /* of the next picture: one a frame, in units of 1/fps */
    gint64 guest_pts_ns; /* of the last picture, as the guest says */
    guint gap[4];        /* before the last pictures, in units of 1/fps; 0 not known */
    guint shares;        /* of the frame rate, that a picture has now; 0: one */
} X264Encoder;

static void free_x264(X264Encoder *x264)
{
    av_frame_free(&x264->frame);
    avcodec_free_context(&x264->codec);
    helix_converter_free(x264->converter);
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
                            "this libavcodec was built without libx264, and one with it is needed");
    }
    return codec;
}

static gboolean x264_available(gboolean hardware_only, GError **error)
{
    if (hardware_only) {
        g_set_error_literal(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER, "it encodes in software, which is switched off");
        return FALSE;
    }
    return find_codec(error) != NULL;
}

/* ---- settings ---- */

/* A rate as x264 takes it: in kbit/s, and with no more bits for a frame than it can count. */
static guint32 usable_rate(const HelixEncoderConfig *config, guint32 rate)
{
    guint64 most = (guint64)MAX_BITS * config->fps_num / config->fps_den;

    rate = (guint32)MIN(rate, most);
    return rate - rate % 1000;
}

/* Fill in what this encoder decides by itself, so that @config says what is in force. */
static void resolve(HelixEncoderConfig *config)
{
    guint rows = (config->height + 15) / 16, mbs = rows * ((config->width + 15) / 16);

    config->level = helix_encoder_level(config);
    if (config->rate_control == HELIX_RATE_AUTO) {
        config->rate_control = config->max_bitrate > config->bitrate ? HELIX_RATE_VBR : HELIX_RATE_CBR;
    }
    if (config->rate_control == HELIX_RATE_CQP && config->min_qp == 0) {
        config->min_qp = DEFAULT_CQP;
    }
    config->bitrate = usable_rate(config, config->bitrate);
    config->max_bitrate = usable_rate(config, config->max_bitrate);
    if (config->slices == 0) {
        config->slices = mbs < MIN_THREADED_MBS ? 1 : (guint8)MIN(g_get_num_processors(), MAX_THREADS);
        config->slices = (guint8)CLAMP(rows / MIN_THREAD_ROWS, 1, config->slices);
    }
    config->slices = (guint8)MIN(config->slices, rows);
    if (config->vui.primaries > LAST_PRIMARIES) {
        config->vui.primaries = HELIX_H264_UNSPECIFIED; /* x264 would write that */
    }
}

static guint count_threads(const HelixEncoderConfig *config)
{
    guint rows = (config->height + 15) / 16;

    return config->slices <= MAX_SLICE_THREADS && config->slices * MIN_THREAD_ROWS <= rows ? config->slices : 1;
}

static int buffer_bits(const HelixEncoderConfig *config, guint32 rate, guint milliseconds)
{
    guint64 bits = (guint64)rate * milliseconds / 1000, frame = (guint64)rate * config->fps_den / config->fps_num;

    return (int)MIN(MAX(bits, 2 * frame), MAX_BITS);
}

static void set_rates(AVCodecContext *codec, const HelixEncoderConfig *config)
{
    switch (config->rate_control) {
    case HELIX_RATE_CBR:
        codec->bit_rate = config->bitrate;
        codec->rc_max_rate = config->bitrate;
        codec->rc_buffer_size = buffer_bits(config, config->bitrate, CBR_BUFFER_MS);
        break;
    case HELIX_RATE_VBR:
        codec->bit_rate = config->bitrate;
        codec->rc_max_rate = config->max_bitrate;
        codec->rc_buffer_size = buffer_bits(config, config->max_bitrate, VBR_BUFFER_MS);
        break;
    default:
        break;
    }
}

/* libavcodec numbers colours as H.264 does, and chroma locations as HelixVui. */
static void set_vui(AVCodecContext *codec, const HelixVui *asked)
{
    const HelixVui vui = helix_h264_vui_resolve(*asked);

    codec->sample_aspect_ratio = (AVRational){ vui.sar_width, vui.sar_height };
    codec->color_range = vui.full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    codec->color_primaries = (enum AVColorPrimaries)vui.primaries;
    codec->color_trc = (enum AVColorTransferCharacteristic)vui.transfer;
    codec->colorspace = (enum AVColorSpace)vui.matrix;
    /* Where nothing is said, as convert.c makes it. */
    codec->chroma_sample_location = vui.chroma_loc ? (enum AVChromaLocation)vui.chroma_loc : AVCHROMA_LOC_CENTER;
}

static void set_syntax(AVCodecContext *codec, const HelixEncoderConfig *config)
{
    codec->width = (int)config->width;
    codec->height = (int)config->height;
    codec->pix_fmt = AV_PIX_FMT_NV12;
    codec->time_base = (AVRational){ (int)config->fps_den, (int)config->fps_num };
    codec->framerate = (AVRational){ (int)config->fps_num, (int)config->fps_den };
    set_vui(codec, &config->vui);
    codec->level = config->level;
    codec->max_b_frames = 0;
    codec->flags |= AV_CODEC_FLAG_CLOSED_GOP;
    /*
     * An interval of 1 makes an intra-only profile, whose SPS goes without bitstream_restriction: those IDRs are forced
     * one by one instead.
     */
    codec->gop_size = config->key_int_max > 1 ? (int)MIN(config->key_int_max, NO_KEYFRAMES) : NO_KEYFRAMES;
    codec->keyint_min = 1;
}

/* x264 writes the lowest profile that what it uses needs, so each is asked for by the feature it adds. */
static void set_profile(AVCodecContext *codec, const HelixEncoderConfig *config)
{
    void *options = codec->priv_data;

    switch (config->profile) {
    case HELIX_PROFILE_BASELINE:
        av_opt_set(options, "profile", "baseline", 0);
        break;
    case HELIX_PROFILE_MAIN:
        av_opt_set(options, "profile", "main", 0);
        av_opt_set(options, "coder", "cabac", 0);
        break;
    default:
        av_opt_set(options, "profile", "high", 0);
        av_opt_set(options, "8x8dct", "1", 0);
        break;
    }
}

static void set_options(AVCodecContext *codec, const HelixEncoderConfig *config)
{
    void *options = codec->priv_data;
    guint threads = count_threads(config);

    av_opt_set(options, "preset", config->realtime ? "ultrafast" : "superfast", 0);
    av_opt_set(options, "tune", "zerolatency", 0);
    av_opt_set(options, "forced-idr", "1", 0);
    av_opt_set_int(options, "sc_threshold", 0, 0); /* IDRs when asked, not when the picture changes */
    av_opt_set_int(options, "aud", config->aud, 0);
    set_profile(codec, config);
    if (config->rate_control == HELIX_RATE_CQP) {
        av_opt_set_int(options, "qp", config->min_qp, 0);
    } else if (config->min_qp) {
        codec->qmin = config->min_qp;
    }
    if (config->max_qp && config->rate_control != HELIX_RATE_CQP) {
        codec->qmax = config->max_qp;
    }
    codec->thread_count = (int)threads;
    codec->thread_type = FF_THREAD_SLICE;
    codec->slices = config->slices;
    /* x264 reports its life's story; what remains of it at libav's default level is errors */
    codec->log_level_offset = AV_LOG_INFO - AV_LOG_ERROR;
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
    resolve(&x264->config);
    x264->converter = helix_converter_new(config->width, config->height);
    x264->frame = av_frame_alloc();
    x264->codec = avcodec_alloc_context3(av_codec);
    result = AVERROR(ENOMEM);
    if (x264->frame && x264->codec) {
        set_syntax(x264->codec, &x264->config);
        set_rates(x264->codec, &x264->config);
        set_options(x264->codec, &x264->config);
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

/*
 * Bounds of what is resident after the worst pictures (tests/encoder/test-x264-memory.c): x264's tables and
 * libswscale's filters; each thread's share; planes with borders, which presets slower than ultrafast have more of, and
 * our NV12; tables of motion vectors, which level 6 lets grow; and the rows that libswscale keeps to bring a high
 * picture down to a low one.
 */
static guint64 x264_memory(const HelixEncoderConfig *asked)
{
    const guint64 mib = 1 << 20, border = 128; /* of both sides */
    HelixEncoderConfig config = *asked;
    guint64 bytes;

    resolve(&config);
    bytes = (config.width + border) * (config.height + border) * (config.realtime ? 25 : 41) / 2;
    bytes += 8 * mib + (guint64)count_threads(&config) * 5 * mib / 2 + (config.level >= 60 ? 16 * mib : 0);
    return bytes + (guint64)config.width * 6 * HELIX_MAX_DIMENSION / config.height;
}

/*
 * libavcodec's libx264 passes changed rates on before the next picture. x264 follows a VBV buffer's rate, so a constant
 * bit rate and a maximum can change, but not a variable bit rate's mean; nothing else can.
 */
static gboolean x264_reconfigure(HelixEncoder *encoder, HelixEncoderConfig *config, GError **error)
{
    X264Encoder *x264 = (X264Encoder *)encoder;
    const HelixEncoderConfig *old = &x264->config;
    HelixEncoderConfig wanted = *config;
    gboolean vbv_stays;

    resolve(&wanted);
    if (wanted.width != old->width || wanted.height != old->height || wanted.fps_num != old->fps_num ||
        wanted.fps_den != old->fps_den || wanted.key_int_max != old->key_int_max || wanted.profile != old->profile ||
        wanted.level != old->level || wanted.realtime != old->realtime || wanted.rate_control != old->rate_control ||
        wanted.min_qp != old->min_qp || wanted.max_qp != old->max_qp || wanted.slices != old->slices ||
        wanted.aud != old->aud || memcmp(&wanted.vui, &old->vui, sizeof(wanted.vui)) != 0) {
        return FALSE;
    }
    vbv_stays = (wanted.max_bitrate != 0) == (old->max_bitrate != 0);
    if (wanted.rate_control == HELIX_RATE_VBR && (wanted.bitrate != old->bitrate || !vbv_stays)) {
        return FALSE;
    }
    x264->config = wanted;
    set_rates(x264->codec, &wanted);
    x264->shares = 1;
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

/* Shares of the frame rate that the buffer of a constant bit rate holds: x264 makes it larger if one picture may have
 * more. */
static guint most_shares(const HelixEncoderConfig *config)
{
    guint64 frame = (guint64)config->bitrate * config->fps_den / config->fps_num;
    guint64 buffer = (guint64)buffer_bits(config, config->bitrate, CBR_BUFFER_MS);

    return (guint)CLAMP(buffer / frame, 1, MAX_SHARES);
}

/*
 * x264 counts each picture as one of the frame rate's and gives it that share of the bit rate. A desktop rarely draws
 * so many: each of the few it draws may have the share of those that did not come, as far as the buffer holds it. (x264
 * can be told the pictures' times instead, but then holds each back until it knows the next one's.) The shortest of the
 * last gaps counts, so that a burst after a pause is not taken for a pause. The guest's times may be anything, and
 * differences wrap.
 */
static void share_rate(X264Encoder *x264, gint64 guest_pts_ns)
{
    const gint64 frame_ns = (gint64)(1000000000ull * x264->config.fps_den / x264->config.fps_num);
    gint64 gap = (gint64)((guint64)guest_pts_ns - (guint64)x264->guest_pts_ns);
    guint shares = MAX_SHARES;

    x264->guest_pts_ns = guest_pts_ns;
    gap = (CLAMP(gap, 0, MAX_SHARES * frame_ns) + frame_ns / 2) / frame_ns;
    x264->gap[x264->pts % G_N_ELEMENTS(x264->gap)] = (guint)CLAMP(gap, 1, MAX_SHARES);
    for (guint i = 0; i < G_N_ELEMENTS(x264->gap); i++) {
        shares = MIN(shares, x264->gap[i]);
    }
    shares = CLAMP(shares, 1, most_shares(&x264->config)); /* 1 until all gaps are known */
    if (x264->config.rate_control == HELIX_RATE_CBR && shares != x264->shares) {
        gint64 rate = (gint64)x264->config.bitrate * shares;

        x264->shares = shares;
        x264->codec->bit_rate = x264->codec->rc_max_rate = MIN(rate, MAX_BITS);
    }
}

/* Lend the picture's memory to libavcodec, which copies what it is not given a reference to. */
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

static void free_packet(gpointer packet)
{
    AVPacket *owned = packet;

    av_packet_free(&owned);
}

static gboolean failed(int result, GError **error)
{
    g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "libx264 failed: %s",
                result == AVERROR(EAGAIN) ? "it kept the picture back" : av_err2str(result));
    return FALSE;
}

static gboolean x264_encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force_idr, HelixAccessUnit *unit,
                            GError **error)
{
    X264Encoder *x264 = (X264Encoder *)encoder;
    AVPacket *packet;
    HelixNv12 nv12;
    int result;

    if (!helix_converter_run(x264->converter, surface, &nv12, error)) {
        return FALSE;
    }
    unit->cpu_bytes += nv12.cpu_bytes;
    packet = av_packet_alloc();
    if (!packet || !fill_frame(x264, surface, &nv12)) {
        av_packet_free(&packet);
        return failed(AVERROR(ENOMEM), error);
    }
    share_rate(x264, unit->pts_ns);
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
    unit->data = g_bytes_new_with_free_func(packet->data, (gsize)packet->size, free_packet, packet);
    return TRUE;
}

const HelixEncoderClass helix_encoder_x264 = {
    .name = "x264",
    .surface_kinds = 1u << HELIX_SURFACE_MEMORY,
    .memory = x264_memory,
    .wants_nv12 = TRUE,
    .on_cpu = TRUE,
    .open = x264_open,
    .reconfigure = x264_reconfigure,
    .encode = x264_encode,
    .close = x264_close,
    .available = x264_available,
};
