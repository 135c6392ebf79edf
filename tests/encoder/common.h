/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common.h - what the encoder tests share: drawn pictures, surfaces in guarded memory, a conversion in double precision
 * to compare with, and a decoder.
 */
#ifndef TEST_ENCODER_COMMON_H
#define TEST_ENCODER_COMMON_H

#include <glib.h>
#include <libavcodec/avcodec.h>

#include "encode/encoder.h"
#include "protocol/error.h"
#include "frame/surface.h"

typedef struct Rgb {
    guint8 r, g, b;
} Rgb;

/* The pixel at @x, @y of picture number @n. */
typedef Rgb (*Painter)(guint x, guint y, guint width, guint height, guint n);

/* Gradients and an F with coloured corners, no two alike; @n moves a bar. Nothing about it is symmetrical. */
Rgb paint_figure(guint x, guint y, guint width, guint height, guint n);
/* Independent random pixels. */
Rgb paint_noise(guint x, guint y, guint width, guint height, guint n);
/* Slow gradients without an edge: looks the same at any size. */
Rgb paint_smooth(guint x, guint y, guint width, guint height, guint n);
/* The colour @n, 0xRRGGBB. */
Rgb paint_flat(guint x, guint y, guint width, guint height, guint n);
/* 16 squares of 16 x 16 at the top say @n in binary, noise moves below. */
Rgb paint_number(guint x, guint y, guint width, guint height, guint n);
/* Textured squares of 8 x 8, all new in every picture: nothing predicts them, so they use up what bit rate there is. */
Rgb paint_busy(guint x, guint y, guint width, guint height, guint n);

/* 4:2:0 planes. */
typedef struct Yuv {
    guint width, height; /* of y; u and v have half of each */
    guint8 *y, *u, *v;
} Yuv;

Yuv *yuv_new(guint width, guint height);
void yuv_free(Yuv *yuv);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Yuv, yuv_free)

/* BT.709 limited range in doubles, chroma the mean of 2 x 2, sizes rounded up to even by repeating the edge. */
Yuv *yuv_reference(Painter painter, guint width, guint height, guint n);

typedef struct Difference {
    guint max;
    double psnr; /* dB; 200 if there is no difference */
} Difference;

/* Of plane 0 (y), 1 (u) or 2 (v). */
Difference yuv_compare(const Yuv *a, const Yuv *b, guint plane);

/*
 * A painted surface whose memory ends with its last pixel: behind that is a page that may not be touched. @stride 0 is
 * the smallest. @alpha fills the fourth byte.
 */
HelixSurface *surface_paint(guint32 fourcc, guint width, guint height, guint stride, guint8 alpha, Painter painter,
                            guint n);

/* A configuration for this size with everything else automatic, completed. */
HelixEncoderConfig config_for(guint width, guint height);

/* ---- decoding ---- */

typedef struct Decoder Decoder;

Decoder *decoder_new(void);
void decoder_free(Decoder *decoder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Decoder, decoder_free)
/* The picture of @unit, which must come at once and be the only one; aborts the test otherwise. */
Yuv *decoder_feed(Decoder *decoder, GBytes *unit);
/* What the decoder made of the stream's parameters. */
const AVCodecContext *decoder_context(Decoder *decoder);

#endif
