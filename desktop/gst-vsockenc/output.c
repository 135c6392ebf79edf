/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* output.c - the source pad's task takes the library's events as soon as they are there; see output.h. */
#include "client-handle.h"
#include "config.h"
#include "kept.h"
#include "keyframe.h"
#include "latency.h"
#include "output.h"
#include "path.h"
#include "refresh.h"

#define GST_CAT_DEFAULT vsockenc_debug

void vsockenc_output_reset(GstVsockEnc *self)
{
    self->output->flow = GST_FLOW_OK;
    self->output->errors_in_row = 0;
}

void vsockenc_output_clear(GstVsockEnc *self)
{
    vsockenc_eos_forget(self);
    vsockenc_output_clear_caps(self);
    vsockenc_tags_clear(self);
}

guint vsockenc_output_count_error(GstVsockEnc *self)
{
    return ++self->output->errors_in_row;
}

/* ---- frames without an access unit ---- */

static void drop(GstVsockEnc *self, HelixClientEvent *event)
{
    GstVideoEncoder *encoder = GST_VIDEO_ENCODER(self);
    GstVideoCodecFrame *frame = helix_client_event_steal_frame_data(event);

#if GST_CHECK_VERSION(1, 26, 0)
    if (event->type == HELIX_CLIENT_EVENT_UNUSED) {
        gst_video_encoder_release_frame(encoder, frame);
    } else {
        gst_video_encoder_drop_frame(encoder, frame);
    }
#else
    gst_video_encoder_finish_frame(encoder, frame);
#endif
}

/* No access unit comes of @event's frame. A pending keyframe, the stream's first picture and its latest one are
 * requested again, even if no picture follows. */
static void drop_and_ask_again(GstVsockEnc *self, HelixClientEvent *event)
{
    gboolean wanted;

    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    vsockenc_keyframe_set_pending(self, event->was_forced);
    drop(self, event);
    wanted = vsockenc_refresh_is_wanted_after(self, event);
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    if (wanted) {
        vsockenc_refresh_want_keyframe(self);
    }
}

static GstFlowReturn refuse(GstVsockEnc *self, const HelixClientEvent *event)
{
    guint in_row;

    if (event->was_repeat || helix_client_event_refuses_copy_mode(event)) {
        GST_INFO_OBJECT(self, "the host refuses a repeat or a copy mode: %s", event->message);
        return GST_FLOW_OK;
    }
    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    in_row = vsockenc_output_count_error(self);
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    if (in_row >= VSOCKENC_MAX_ERRORS_IN_ROW) {
        GST_ELEMENT_ERROR(self, STREAM, ENCODE, ("The host refused %u pictures in a row: %s", in_row, event->message),
                          ("error %d", event->code));
        return GST_FLOW_ERROR;
    }
    if (in_row == 1 && event->code != HELIX_CLIENT_HOST_BUSY) {
        GST_ELEMENT_WARNING(self, STREAM, ENCODE, ("The host refused a picture: %s", event->message),
                            ("error %d", event->code));
    }
    return GST_FLOW_OK;
}

static GstFlowReturn take_error(GstVsockEnc *self, HelixClientEvent *event)
{
    GstFlowReturn flow = GST_FLOW_OK;

    if (!vsockenc_path_take_refusal(self, event)) {
        flow = refuse(self, event);
        drop_and_ask_again(self, event);
    }
    return flow;
}

/* ---- access units ---- */

static GstFlowReturn push_unit(GstVsockEnc *self, HelixClientEvent *event)
{
    GstVideoCodecFrame *frame = event->frame_data;

    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    self->output->errors_in_row = 0;
    vsockenc_refresh_forget_failures(self);
    vsockenc_kept_note_unit(self, event);
    vsockenc_keyframe_came(self, event->keyframe);
    vsockenc_latency_update(self, event->took_us);
    vsockenc_output_update_caps(self, event);
    frame->output_buffer = vsockenc_output_buffer(self, event);
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    if (event->keyframe) {
        GST_VIDEO_CODEC_FRAME_SET_SYNC_POINT(frame);
    }
    frame->dts = frame->pts;
    helix_client_event_steal_frame_data(event);
    return gst_video_encoder_finish_frame(GST_VIDEO_ENCODER(self), frame);
}

/* ---- the task ---- */

static GstFlowReturn take(GstVsockEnc *self, HelixClientEvent *event)
{
    switch (event->type) {
    case HELIX_CLIENT_EVENT_CONFIGURED:
        vsockenc_config_take(self, event);
        vsockenc_tags_follow_config(self);
        break;
    case HELIX_CLIENT_EVENT_CONFIG_REFUSED:
        vsockenc_config_take_refusal(self, event);
        break;
    case HELIX_CLIENT_EVENT_ACCESS_UNIT:
        return push_unit(self, event);
    case HELIX_CLIENT_EVENT_ERROR:
        return take_error(self, event);
    case HELIX_CLIENT_EVENT_DROPPED:
    case HELIX_CLIENT_EVENT_SKIPPED:
    case HELIX_CLIENT_EVENT_LOST:
        drop_and_ask_again(self, event);
        break;
    case HELIX_CLIENT_EVENT_LATE:
    case HELIX_CLIENT_EVENT_GIVEN_UP:
    case HELIX_CLIENT_EVENT_UNUSED:
        drop(self, event);
        break;
    case HELIX_CLIENT_EVENT_REPEAT:
    case HELIX_CLIENT_EVENT_KEEPALIVE:
        vsockenc_refresh_repeat(self, event->type == HELIX_CLIENT_EVENT_KEEPALIVE);
        break;
    case HELIX_CLIENT_EVENT_DRAINED: /* output_loop() pushes EOS */
    default:                         /* the connection's state: a function is called for it */
        break;
    }
    return GST_FLOW_OK;
}

static void output_loop(gpointer element)
{
    GstVsockEnc *self = element;
    HelixClientEvent *event = helix_client_wait_event(vsockenc_client(self));
    gboolean pushes = event && event->type == HELIX_CLIENT_EVENT_ACCESS_UNIT;
    gboolean drained = event && event->type == HELIX_CLIENT_EVENT_DRAINED;
    VsockEncPush push = pushes ? vsockenc_flow_begin(self) : (VsockEncPush){ 0 };
    GstFlowReturn flow;

    if (!event) {
        gst_pad_pause_task(GST_VIDEO_ENCODER_SRC_PAD(self));
        if (!helix_client_is_flushing(vsockenc_client(self))) {
            /* The flush has ended, and a picture that came meanwhile found the task still running. */
            vsockenc_output_run(self);
        }
        return;
    }
    flow = take(self, event);
    if (!pushes && flow != GST_FLOW_OK) {
        push = vsockenc_flow_begin(self);
    }
    if (pushes || flow != GST_FLOW_OK) {
        vsockenc_flow_end(self, &push, flow);
    }
    helix_client_event_free(event);
    if (drained) {
        vsockenc_eos_push(self); /* last: the base class drains */
    }
}

void vsockenc_output_run(GstVsockEnc *self)
{
    GstPad *pad = GST_VIDEO_ENCODER_SRC_PAD(self);

    if (gst_pad_get_task_state(pad) != GST_TASK_STARTED) {
        gst_pad_start_task(pad, output_loop, self, NULL);
    }
}
