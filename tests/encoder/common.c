/* SPDX-License-Identifier: GPL-2.0-or-later */
/* common.c - pictures, surfaces and a decoder for the encoder tests. */
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

/* ---- painters ---- */

static guint32 hash(guint32 value)
{
    value = (value ^ (value >> 16)) * 0x7feb352du;
    value = (value ^ (value >> 15)) * 0x846ca68bu;
    return value ^ (value >> 16);
}

Rgb paint_noise(guint x, guint y, guint width, guint height, guint n)
{
    guint32 bits = hash(x + y * 16384 + n * 7919);

    return (Rgb){ (guint8)bits, (guint8)(bits >> 8), (guint8)(bits >> 16) };
}

Rgb paint_flat(guint x, guint y, guint width, guint height, guint n)
{
    return (Rgb){ (guint8)(n >> 16), (guint8)(n >> 8), (guint8)n };
}

Rgb paint_smooth(guint x, guint y, guint width, guint height, guint n)
{
    double u = (x + 0.5) / width, v = (y + 0.5) / height;

    return (Rgb){ (guint8)(30 + 200 * u), (guint8)(220 - 150 * v), (guint8)(20 + 180 * u * v) };
}

static gboolean in_letter(double u, double v)
{
    return (u >= 0.3 && u < 0.38 && v >= 0.2 && v < 0.8) || (u >= 0.3 && u < 0.62 && v >= 0.2 && v < 0.3) ||
        (u >= 0.3 && u < 0.52 && v >= 0.45 && v < 0.55);
}

Rgb paint_figure(guint x, guint y, guint width, guint height, guint n)
{
    double u = (double)x / width, v = (double)y / height;

    if (in_letter(u, v)) {
        return (Rgb){ 240, 240, 240 };
    }
    if (u < 0.15 && v < 0.15) {
        return (Rgb){ 255, 0, 0 };
    }
    if (u >= 0.8 && v < 0.1) {
        return (Rgb){ 0, 255, 0 };
    }
    if (u < 0.1 && v >= 0.75) {
        return (Rgb){ 0, 0, 255 };
    }
    if (x / 8 == n % ((width + 7) / 8) && v >= 0.85) {
        return (Rgb){ 255, 255, 0 };
    }
    return paint_smooth(x, y, width, height, n);
}

Rgb paint_number(guint x, guint y, guint width, guint height, guint n)
{
    if (y < 16 && x < 256) {
        return n >> (x / 16) & 1 ? (Rgb){ 255, 255, 255 } : (Rgb){ 0, 0, 0 };
    }
    if (y >= height / 2) {
        guint32 grey = hash((x + n * 3) / 4 + y / 4 * 16384) & 0x7f;

        return (Rgb){ (guint8)(grey + 40), (guint8)grey, (guint8)(grey + 80) };
    }
    return paint_smooth(x, y, width, height, n);
}

Rgb paint_busy(guint x, guint y, guint width, guint height, guint n)
{
    guint32 grey = hash(x / 8 + y / 8 * 4096 + n * 99991) & 0x3f;

    return (Rgb){ (guint8)(grey + 90 + x % 8 * 4), (guint8)(grey + 60), (guint8)(grey + y % 8 * 3) };
}

/* ---- planes ---- */

Yuv *yuv_new(guint width, guint height)
{
    Yuv *yuv = g_new0(Yuv, 1);

    yuv->width = width;
    yuv->height = height;
    yuv->y = g_malloc0((gsize)width * height);
    yuv->u = g_malloc0((gsize)width * height / 4);
    yuv->v = g_malloc0((gsize)width * height / 4);
    return yuv;
}

void yuv_free(Yuv *yuv)
{
    if (yuv) {
        g_free(yuv->y);
        g_free(yuv->u);
        g_free(yuv->v);
        g_free(yuv);
    }
}

static guint8 quantise(double value)
{
    return (guint8)lrint(CLAMP(value, 0, 255));
}

/* ITU-R BT.709 3.2 to 3.5: E'Y, E'PB, E'PR from R'G'B' in 0..1, and their 8-bit codes. */
static void to_ycbcr(Rgb rgb, double *y, double *cb, double *cr)
{
    double r = rgb.r / 255.0, g = rgb.g / 255.0, b = rgb.b / 255.0;
    double luma = 0.2126 * r + 0.7152 * g + 0.0722 * b;

    *y = 16 + 219 * luma;
    *cb = 128 + 224 * (b - luma) / 1.8556;
    *cr = 128 + 224 * (r - luma) / 1.5748;
}

