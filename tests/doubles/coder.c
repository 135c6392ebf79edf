/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * coder.c - the H.264 in the VideoToolbox double: libx264's stream in VideoToolbox's clothes.
 *
 * Parameter sets go into the format description and the rest behind lengths, and the SPS loses its VUI: VideoToolbox's
 * has no bitstream_restriction.
 */
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>

#include "core-media.h"
#include "video-toolbox.h"

struct DoubleCoder {
    AVCodecContext *codec;
    AVFrame *frame;
    GPtrArray *sets; /* GBytes */
    gint64 pts;
};

DoubleCoder *double_coder_new(guint width, guint height, guint profile)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    DoubleCoder *coder = g_new0(DoubleCoder, 1);
    AVDictionary *options = NULL;

    g_assert_nonnull(codec);
    coder->codec = avcodec_alloc_context3(codec);
    coder->codec->width = (int)width;
    coder->codec->height = (int)height;
    coder->codec->pix_fmt = AV_PIX_FMT_YUV420P;
    coder->codec->time_base = (AVRational){ 1, 60 };
    coder->codec->framerate = (AVRational){ 60, 1 };
    coder->codec->thread_count = 1;
    coder->codec->gop_size = 1 << 20;
    coder->codec->bit_rate = 2000000;
    coder->codec->color_range = AVCOL_RANGE_MPEG;
    av_dict_set(&options, "preset", "ultrafast", 0);
    av_dict_set(&options, "tune", "zerolatency", 0);
    av_dict_set(&options, "forced-idr", "1", 0);
    av_dict_set(&options, "sc_threshold", "0", 0);
    av_dict_set(&options, "profile", profile == 66 ? "baseline" : profile == 77 ? "main" : "high", 0);
    av_dict_set(&options, "x264-params", "8x8dct=1:info=0", 0);
    g_assert_cmpint(avcodec_open2(coder->codec, codec, &options), ==, 0);
    av_dict_free(&options);
    coder->frame = av_frame_alloc();
    coder->frame->format = AV_PIX_FMT_YUV420P;
    coder->frame->width = (int)width;
    coder->frame->height = (int)height;
    g_assert_cmpint(av_frame_get_buffer(coder->frame, 0), ==, 0);
    return coder;
}

void double_coder_free(DoubleCoder *coder)
{
    if (coder->sets) {
        g_ptr_array_unref(coder->sets);
    }
    av_frame_free(&coder->frame);
    avcodec_free_context(&coder->codec);
    g_free(coder);
}

/* ---- pixels: BT.709, limited range ---- */

/* A picture has millions of pixels: ThreadSanitizer is shown that a row is read, not each of its bytes. */
__attribute__((noinline, no_sanitize("thread"))) static void convert_row(const guint8 *row, guint width, gboolean bgra,
                                                                         guint8 *luma, guint8 *cb, guint8 *cr)
{
    for (guint x = 0; x < width; x++, row += 4) {
        int red = row[bgra ? 2 : 0], green = row[1], blue = row[bgra ? 0 : 2];
        int y = 13933 * red + 46871 * green + 4732 * blue; /* 16 bits behind the point */

        luma[x] = (guint8)(16 + ((y / 255 * 219 + 32768) >> 16));
        if (cb && x % 2 == 0) {
            cb[x / 2] = (guint8)(128 + (int)((blue * 65536 - y) * (224 / 255.0 / 1.8556 / 65536) + 1000.5) - 1000);
            cr[x / 2] = (guint8)(128 + (int)((red * 65536 - y) * (224 / 255.0 / 1.5748 / 65536) + 1000.5) - 1000);
        }
    }
}

static void convert_rgb(AVFrame *frame, const DoubleBuffer *buffer)
{
    gboolean bgra = buffer->format == kCVPixelFormatType_32BGRA;

    for (guint y = 0; y < buffer->height; y++) {
        const guint8 *row = buffer->plane[0] + y * buffer->stride[0];
        guint8 *chroma[2] = { NULL, NULL };

        (void)*(const volatile guint32 *)row;
        for (guint i = 0; i < 2 && y % 2 == 0; i++) {
            chroma[i] = frame->data[1 + i] + y / 2 * (gsize)frame->linesize[1 + i];
        }
        convert_row(row, (guint)buffer->width, bgra, frame->data[0] + y * (gsize)frame->linesize[0], chroma[0],
                    chroma[1]);
    }
}

static void copy_nv12(AVFrame *frame, const DoubleBuffer *buffer)
{
    for (guint y = 0; y < buffer->height; y++) {
        memcpy(frame->data[0] + y * frame->linesize[0], buffer->plane[0] + y * buffer->stride[0], buffer->width);
    }
    for (guint y = 0; y < buffer->height / 2; y++) {
        for (guint x = 0; x < buffer->width / 2; x++) {
            frame->data[1][y * frame->linesize[1] + x] = buffer->plane[1][y * buffer->stride[1] + 2 * x];
            frame->data[2][y * frame->linesize[2] + x] = buffer->plane[1][y * buffer->stride[1] + 2 * x + 1];
        }
    }
}

/* ---- the SPS without its VUI ---- */

typedef struct Bits {
    const guint8 *data;
    gsize pos;
} Bits;

