/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bare.h - libavcodec's libx264 alone, with the settings of encode/x264/options.c. */
#ifndef HELIX_BENCH_BARE_H
#define HELIX_BENCH_BARE_H

#include <glib.h>
#include <libavcodec/avcodec.h>
#include "encode/encoder.h"

typedef struct Bare {
    HelixEncoderConfig config; /* as the host would use it */
    AVCodecContext *codec;
    AVPacket *packet;
    gint64 pts;
} Bare;

/* A realtime stream of this size with everything automatic. */
Bare *bare_new(guint width, guint height);
/* Bytes of the access unit, which is in packet until the next call. */
gsize bare_encode(Bare *bare, AVFrame *frame);
void bare_free(Bare *bare);

/* Pictures of desktop.h as frames that libavcodec takes without copying: NV12, made by encode/convert.c. */
AVFrame **bare_frames(guint width, guint height);

#endif
