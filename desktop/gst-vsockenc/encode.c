/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* encode.c - see encode.h. */
#include "client-handle.h"
#include "config.h"
#include "encode.h"
#include "film-size.h"
#include "input.h"
#include "kept.h"
#include "keyframe.h"
#include "latency.h"
#include "output.h"
#include "path.h"
#include "properties.h"
#include "refresh.h"
#include "send.h"
#include "stats.h"
#include "submit.h"
#include "times.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* New caps or EOS of a live source wait this long for the frames under way. */
#define DRAIN_MS 90

/* Wait until the host can take one more picture; a live source waits for its first negotiation only. */
static HelixClientWait wait_for_host(GstVsockEnc *self)
{
    HelixClientWait state;

    vsockenc_output_run(self);
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    state = helix_client_wait_room(vsockenc_client(self), vsockenc_input_is_live(self));
    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    return state;
}

/* ---- format ---- */

/* A live source waits for DRAIN_MS at most. Frames still under way then keep their place before those of the new
 * format. */
static gboolean end_format(GstVsockEnc *self)
{
    HelixClientWait state = vsockenc_drain(self, DRAIN_MS);

    if (state == HELIX_CLIENT_WAIT_TIMEOUT) {
        helix_client_skip_held(vsockenc_client(self));
    }
    return state == HELIX_CLIENT_WAIT_READY || state == HELIX_CLIENT_WAIT_TIMEOUT;
}

gboolean vsockenc_set_format(GstVideoEncoder *encoder, GstVideoCodecState *state)
{
    GstVsockEnc *self = GST_VSOCKENC(encoder);

    if (vsockenc_input_get_state(self) && !end_format(self)) {
        return FALSE;
    }
    vsockenc_kept_forget(self);
    if (!vsockenc_input_set_state(self, state)) {
        return FALSE;
    }
    helix_client_set_still_source(vsockenc_client(self), vsockenc_input_is_live(self));
    vsockenc_latency_update(self, 0);
    vsockenc_configure(self);
    vsockenc_keyframe_look_downstream(self);
    return TRUE;
}

/* ---- pictures ---- */

static gboolean is_late(GstVsockEnc *self, GstVideoCodecFrame *frame)
{
    GstVideoEncoder *encoder = GST_VIDEO_ENCODER(self);

    return gst_video_encoder_is_qos_enabled(encoder) && gst_video_encoder_get_max_encode_time(encoder, frame) < 0;
}

GstFlowReturn vsockenc_handle_frame(GstVideoEncoder *encoder, GstVideoCodecFrame *frame)
{
    GstVsockEnc *self = GST_VSOCKENC(encoder);
    HelixClientWait state;
    GstFlowReturn flow;
    gboolean forced, resized;

    if (vsockenc_refresh_is_repeating(self)) {
        return vsockenc_refresh_handle(self, frame);
    }
    vsockenc_kept_forget(self);
    vsockenc_times_note_picture(self, frame);
    resized = vsockenc_input_is_resized(self, frame->input_buffer);
    resized |= vsockenc_film_size_changed(self, self->input->width, self->input->height);
    if (vsockenc_properties_changed(self) || resized) {
        vsockenc_configure(self);
        vsockenc_keyframe_look_downstream(self);
    }
    state = wait_for_host(self);
    /* If this picture is given up, the next one becomes the keyframe that was requested. */
    forced = GST_VIDEO_CODEC_FRAME_IS_FORCE_KEYFRAME(frame);
    if (state != HELIX_CLIENT_WAIT_READY) {
        vsockenc_give_up_frame(self, frame, forced, HELIX_CLIENT_EVENT_GIVEN_UP);
        return vsockenc_flow_after(self, state);
    }
    if (is_late(self, frame)) {
        vsockenc_give_up_frame(self, frame, forced, HELIX_CLIENT_EVENT_LATE);
        return vsockenc_flow_downstream(self);
    }
    /* The flow return of an earlier access unit does not keep this picture from being sent: downstream may take it, as
     * after the pad was linked again. */
    flow = vsockenc_send(self, frame);
    return flow == GST_FLOW_OK ? vsockenc_flow_downstream(self) : flow;
}

/* ---- drain and flush ---- */

GstFlowReturn vsockenc_finish(GstVideoEncoder *encoder)
{
    GstVsockEnc *self = GST_VSOCKENC(encoder);
    HelixClientWait state = vsockenc_eos_is_pushing(self) ? HELIX_CLIENT_WAIT_READY : vsockenc_drain(self, DRAIN_MS);
    GstFlowReturn flow = vsockenc_flow_after(self, state);

    vsockenc_kept_forget(self);
    vsockenc_stats_post(self);
    return flow;
}

/* After FLUSH_STOP: the task is paused, no thread waits. */
gboolean vsockenc_flush(GstVideoEncoder *encoder)
{
    GstVsockEnc *self = GST_VSOCKENC(encoder);
    HelixClient *client = vsockenc_client(self);

    if (!client) {
        return TRUE;
    }
    helix_client_discard(client);
    vsockenc_eos_forget(self); /* one that came while FLUSH_START went through */
    vsockenc_kept_forget(self);
    /* A keyframe that was asked for between two pictures is due too, and downstream forgot what came before. */
    vsockenc_keyframe_want(self, TRUE);
    vsockenc_flow_flushed(self);
    vsockenc_times_flushed(self);
    helix_client_set_flushing(client, FALSE);
    return TRUE;
}
