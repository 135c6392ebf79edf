/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * encode.h - the input side: format, pictures, drain, flush. With the stream lock, which they give up while waiting for
 * the host: the task that takes its answers needs it.
 */
#ifndef VSOCKENC_ENCODE_H
#define VSOCKENC_ENCODE_H

#include "element.h"

/* Virtual methods of GstVideoEncoder. */
gboolean vsockenc_set_format(GstVideoEncoder *encoder, GstVideoCodecState *state);
GstFlowReturn vsockenc_handle_frame(GstVideoEncoder *encoder, GstVideoCodecFrame *frame);
GstFlowReturn vsockenc_finish(GstVideoEncoder *encoder);
gboolean vsockenc_flush(GstVideoEncoder *encoder);

#endif
