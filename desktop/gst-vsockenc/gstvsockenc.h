/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gstvsockenc.h - the element's instance, shared by its class (gstvsockenc.c) and its encoding (encode.c).
 */
#ifndef GST_VSOCKENC_H
#define GST_VSOCKENC_H

#include <gst/video/gstvideoencoder.h>
#include "picture.h"
#include "stats.h"
#include "stream.h"

GST_DEBUG_CATEGORY_EXTERN(vsockenc_debug);

#define GST_TYPE_VSOCKENC (gst_vsockenc_get_type())
G_DECLARE_FINAL_TYPE(GstVsockEnc, gst_vsockenc, GST, VSOCKENC, GstVideoEncoder)

struct _GstVsockEnc {
    GstVideoEncoder parent;

    /* Properties; with the object lock. */
    guint cid, port;
    char *socket_path;
    guint bitrate;              /* kbit/s; 0 automatic */
    guint key_int_max;          /* frames; 0 none */
    guint timeout;              /* ms; 0 for ever */
    gboolean reconfigure;       /* one of those above changed while running */
    char *no_gpu;               /* why no DMA-BUF can be named; NULL: it can, or was not tried yet */
    VsockStats *stats;
    VsockAgreement agreement;   /* latest, for the stats */

    VsockStream *stream;        /* between start() and stop() */
    GError *gpu_error;          /* why source.gpu is NULL, between start() and stop() */

    /* With the encoder's stream lock. */
    VsockPictureSource source;
    GstVideoCodecState *input_state;
    guint32 width, height;      /* of the last picture asked for: the coded size follows */
    gboolean force_keyframe;    /* the next picture must be an IDR */
    guint since_keyframe;       /* pictures since the last forced one */
    gboolean gave_stats;        /* the message is out and nothing happened since */
    guint errors_in_row;
    guint32 coded_width, coded_height;  /* the host's word; 0: rounded up from the picture */
    GstFlowReturn flow;         /* of the latest push downstream */

    gint64 last_pts;            /* makes pts valid and unique where upstream's is not */
};

/* encode.c: the virtual methods of GstVideoEncoder. */
gboolean vsockenc_start(GstVideoEncoder *encoder);
gboolean vsockenc_stop(GstVideoEncoder *encoder);
gboolean vsockenc_set_format(GstVideoEncoder *encoder, GstVideoCodecState *state);
GstFlowReturn vsockenc_handle_frame(GstVideoEncoder *encoder, GstVideoCodecFrame *frame);
GstFlowReturn vsockenc_finish(GstVideoEncoder *encoder);
gboolean vsockenc_flush(GstVideoEncoder *encoder);

/* The property "stats"; freed by the caller. Any thread. */
GstStructure *vsockenc_stats(GstVsockEnc *self);
/* output.c: takes answers and pushes access units, on the source pad's task. */
void vsockenc_output_loop(gpointer element);
/* Post @error (taken over) as an element error. */
void vsockenc_post_error(GstVsockEnc *self, GError *error);

#endif
