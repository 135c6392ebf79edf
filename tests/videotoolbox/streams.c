/* SPDX-License-Identifier: GPL-2.0-or-later */
/* streams.c - streams to test with, read by FFmpeg and not by the code under test. */
#include <math.h>
#include <string.h>

#include <libavcodec/bsf.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>

#include "streams.h"

__attribute__((constructor)) static void only_errors(void)
{
    av_log_set_level(AV_LOG_ERROR);
}

static guint8 shade(guint x, guint y, guint index, guint plane)
{
    return (guint8)(x * (3 + plane) + y * (5 - plane) + index * 11 + plane * 60 + (x / 16 + y / 16 * 3) * 8);
}

void stream_draw(AVFrame *frame, guint index)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
    guint step = format->comp[0].depth > 8 ? 2 : 1;

    for (guint plane = 0; plane < (guint)av_pix_fmt_count_planes(frame->format); plane++) {
        guint w = plane ? AV_CEIL_RSHIFT(frame->width, format->log2_chroma_w) : (guint)frame->width;
        guint h = plane ? AV_CEIL_RSHIFT(frame->height, format->log2_chroma_h) : (guint)frame->height;

        for (guint y = 0; y < h; y++) {
            guint8 *row = frame->data[plane] + (gsize)y * frame->linesize[plane];

            for (guint x = 0; x < w; x++) {
                row[x * step] = shade(x, y, index, plane);
                if (step == 2) {
                    row[x * step + 1] = 1;
                }
            }
        }
    }
}

void stream_draw_bgra(guint8 *data, gsize stride, guint width, guint height, guint index)
{
    for (guint y = 0; y < height; y++) {
        for (guint x = 0; x < width; x++) {
            guint8 *pixel = data + y * stride + x * 4;
            /* Bars and a ramp, a bright corner at the top left: no mirror image is the same, and 4:2:0 keeps it. */
            guint8 ramp = (guint8)(40 + (x + 2 * index) * 120 / width + y * 60 / height);

            pixel[0] = ramp;
            pixel[1] = x < width / 4 && y < height / 4 ? 255 : ramp;
            pixel[2] = (guint8)(y > height / 2 ? ramp / 2 : ramp);
            pixel[3] = 255;
        }
    }
}

static void drain(AVCodecContext *encoder, GPtrArray *units)
{
    AVPacket *packet = av_packet_alloc();

    while (avcodec_receive_packet(encoder, packet) == 0) {
        g_ptr_array_add(units, g_bytes_new(packet->data, packet->size));
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
}

GPtrArray *stream_x264(const char *options, enum AVPixelFormat format, guint width, guint height, guint n_frames)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    GPtrArray *units = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    AVCodecContext *encoder = avcodec_alloc_context3(codec);
    AVFrame *frame = av_frame_alloc();
    AVDictionary *dictionary = NULL;

    g_assert_nonnull(codec);
    encoder->width = width;
    encoder->height = height;
    encoder->pix_fmt = format;
    encoder->time_base = (AVRational){ 1, 60 };
    encoder->framerate = (AVRational){ 60, 1 };
    encoder->thread_count = 1;
    g_assert_cmpint(av_dict_parse_string(&dictionary, "preset=ultrafast,tune=zerolatency", "=", ",", 0), ==, 0);
    g_assert_cmpint(av_dict_parse_string(&dictionary, options, "=", ",", 0), ==, 0);
    g_assert_cmpint(avcodec_open2(encoder, codec, &dictionary), ==, 0);
    g_assert_cmpint(av_dict_count(dictionary), ==, 0);
    frame->format = format;
    frame->width = width;
    frame->height = height;
    for (guint i = 0; i < n_frames; i++) {
        g_assert_cmpint(av_frame_get_buffer(frame, 0), ==, 0);
        stream_draw(frame, i);
        frame->pts = i;
        g_assert_cmpint(avcodec_send_frame(encoder, frame), ==, 0);
        drain(encoder, units);
        av_buffer_unref(&frame->buf[0]);
        for (guint plane = 1; plane < AV_NUM_DATA_POINTERS; plane++) {
            av_buffer_unref(&frame->buf[plane]);
        }
    }
    avcodec_send_frame(encoder, NULL);
    drain(encoder, units);
    g_assert_cmpuint(units->len, ==, n_frames);
    av_dict_free(&dictionary);
    av_frame_free(&frame);
    avcodec_free_context(&encoder);
    return units;
}

GArray *stream_nals(const guint8 *data, gsize len)
{
    GArray *nals = g_array_new(FALSE, FALSE, sizeof(StreamNal));
    gsize begin = 0;
    gboolean open = FALSE;

    for (gsize i = 0; i <= len; i++) {
        gboolean code = i + 3 <= len && data[i] == 0 && data[i + 1] == 0 && data[i + 2] == 1;

        if ((code || i == len) && open) {
            gsize end = i;

            while (end > begin && data[end - 1] == 0) {
                end--;
            }
            g_array_append_val(nals, ((StreamNal){ data + begin, end - begin }));
        }
        if (code) {
            begin = i + 3;
            open = TRUE;
            i += 2;
        }
    }
    return nals;
}

