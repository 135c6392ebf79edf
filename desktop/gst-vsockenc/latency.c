/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* latency.c - see latency.h. */
#include "input.h"
#include "latency.h"
#include "client-handle.h"

/* Frames in a row that take longer than reported until a higher latency is reported: a third of a second at 30 fps.
 * The first ones wait until the host has opened its encoder, and say nothing of the rest. */
#define SLOW_IN_ROW 10

void vsockenc_latency_reset(GstVsockEnc *self)
{
    *self->latency = (VsockEncLatency){ 0 };
}

void vsockenc_latency_update(GstVsockEnc *self, gint64 took_us)
{
    VsockEncLatency *latency = self->latency;
    GstClockTime frame = vsockenc_input_frame_time(self);
    guint depth = helix_client_get_max_in_flight(vsockenc_client(self)), needed;

    /* A frame is in the encoder while the next is drawn; on a slow host others wait behind it. One that takes long
     * now and then (the first, an IDR) is no reason for more; what was told once is not taken back. */
    needed = (guint)CLAMP((GstClockTime)took_us * GST_USECOND / MAX(frame, 1) + 1, 1, depth);
    latency->slow_in_row = needed > latency->frames ? latency->slow_in_row + 1 : 0;
    if (latency->frames == 0 || latency->slow_in_row >= SLOW_IN_ROW) {
        latency->frames = needed;
        latency->slow_in_row = 0;
    }
    gst_video_encoder_set_latency(GST_VIDEO_ENCODER(self), latency->frames * frame,
                                  MAX(latency->frames, depth) * frame);
}
