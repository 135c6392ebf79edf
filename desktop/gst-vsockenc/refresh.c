/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* refresh.c - see refresh.h. */
#include <gst/video/video.h>
#include "kept.h"
#include "keyframe.h"
#include "path.h"
#include "refresh.h"
#include "client-handle.h"
#include "submit.h"
#include "times.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* Of the 300 ms in which a keyframe has to come, upstream has these to bring a picture of its own. */
#define WAIT_FOR_PICTURE_MS 100
/* Attempts, 100 ms apart, at having the host repeat its last picture. */
#define MAX_FAILURES 10

void vsockenc_refresh_reset(GstVsockEnc *self)
{
    *self->refresh = (VsockEncRefresh){ 0 };
}

void vsockenc_refresh_want_keyframe(GstVsockEnc *self)
{
    g_autoptr(HelixClient) client = vsockenc_ref_client(self);

    if (client) {
        helix_client_want_frame(client, WAIT_FOR_PICTURE_MS);
    }
}

void vsockenc_refresh_forget_failures(GstVsockEnc *self)
{
    g_atomic_int_set(&self->refresh->failures, 0);
}

/* ---- repeating ---- */

/* With the sink pad's stream lock. */
static void chain_repeat(GstVsockEnc *self, GstPad *pad, gboolean keepalive)
{
    GstClockTime pts = vsockenc_times_of_repeat(self);
    GstBuffer *buffer = gst_buffer_new();
    GstFlowReturn flow;

    GST_BUFFER_PTS(buffer) = pts;
    self->refresh->repeating = TRUE;
    self->refresh->keeping_alive = keepalive;
    /* Not gst_pad_chain(): probes there expect pictures. */
    flow = GST_PAD_CHAINFUNC(pad)(pad, GST_OBJECT(self), buffer);
    self->refresh->repeating = FALSE;
    GST_DEBUG_OBJECT(self, "repeat at %" GST_TIME_FORMAT ": %s", GST_TIME_ARGS(pts), gst_flow_get_name(flow));
}

/* A host that reconnected has no picture to repeat, and there may be no kept one to send. */
static gboolean has_picture(GstVsockEnc *self)
{
    gboolean has;

    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    has = vsockenc_kept_is_there(self) || !helix_client_needs_initial_frame(vsockenc_client(self));
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    return has;
}

/* Try again later, if no picture comes meanwhile. */
static void put_off(GstVsockEnc *self, gboolean keepalive)
{
    if (keepalive) {
        helix_client_restart_keepalive(vsockenc_client(self), TRUE);
    } else {
        vsockenc_refresh_want_keyframe(self);
    }
}

void vsockenc_refresh_repeat(GstVsockEnc *self, gboolean keepalive)
{
    GstPad *pad = GST_VIDEO_ENCODER_SINK_PAD(self);
    gboolean usable;

    /* Time stands still in PAUSED. Another thread that has the lock brings a picture, or ends the stream. */
    if ((keepalive && GST_STATE(self) != GST_STATE_PLAYING) || !g_rec_mutex_trylock(GST_PAD_GET_STREAM_LOCK(pad))) {
        put_off(self, keepalive);
        return;
    }
    GST_OBJECT_LOCK(pad);
    usable = !GST_PAD_IS_FLUSHING(pad) && !GST_PAD_IS_EOS(pad) && GST_PAD_IS_ACTIVE(pad);
    /* The host's last picture is from before, and would go out before the segment. The next is a keyframe anyway. */
    usable &= vsockenc_times_has_picture(self);
    GST_OBJECT_UNLOCK(pad);
    /* After a flush or a new segment it has no time until the next picture comes. */
    usable = usable && (!keepalive || vsockenc_times_is_known(self));
    if (usable && has_picture(self)) {
        chain_repeat(self, pad, keepalive);
    }
    g_rec_mutex_unlock(GST_PAD_GET_STREAM_LOCK(pad));
}

gboolean vsockenc_refresh_is_repeating(GstVsockEnc *self)
{
    return self->refresh->repeating;
}

GstFlowReturn vsockenc_refresh_handle(GstVsockEnc *self, GstVideoCodecFrame *frame)
{
    HelixClient *client = vsockenc_client(self);
    HelixClientFrame *first = vsockenc_kept_make_first(self);
    gboolean due = vsockenc_keyframe_is_due(self, frame);

    vsockenc_path_update_buffers(self);
    if (!first && due && helix_client_force_keyframe(client)) {
        vsockenc_keyframe_satisfied(self);
    } else if (first || due || self->refresh->keeping_alive || helix_client_needs_repeat(client)) {
        vsockenc_times_note_repeat(self, frame->pts);
        vsockenc_submit(self, frame, first);
        return GST_FLOW_OK;
    }
    /* No repeat is needed: a picture of upstream's that came meanwhile is the keyframe, or the held one becomes it. */
    vsockenc_give_up_frame(self, frame, FALSE, HELIX_CLIENT_EVENT_UNUSED);
    return GST_FLOW_OK;
}

gboolean vsockenc_refresh_is_wanted_after(GstVsockEnc *self, const HelixClientEvent *event)
{
    HelixClient *client = vsockenc_client(self);
    gboolean is_error = event->type == HELIX_CLIENT_EVENT_ERROR;

    if (!event->was_repeat) {
        return event->was_forced || helix_client_needs_initial_frame(client) || helix_client_needs_repeat(client);
    }
    if (is_error && !helix_client_code_is_transient(event->code)) {
        helix_client_restart_keepalive(client, FALSE); /* this picture it cannot repeat */
    }
    return (event->type == HELIX_CLIENT_EVENT_DROPPED || (is_error && helix_client_code_is_transient(event->code)) ||
            helix_client_needs_initial_frame(client)) &&
        g_atomic_int_add(&self->refresh->failures, 1) + 1 < MAX_FAILURES;
}
