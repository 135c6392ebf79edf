/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flow.c - what downstream returned for an access unit, told to upstream with a later picture; see output.h. */
#include "output.h"

#define GST_CAT_DEFAULT vsockenc_debug

static void post_not_negotiated(GstVsockEnc *self)
{
    GstVideoCodecState *state = gst_video_encoder_get_output_state(GST_VIDEO_ENCODER(self));
    g_autofree char *caps = state ? gst_caps_to_string(state->caps) : NULL;

    GST_ELEMENT_ERROR(
        self, CORE, NEGOTIATION,
        ("Downstream does not accept the host's stream. If the caps after vsockenc ask for a level, size, frame "
         "rate and bitrate must fit it: lower them, or raise the level."),
        ("the stream is %s", caps ? caps : "unknown"));
    g_clear_pointer(&state, gst_video_codec_state_unref);
}

void vsockenc_flow_flushed(GstVsockEnc *self)
{
    self->output->flow = GST_FLOW_OK;
    self->output->flushes++;
}

void vsockenc_flow_relinked(GstVsockEnc *self)
{
    g_atomic_int_inc(&self->output->relinks);
}

GstFlowReturn vsockenc_flow_downstream(const GstVsockEnc *self)
{
    const VsockEncOutput *output = self->output;
    /* "Not linked" is outdated once the pad was linked. */
    gboolean old = output->flow == GST_FLOW_NOT_LINKED && output->flow_relinks != g_atomic_int_get(&output->relinks);

    return old ? GST_FLOW_OK : output->flow;
}

GstFlowReturn vsockenc_flow_after(const GstVsockEnc *self, HelixClientWait state)
{
    GstFlowReturn flow = vsockenc_flow_downstream(self);

    if (flow != GST_FLOW_OK) {
        return flow;
    }
    switch (state) {
    case HELIX_CLIENT_WAIT_FLUSHING:
        return GST_FLOW_FLUSHING;
    case HELIX_CLIENT_WAIT_FAILED:
        return GST_FLOW_ERROR;
    default:
        return GST_FLOW_OK;
    }
}

VsockEncPush vsockenc_flow_begin(GstVsockEnc *self)
{
    VsockEncPush push = { .relinks = g_atomic_int_get(&self->output->relinks) };

    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    push.flushes = self->output->flushes;
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    return push;
}

void vsockenc_flow_end(GstVsockEnc *self, const VsockEncPush *push, GstFlowReturn flow)
{
    VsockEncOutput *output = self->output;
    gboolean not_negotiated;

    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    if (push->flushes != output->flushes) {
        flow = GST_FLOW_OK; /* downstream seeked from within the push: that is over */
    }
    not_negotiated = flow == GST_FLOW_NOT_NEGOTIATED && output->flow != flow;
    output->flow = flow;
    output->flow_relinks = push->relinks;
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    if (flow != GST_FLOW_OK) {
        GST_DEBUG_OBJECT(self, "push: %s", gst_flow_get_name(flow));
    }
    if (not_negotiated) {
        post_not_negotiated(self);
    }
}
