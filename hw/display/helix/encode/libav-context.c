/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libav-context.c - see libav-context.h. */
#include <string.h>

#include "libav-context.h"

/*
 * The VBV buffer: the milliseconds of the bit rate that one picture may take. An IDR needs about ten times the bits of
 * a picture at 60 fps, or it is visibly worse than the picture before it. On a link that just carries the bit rate, the
 * buffer is delay.
 */
#define CBR_BUFFER_MS 250u
#define VBR_BUFFER_MS 500u

static int buffer_bits(const HelixEncoderConfig *config, guint32 rate, guint milliseconds)
{
    guint64 bits = (guint64)rate * milliseconds / 1000, frame = (guint64)rate * config->fps_den / config->fps_num;

    return (int)MIN(MAX(bits, 2 * frame), HELIX_LIBAV_MAX_BITS);
}

void helix_libav_set_rates(AVCodecContext *codec, const HelixEncoderConfig *config)
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

guint8 helix_libav_rate_control(const HelixEncoderConfig *config)
{
    if (config->rate_control != HELIX_RATE_AUTO) {
        return config->rate_control;
    }
    return config->max_bitrate > config->bitrate ? HELIX_RATE_VBR : HELIX_RATE_CBR;
}

guint helix_libav_buffered_frames(const HelixEncoderConfig *config)
{
    guint64 frame = (guint64)config->bitrate * config->fps_den / config->fps_num;

    return (guint)((guint64)buffer_bits(config, config->bitrate, CBR_BUFFER_MS) / frame);
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

void helix_libav_set_stream(AVCodecContext *codec, const HelixEncoderConfig *config)
{
    codec->width = (int)config->width;
    codec->height = (int)config->height;
    codec->time_base = (AVRational){ (int)config->fps_den, (int)config->fps_num };
    codec->framerate = (AVRational){ (int)config->fps_num, (int)config->fps_den };
    set_vui(codec, &config->vui);
    codec->level = config->level;
    codec->max_b_frames = 0;
    codec->flags |= AV_CODEC_FLAG_CLOSED_GOP;
}

gboolean helix_libav_same_but_rates(const HelixEncoderConfig *a, const HelixEncoderConfig *b)
{
    return a->width == b->width && a->height == b->height && a->fps_num == b->fps_num && a->fps_den == b->fps_den &&
        a->key_int_max == b->key_int_max && a->profile == b->profile && a->level == b->level &&
        a->realtime == b->realtime && a->rate_control == b->rate_control && a->min_qp == b->min_qp &&
        a->max_qp == b->max_qp && a->slices == b->slices && a->aud == b->aud && a->letterbox == b->letterbox &&
        memcmp(&a->vui, &b->vui, sizeof(a->vui)) == 0;
}

static void free_packet(gpointer packet)
{
    AVPacket *owned = packet;

    av_packet_free(&owned);
}

GBytes *helix_libav_take_packet(AVPacket *packet)
{
    return g_bytes_new_with_free_func(packet->data, (gsize)packet->size, free_packet, packet);
}