Yuv *yuv_reference(Painter painter, guint width, guint height, guint n)
{
    Yuv *yuv = yuv_new((width + 1) & ~1u, (height + 1) & ~1u);

    for (guint y = 0; y < yuv->height; y += 2) {
        for (guint x = 0; x < yuv->width; x += 2) {
            double cb_sum = 0, cr_sum = 0;

            for (guint i = 0; i < 4; i++) {
                guint px = x + i % 2, py = y + i / 2;
                double luma, cb, cr;

                to_ycbcr(painter(MIN(px, width - 1), MIN(py, height - 1), width, height, n), &luma, &cb, &cr);
                yuv->y[(gsize)py * yuv->width + px] = quantise(luma);
                cb_sum += cb;
                cr_sum += cr;
            }
            yuv->u[(gsize)y / 2 * (yuv->width / 2) + x / 2] = quantise(cb_sum / 4);
            yuv->v[(gsize)y / 2 * (yuv->width / 2) + x / 2] = quantise(cr_sum / 4);
        }
    }
    return yuv;
}

Difference yuv_compare(const Yuv *a, const Yuv *b, guint plane)
{
    gsize size = (gsize)a->width * a->height / (plane ? 4 : 1);
    const guint8 *pa = plane == 0 ? a->y : plane == 1 ? a->u : a->v;
    const guint8 *pb = plane == 0 ? b->y : plane == 1 ? b->u : b->v;
    Difference difference = { 0, 200 };
    double sum = 0;

    g_assert_cmpuint(a->width, ==, b->width);
    g_assert_cmpuint(a->height, ==, b->height);
    for (gsize i = 0; i < size; i++) {
        guint delta = (guint)abs(pa[i] - pb[i]);

        difference.max = MAX(difference.max, delta);
        sum += (double)delta * delta;
    }
    if (sum > 0) {
        difference.psnr = 10 * log10(255.0 * 255.0 * (double)size / sum);
    }
    return difference;
}

/* ---- surfaces ---- */

typedef struct Guarded {
    HelixSurface surface;
    void *map;
    gsize map_size;
} Guarded;

static void guarded_destroy(HelixSurface *surface)
{
    Guarded *guarded = (Guarded *)surface;

    munmap(guarded->map, guarded->map_size);
    g_free(guarded);
}

