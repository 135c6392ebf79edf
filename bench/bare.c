/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bare.c - libavcodec's libx264 alone. */
#include <string.h>
#include <libavutil/opt.h>

#include "bare.h"
#include "encode/convert.h"
#include "desktop.h"
#include "measure.h"

/* The configuration that the host would use: an encoder is opened once to get it. */
static HelixEncoderConfig config_in_force(guint width, guint height)
{
    HelixEncoderConfig config = { .width = width, .height = height, .realtime = 1 };
    HelixEncoder *encoder = helix_encoder_config_complete(&config, NULL) ? helix_encoder_x264.open(&config, FALSE, NULL)
                                                                         : NULL;

    if (!encoder) {
        die("x264 does not open");
    }
    helix_encoder_x264.close(encoder);
    return config;
}

Bare *bare_new(guint width, guint height)
{
    const AVCodec *klass = avcodec_find_encoder_by_name("libx264");
    Bare *bare = g_new0(Bare, 1);
    AVCodecContext *codec = bare->codec = avcodec_alloc_context3(klass);

    bare->config = config_in_force(width, height);
    bare->packet = av_packet_alloc();
    codec->width = (int)width;
    codec->height = (int)height;
    codec->pix_fmt = AV_PIX_FMT_NV12;
    codec->time_base = (AVRational){ (int)bare->config.fps_den, (int)bare->config.fps_num };
    codec->framerate = (AVRational){ (int)bare->config.fps_num, (int)bare->config.fps_den };
    codec->sample_aspect_ratio = (AVRational){ 1, 1 };
    codec->color_range = AVCOL_RANGE_MPEG;
    codec->color_primaries = AVCOL_PRI_BT709;
    codec->color_trc = AVCOL_TRC_BT709;
    codec->colorspace = AVCOL_SPC_BT709;
    codec->chroma_sample_location = AVCHROMA_LOC_CENTER;
    codec->level = bare->config.level;
    codec->max_b_frames = 0;
    codec->flags |= AV_CODEC_FLAG_CLOSED_GOP;
    codec->gop_size = 1 << 30;
    codec->keyint_min = 1;
    codec->bit_rate = codec->rc_max_rate = bare->config.bitrate;
    codec->rc_buffer_size = (int)(bare->config.bitrate / 4);
    codec->thread_count = codec->slices = bare->config.slices;
    codec->thread_type = FF_THREAD_SLICE;
    codec->log_level_offset = AV_LOG_INFO - AV_LOG_ERROR;
    av_opt_set(codec->priv_data, "preset", "ultrafast", 0);
    av_opt_set(codec->priv_data, "tune", "zerolatency", 0);
    av_opt_set(codec->priv_data, "forced-idr", "1", 0);
    av_opt_set_int(codec->priv_data, "sc_threshold", 0, 0);
    av_opt_set(codec->priv_data, "profile", "high", 0);
    av_opt_set(codec->priv_data, "8x8dct", "1", 0);
    if (avcodec_open2(codec, klass, NULL) < 0) {
        die("libx264 does not open");
    }
    return bare;
}

gsize bare_encode(Bare *bare, AVFrame *frame)
{
    av_packet_unref(bare->packet);
    frame->pts = bare->pts++;
    if (avcodec_send_frame(bare->codec, frame) < 0 || avcodec_receive_packet(bare->codec, bare->packet) < 0) {
        die("libx264 does not encode");
    }
    return (gsize)bare->packet->size;
}

void bare_free(Bare *bare)
{
    avcodec_free_context(&bare->codec);
    av_packet_free(&bare->packet);
    g_free(bare);
}

AVFrame **bare_frames(guint width, guint height)
{
    HelixConverter *converter = helix_converter_new(width, height);
    HelixSurfacePool *pool = helix_surface_pool_new(0);
    AVFrame **frames = g_new(AVFrame *, DESKTOP_PICTURES);

    for (guint i = 0; i < DESKTOP_PICTURES; i++) {
        g_autoptr(HelixSurface) surface = desktop_surface(pool, width, height, i);
        AVFrame *frame = frames[i] = av_frame_alloc();
        HelixNv12 nv12;

        frame->format = AV_PIX_FMT_NV12;
        frame->width = (int)width;
        frame->height = (int)height;
        if (av_frame_get_buffer(frame, 0) < 0 || !helix_converter_run(converter, surface, &nv12, NULL)) {
            die("no memory for a frame");
        }
        for (guint plane = 0; plane < 2; plane++) {
            for (guint y = 0; y < height >> plane; y++) {
                memcpy(frame->data[plane] + (gsize)y * (gsize)frame->linesize[plane],
                       nv12.plane[plane] + (gsize)y * nv12.stride[plane], width);
            }
        }
    }
    helix_converter_free(converter);
    helix_surface_pool_unref(pool);
    return frames;
}
