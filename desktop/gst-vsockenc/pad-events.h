/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pad-events.h - events and queries of both pads: the virtual methods of GstVideoEncoder. */
#ifndef VSOCKENC_PAD_EVENTS_H
#define VSOCKENC_PAD_EVENTS_H

#include <gst/video/gstvideoencoder.h>

/* pad-events.c */
gboolean vsockenc_sink_event(GstVideoEncoder *encoder, GstEvent *event);
gboolean vsockenc_src_event(GstVideoEncoder *encoder, GstEvent *event);
/* pad-queries.c */
gboolean vsockenc_sink_query(GstVideoEncoder *encoder, GstQuery *query);
gboolean vsockenc_propose_allocation(GstVideoEncoder *encoder, GstQuery *query);

#endif
