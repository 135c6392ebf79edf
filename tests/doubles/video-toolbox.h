/* SPDX-License-Identifier: GPL-2.0-or-later */
/* video-toolbox.h - the encoder inside the VideoToolbox double, and what its files know of each other. */
#ifndef DOUBLE_VIDEO_TOOLBOX_INNER_H
#define DOUBLE_VIDEO_TOOLBOX_INNER_H

#include "core-video.h"

/* In @call: wait if a test has ordered it to hang. TRUE: it hung, and is to fail. */
gboolean double_vt_hang_here(DoubleVtHang call);

typedef struct DoubleCoder DoubleCoder;

/* libx264 behind it: one in, one out, no reordering. */
DoubleCoder *double_coder_new(guint width, guint height, guint profile);
void double_coder_free(DoubleCoder *coder);
/* Encode @buffer; gives a sample, in the shape ordered. @bitrate may change from frame to frame. */
CMSampleBufferRef double_coder_encode(DoubleCoder *coder, const DoubleBuffer *buffer, const DoubleVtOrders *orders,
                                      gboolean force_idr, gint64 bitrate);

#endif
