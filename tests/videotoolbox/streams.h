/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * streams.h - what the tests need of H.264 streams and do not want to take from the code under test: an encoder, a
 * decoder, FFmpeg's reading of the headers, and pictures to compare.
 */
#ifndef HELIX_TEST_STREAMS_H
#define HELIX_TEST_STREAMS_H

#include <glib.h>
#include <libavcodec/avcodec.h>

/* A moving picture without symmetry, in @frame's format; every frame of @index differs from its neighbours. */
void stream_draw(AVFrame *frame, guint index);
/* The same in BGRA bytes, top row first. */
void stream_draw_bgra(guint8 *data, gsize stride, guint width, guint height, guint index);

/*
 * Access units (GBytes, Annex B) of @n_frames made by libx264 with @options ("key=value:...", x264-params and
 * AVOptions).
 */
GPtrArray *stream_x264(const char *options, enum AVPixelFormat format, guint width, guint height, guint n_frames);

/* One NAL unit inside an access unit: no start code. */
typedef struct StreamNal {
    const guint8 *data;
    gsize len;
} StreamNal;
GArray *stream_nals(const guint8 *data, gsize len); /* of StreamNal, borrowed */

/* The access unit with each SPS replaced by what @replace makes of it (NULL: dropped). */
GBytes *stream_replace_sps(GBytes *unit, GByteArray *(*replace)(const guint8 *nal, gsize len));

/* "name=value" of every syntax element FFmpeg reads in the SPS, in order; NULL if FFmpeg refuses it. */
GStrv stream_sps_elements(const guint8 *nal, gsize len);

/* A decoder that takes the stream at its word: without bitstream_restriction it expects reordering. */
AVCodecContext *stream_decoder_new(void);
void stream_decoder_free(AVCodecContext *decoder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AVCodecContext, stream_decoder_free)
/* The picture that comes out right after @unit went in, or NULL if none does. */
AVFrame *stream_decode(AVCodecContext *decoder, GBytes *unit);

/* PSNR in dB of a decoded 4:2:0 frame against BGRA pixels, both reduced to BT.709 limited-range luma. */
double stream_psnr(const AVFrame *frame, const guint8 *bgra, gsize stride);

#endif
