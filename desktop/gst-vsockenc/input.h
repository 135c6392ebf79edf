/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* input.h - what caps say of upstream's pictures: size, format, memory, colours. All with the stream lock, unless said.
 */
#ifndef VSOCKENC_INPUT_H
#define VSOCKENC_INPUT_H

#include "element.h"
#include "path-selection.h"

typedef struct VsockEncInput {
    GstVideoCodecState *state; /* NULL: no caps yet */
    GstVideoInfo given_info;   /* how upstream gives pictures; DMA_DRM turned into its format */
    GstVideoInfo info;         /* how they go to the host: in other colours, maybe */
    guint64 modifier;          /* of DMA-BUFs */
    gboolean dmabuf_caps;
    guint32 width, height; /* of the last picture asked for: the coded size follows */
    gboolean live;         /* upstream cannot wait: pictures are dropped rather than held up */
} VsockEncInput;

/* New caps, of the base class. FALSE: an error was posted. */
gboolean vsockenc_input_set_state(GstVsockEnc *self, GstVideoCodecState *state);
/* The same for a change that the base class does not see: of DRM format, modifier or memory alone. Takes the lock. */
gboolean vsockenc_input_compare_caps(GstVsockEnc *self, const GstCaps *caps);
void vsockenc_input_clear(GstVsockEnc *self);
/* NULL before the first caps. Also on the thread that upstream pushes on, without the lock. */
GstVideoCodecState *vsockenc_input_get_state(GstVsockEnc *self);
gboolean vsockenc_input_is_live(GstVsockEnc *self);
/* The time of one frame. */
GstClockTime vsockenc_input_frame_time(GstVsockEnc *self);
/* kbit/s that the pictures have uncompressed. */
guint64 vsockenc_input_raw_kbps(GstVsockEnc *self);
/* Size, frame rate and colours, for the host. */
void vsockenc_input_describe(GstVsockEnc *self, HelixClientConfig *config);
/* For vsockenc_frame_new(): all but the client and its GPU. */
void vsockenc_input_fill_source(GstVsockEnc *self, VsockEncFrameSource *source);
/* Whether @buffer's picture has another size than the one before. */
gboolean vsockenc_input_is_resized(GstVsockEnc *self, GstBuffer *buffer);
/* Make @frame's picture one whose colours the host's SPS is right about. NULL, or why it cannot be. */
GError *vsockenc_input_fit_colours(GstVsockEnc *self, GstVideoCodecFrame *frame);
/* HelixClientCapability bits of the hosts whose SPS is right about pictures as they go to the host now. */
guint32 vsockenc_input_required(GstVsockEnc *self);

#endif