static HelixSurface *guarded_new(guint32 fourcc, guint width, guint height, guint stride)
{
    Guarded *guarded = g_new0(Guarded, 1);
    gsize page = (gsize)sysconf(_SC_PAGESIZE), size = (gsize)stride * (height - 1) + (gsize)width * 4, body;
    gboolean nv12 = fourcc == HELIX_FORMAT_NV12;
    gsize chroma = (gsize)stride * ((height + 1) & ~1u);

    if (nv12) {
        size = chroma + (gsize)stride * ((height + 1) / 2 - 1) + (width + 1) / 2 * 2;
    }
    body = (size + page - 1) / page * page;
    guarded->map_size = body + page;
    guarded->map = mmap(NULL, guarded->map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert_true(guarded->map != MAP_FAILED);
    g_assert_cmpint(mprotect((guint8 *)guarded->map + body, page, PROT_NONE), ==, 0);
    guarded->surface = (HelixSurface){
        .kind = HELIX_SURFACE_MEMORY,
        .width = width,
        .height = height,
        .fourcc = fourcc,
        .n_planes = nv12 ? 2 : 1,
        .offset = { 0, nv12 ? chroma : 0 },
        .stride = { stride, nv12 ? stride : 0 },
        .data = (guint8 *)guarded->map + body - size,
        .size = size,
        .fd = -1,
        .destroy = guarded_destroy,
    };
    g_atomic_ref_count_init(&guarded->surface.refs);
    return &guarded->surface;
}

static void fill_nv12(HelixSurface *surface, Painter painter, guint n)
{
    g_autoptr(Yuv) yuv = yuv_reference(painter, surface->width, surface->height, n);
    guint8 *chroma = surface->data + surface->offset[1];

    for (guint y = 0; y < surface->height; y++) {
        memcpy(surface->data + (gsize)y * surface->stride[0], yuv->y + (gsize)y * yuv->width, surface->width);
    }
    for (guint y = 0; y < yuv->height / 2; y++) {
        for (guint x = 0; x < yuv->width / 2; x++) {
            chroma[(gsize)y * surface->stride[1] + 2 * x] = yuv->u[(gsize)y * (yuv->width / 2) + x];
            chroma[(gsize)y * surface->stride[1] + 2 * x + 1] = yuv->v[(gsize)y * (yuv->width / 2) + x];
        }
    }
}

HelixSurface *surface_paint(guint32 fourcc, guint width, guint height, guint stride, guint8 alpha, Painter painter,
                            guint n)
{
    gboolean nv12 = fourcc == HELIX_FORMAT_NV12, red_first = fourcc == HELIX_FORMAT_AB24 || fourcc == HELIX_FORMAT_XB24;
    guint smallest = nv12 ? (width + 1) & ~1u : width * 4;
    HelixSurface *surface = guarded_new(fourcc, width, height, stride ? stride : smallest);

    if (nv12) {
        fill_nv12(surface, painter, n);
        return surface;
    }
    for (guint y = 0; y < height; y++) {
        guint8 *pixel = surface->data + (gsize)y * surface->stride[0];

        for (guint x = 0; x < width; x++, pixel += 4) {
            Rgb rgb = painter(x, y, width, height, n);

            pixel[0] = red_first ? rgb.r : rgb.b;
            pixel[1] = rgb.g;
            pixel[2] = red_first ? rgb.b : rgb.r;
            pixel[3] = alpha;
        }
    }
    return surface;
}

HelixEncoderConfig config_for(guint width, guint height)
{
    HelixEncoderConfig config = { .width = width, .height = height, .realtime = 1 };
    g_autoptr(GError) error = NULL;

    helix_encoder_config_complete(&config, &error);
    g_assert_no_error(error);
    return config;
}

/* ---- decoding ---- */

struct Decoder {
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
};

Decoder *decoder_new(void)
{
    Decoder *decoder = g_new0(Decoder, 1);
    const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_H264);

    g_assert_nonnull(codec);
    decoder->codec = avcodec_alloc_context3(codec);
    decoder->codec->thread_count = 1; /* a decoder with frame threads is late by design */
    decoder->codec->err_recognition = AV_EF_EXPLODE | AV_EF_CAREFUL | AV_EF_COMPLIANT;
    g_assert_cmpint(avcodec_open2(decoder->codec, codec, NULL), ==, 0);
    decoder->packet = av_packet_alloc();
    decoder->frame = av_frame_alloc();
    return decoder;
}

void decoder_free(Decoder *decoder)
{
    if (decoder) {
        av_packet_free(&decoder->packet);
        av_frame_free(&decoder->frame);
        avcodec_free_context(&decoder->codec);
        g_free(decoder);
    }
}

const AVCodecContext *decoder_context(Decoder *decoder)
{
    return decoder->codec;
}

Yuv *decoder_feed(Decoder *decoder, GBytes *unit)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(unit, &size);
    AVFrame *frame = decoder->frame;
    Yuv *yuv;

    g_assert_cmpint(av_new_packet(decoder->packet, (int)size), ==, 0);
    memcpy(decoder->packet->data, data, size);
    g_assert_cmpint(avcodec_send_packet(decoder->codec, decoder->packet), ==, 0);
    av_packet_unref(decoder->packet);
    g_assert_cmpint(avcodec_receive_frame(decoder->codec, frame), ==, 0);
    g_assert_true(frame->format == AV_PIX_FMT_YUV420P || frame->format == AV_PIX_FMT_YUVJ420P); /* J: full range */
    g_assert_cmpint(frame->decode_error_flags, ==, 0);

    yuv = yuv_new((guint)frame->width, (guint)frame->height);
    for (guint y = 0; y < yuv->height; y++) {
        memcpy(yuv->y + (gsize)y * yuv->width, frame->data[0] + (gssize)y * frame->linesize[0], yuv->width);
    }
    for (guint y = 0; y < yuv->height / 2; y++) {
        memcpy(yuv->u + (gsize)y * (yuv->width / 2), frame->data[1] + (gssize)y * frame->linesize[1], yuv->width / 2);
        memcpy(yuv->v + (gsize)y * (yuv->width / 2), frame->data[2] + (gssize)y * frame->linesize[2], yuv->width / 2);
    }
    g_assert_cmpint(avcodec_receive_frame(decoder->codec, frame), ==, AVERROR(EAGAIN));
    return yuv;
}