static guint bit(Bits *bits)
{
    guint value = bits->data[bits->pos / 8] >> (7 - bits->pos % 8) & 1;

    bits->pos++;
    return value;
}

static void skip_golomb(Bits *bits, guint n)
{
    while (n-- > 0) {
        guint zeros = 0;

        while (!bit(bits)) {
            zeros++;
        }
        bits->pos += zeros;
    }
}

/*
 * x264's sets only: no scaling lists, picture order type 0 or 2, and before the VUI no three bytes in need of
 * protection.
 */
static GBytes *without_vui(const guint8 *nal, gsize len)
{
    Bits bits = { nal, 32 };
    guint8 out[64] = { 0 };
    gboolean frames;

    g_assert_cmpuint(len, <, sizeof(out));
    skip_golomb(&bits, 1);
    if (nal[1] == 100) {
        skip_golomb(&bits, 3);
        bits.pos += 2;
    }
    skip_golomb(&bits, 1);
    if (bit(&bits)) {
        skip_golomb(&bits, 1); /* picture order type 0: the 1 was all of it */
    } else {
        bits.pos += 2; /* 011 is type 2 */
    }
    skip_golomb(&bits, 1);
    bits.pos++;
    skip_golomb(&bits, 2);
    frames = bit(&bits);
    bits.pos += frames ? 1 : 2;
    if (bit(&bits)) {
        skip_golomb(&bits, 4);
    }
    memcpy(out, nal, bits.pos / 8 + 1);
    out[bits.pos / 8] &= (guint8)(0xff00 >> bits.pos % 8); /* the flag, 0 */
    bits.pos++;
    out[bits.pos / 8] |= 0x80 >> bits.pos % 8;
    return g_bytes_new(out, bits.pos / 8 + 1);
}

/* ---- from Annex B to a sample ---- */

static void put_nal(GByteArray *avcc, const DoubleVtOrders *orders, const guint8 *nal, gsize len)
{
    guint size = orders->length_size ? orders->length_size : 4;

    g_assert_true(size == 4 || len < 1u << (8 * size));
    while (size-- > 0) {
        g_byte_array_append(avcc, (const guint8[]){ (guint8)(len >> (8 * size)) }, 1);
    }
    g_byte_array_append(avcc, nal, len);
}

static void sort_nal(DoubleCoder *coder, const DoubleVtOrders *orders, GByteArray *avcc, const guint8 *nal, gsize len,
                     gboolean *key)
{
    guint type = nal[0] & 31;

    *key |= type == 5;
    if (type == 7) {
        g_clear_pointer(&coder->sets, g_ptr_array_unref);
        coder->sets = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
        g_ptr_array_add(coder->sets,
                        orders->bad_sps        ? g_bytes_new(nal, 5)
                            : orders->keep_vui ? g_bytes_new(nal, len)
                                               : without_vui(nal, len));
    } else if (type == 8) {
        for (guint i = 0; i < (orders->second_pps ? 2 : 1); i++) {
            g_ptr_array_add(coder->sets, g_bytes_new(nal, len));
        }
    } else if (type != 6 && type != 9) {
        put_nal(avcc, orders, nal, len);
    }
}

static CMSampleBufferRef sample_from_packet(DoubleCoder *coder, const DoubleVtOrders *orders, const guint8 *data,
                                            gsize len)
{
    GByteArray *avcc = g_byte_array_new();
    gboolean key = FALSE;
    gsize begin = 0;
    CMSampleBufferRef sample;

    for (gsize i = 3; i <= len; i++) {
        gboolean code = i + 3 <= len && memcmp(data + i, "\0\0\1", 3) == 0;

        if (data[begin] == 0) {
            begin += data[begin + 2] == 1 ? 3 : 4;
            i = begin;
        } else if (code || i == len) {
            sort_nal(coder, orders, avcc, data + begin, i - begin - (code && data[i - 1] == 0), &key);
            begin = i;
        }
    }
    if (orders->huge) {
        g_byte_array_set_size(avcc, 17 * 1024 * 1024);
        memset(avcc->data, 1, avcc->len);
    }
    sample = double_sample_new(coder->sets, avcc, orders, key);
    g_byte_array_unref(avcc);
    return sample;
}

CMSampleBufferRef double_coder_encode(DoubleCoder *coder, const DoubleBuffer *buffer, const DoubleVtOrders *orders,
                                      gboolean force_idr, gint64 bitrate)
{
    AVPacket *packet = av_packet_alloc();
    CMSampleBufferRef sample;

    g_assert_cmpint(av_frame_make_writable(coder->frame), ==, 0);
    if (buffer->format == kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange) {
        copy_nv12(coder->frame, buffer);
    } else {
        convert_rgb(coder->frame, buffer);
    }
    coder->codec->bit_rate = bitrate; /* libx264 takes it over live */
    coder->frame->pts = coder->pts++;
    coder->frame->pict_type = force_idr ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    g_assert_cmpint(avcodec_send_frame(coder->codec, coder->frame), ==, 0);
    g_assert_cmpint(avcodec_receive_packet(coder->codec, packet), ==, 0);
    sample = sample_from_packet(coder, orders, packet->data, packet->size);
    av_packet_free(&packet);
    return sample;
}