GBytes *stream_replace_sps(GBytes *unit, GByteArray *(*replace)(const guint8 *nal, gsize len))
{
    static const guint8 start_code[] = { 0, 0, 0, 1 };
    GByteArray *out = g_byte_array_new();
    gsize len;
    const guint8 *data = g_bytes_get_data(unit, &len);
    GArray *nals = stream_nals(data, len);

    for (guint i = 0; i < nals->len; i++) {
        StreamNal nal = g_array_index(nals, StreamNal, i);
        GByteArray *other = (nal.data[0] & 31) == 7 ? replace(nal.data, nal.len) : NULL;

        g_byte_array_append(out, start_code, sizeof(start_code));
        g_byte_array_append(out, other ? other->data : nal.data, other ? other->len : nal.len);
        g_clear_pointer(&other, g_byte_array_unref);
    }
    g_array_unref(nals);
    return g_byte_array_free_to_bytes(out);
}

static GPtrArray *traced;

/* trace_headers logs "position  name  bits = value", one line an element. */
static void trace_line(void *context, int level, const char *format, va_list args)
{
    g_autofree char *line = g_strdup_vprintf(format, args);
    g_auto(GStrv) words = NULL;
    char *equals = strrchr(line, '=');

    if (!traced || level != AV_LOG_INFO || !equals || !g_ascii_isdigit(line[0])) {
        return;
    }
    words = g_strsplit_set(line, " ", -1);
    for (guint i = 1; words[i]; i++) {
        if (words[i][0]) {
            g_ptr_array_add(traced, g_strdup_printf("%s=%s", words[i], g_strstrip(equals + 1)));
            return;
        }
    }
}

GStrv stream_sps_elements(const guint8 *nal, gsize len)
{
    AVBSFContext *bsf = NULL;
    AVPacket *packet = av_packet_alloc();
    int result;

    g_assert_cmpint(av_bsf_alloc(av_bsf_get_by_name("trace_headers"), &bsf), ==, 0);
    bsf->par_in->codec_type = AVMEDIA_TYPE_VIDEO;
    bsf->par_in->codec_id = AV_CODEC_ID_H264;
    g_assert_cmpint(av_bsf_init(bsf), ==, 0);
    g_assert_cmpint(av_new_packet(packet, len + 4), ==, 0);
    memcpy(packet->data, (const guint8[]){ 0, 0, 0, 1 }, 4);
    memcpy(packet->data + 4, nal, len);
    traced = g_ptr_array_new();
    av_log_set_callback(trace_line);
    result = av_bsf_send_packet(bsf, packet);
    result = result == 0 ? av_bsf_receive_packet(bsf, packet) : result;
    av_log_set_callback(av_log_default_callback);
    av_packet_free(&packet);
    av_bsf_free(&bsf);
    g_ptr_array_add(traced, NULL);
    if (result != 0) {
        g_strfreev((GStrv)g_ptr_array_free(g_steal_pointer(&traced), FALSE));
        return NULL;
    }
    return (GStrv)g_ptr_array_free(g_steal_pointer(&traced), FALSE);
}

AVCodecContext *stream_decoder_new(void)
{
    AVCodecContext *decoder = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_H264));

    decoder->thread_count = 1;
    decoder->strict_std_compliance = FF_COMPLIANCE_STRICT;
    g_assert_cmpint(avcodec_open2(decoder, NULL, NULL), ==, 0);
    return decoder;
}

AVFrame *stream_decode(AVCodecContext *decoder, GBytes *unit)
{
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    gsize len;
    const guint8 *data = g_bytes_get_data(unit, &len);

    g_assert_cmpint(av_new_packet(packet, len), ==, 0);
    memcpy(packet->data, data, len);
    g_assert_cmpint(avcodec_send_packet(decoder, packet), ==, 0);
    if (avcodec_receive_frame(decoder, frame) != 0) {
        av_frame_free(&frame);
    }
    av_packet_free(&packet);
    return frame;
}

double stream_psnr(const AVFrame *frame, const guint8 *bgra, gsize stride)
{
    double sum = 0;

    for (int y = 0; y < frame->height; y++) {
        for (int x = 0; x < frame->width; x++) {
            const guint8 *p = bgra + y * stride + x * 4;
            double luma = 16 + (0.2126 * p[2] + 0.7152 * p[1] + 0.0722 * p[0]) * 219 / 255;
            double diff = luma - frame->data[0][(gsize)y * frame->linesize[0] + x];

            sum += diff * diff;
        }
    }
    sum /= (double)frame->width * frame->height;
    return sum == 0 ? 99 : 10 * log10(255.0 * 255.0 / sum);
}

void stream_decoder_free(AVCodecContext *decoder)
{
    avcodec_free_context(&decoder);
}
