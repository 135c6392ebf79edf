/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream-config.h - the configuration of one stream, as CONFIG_REQ and CONFIG_RESP carry it.
 *
 * In a request 0 means automatic or unchanged; encoders get it with every automatic value resolved (encode/encoder.h).
 */
#ifndef HELIX_STREAM_CONFIG_H
#define HELIX_STREAM_CONFIG_H

#include <glib.h>

/* What a sequence parameter set tells decoders of the pictures (H.264, E.2.1). All 0: square samples, BT.709 in limited
 * range. */
typedef struct HelixVui {
    guint16 sar_width, sar_height;      /* sample aspect ratio; both 0: 1:1 */
    guint8 primaries, transfer, matrix; /* code points of tables E-3 to E-5; 0: BT.709 */
    guint8 full_range;                  /* video_full_range_flag */
    guint32 chroma_loc;                 /* chroma_sample_loc_type plus 1; 0: the encoder's own */
} HelixVui;

typedef struct HelixStreamConfig {
    guint32 width, height; /* coded size in pixels; 0: the size of the pictures */
    guint32 bitrate;       /* bit/s */
    guint32 max_bitrate;   /* bit/s; 0 none */
    guint32 fps_num, fps_den;
    guint32 key_int_max; /* frames; 0 none: IDRs on request only */
    guint8 profile;      /* profile_idc: 66, 77, 100 */
    guint8 level;        /* times 10; 0 automatic */
    guint8 realtime;
    guint8 rate_control;   /* HELIX_RATE_ */
    guint8 min_qp, max_qp; /* 0 automatic */
    guint8 slices;         /* 0 automatic */
    guint8 aud;            /* access unit delimiters */
    guint8 letterbox;      /* scaled pictures keep their shape, with black borders */
    HelixVui vui;          /* of NV12 pictures: RGB is converted to BT.709, which the guest says by zeros */
} HelixStreamConfig;

/* A CONFIG_REQ as it was sent. */
typedef struct HelixConfigRequest {
    HelixStreamConfig config;
    gboolean is_long; /* the members behind the frozen 28 bytes were sent */
    gboolean has_vui; /* config.vui and config.letterbox were sent too */
} HelixConfigRequest;

/* The configuration asked for by @request, which follows @before. 0 keeps the value of @before; a size of 0 means the
 * size of the pictures. Any thread. */
HelixStreamConfig helix_config_request_merge(const HelixStreamConfig *before, const HelixConfigRequest *request);

#endif
