/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * repeat.c - a keyframe, or a sign of life, on a screen that stands still: upstream gives no picture to make one of, so
 * the host is asked to encode its last picture again. A host that came back has none, and is given the last one that
 * upstream gave.
 *
 * The request goes the way of pictures, as an empty buffer given to the base class: its bookkeeping (which keyframe was
 * asked for, the event that tells downstream of it, times) stays right.
 */
#include <gst/video/video.h>
#include "gstvsockenc.h"
#include "../client/pixels.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* Of the 300 ms in which a keyframe has to come, upstream has these to bring a picture of its own. */
#define WAIT_FOR_PICTURE_MS 100

void vsockenc_want_keyframe(GstVsockEnc *self)
{
    VsockStream *stream = vsockenc_ref_stream(self);

    if (stream) {
        vsock_stream_want_picture(stream, WAIT_FOR_PICTURE_MS);
        vsock_stream_unref(stream);
    }
}

void vsockenc_note_picture(GstVsockEnc *self, GstVideoCodecFrame *frame)
{
    /* A picture that was drawn before a repeat of its predecessor was sent, and came after. */
    if (GST_CLOCK_TIME_IS_VALID(self->repeat_pts) && GST_CLOCK_TIME_IS_VALID(frame->pts) &&
        frame->pts <= self->repeat_pts) {
        frame->pts = ++self->repeat_pts; /* and maybe more of them */
    } else {
        self->repeat_pts = GST_CLOCK_TIME_NONE;
    }
    self->flushed = FALSE;
    self->given_pts = frame->pts;
    self->given_at = gst_element_get_current_running_time(GST_ELEMENT(self));
}

/* As much later than the last picture as it is now. A source that is not live has no now. */
static GstClockTime pts_of_now(GstVsockEnc *self)
{
    GstClockTime now = gst_element_get_current_running_time(GST_ELEMENT(self)), later = GST_MSECOND;
    GstClockTime last = GST_CLOCK_TIME_IS_VALID(self->repeat_pts) ? self->repeat_pts : self->given_pts;

    if (!GST_CLOCK_TIME_IS_VALID(last)) {
        return last;
    }
    if (self->live && GST_STATE(self) == GST_STATE_PLAYING && GST_CLOCK_TIME_IS_VALID(now) &&
        GST_CLOCK_TIME_IS_VALID(self->given_at) && now > self->given_at) {
        return MAX(self->given_pts + (now - self->given_at), last + 1);
    }
    return last + later;
}

/* With the sink pad's stream lock. */
static void chain_repeat(GstVsockEnc *self, GstPad *pad, gboolean keepalive)
{
    GstClockTime pts = pts_of_now(self);
    GstBuffer *buffer = gst_buffer_new();
    GstFlowReturn flow;

    GST_BUFFER_PTS(buffer) = pts;
    self->repeating = TRUE;
    self->keeping_alive = keepalive;
    /* Not gst_pad_chain(): probes there expect pictures. */
    flow = GST_PAD_CHAINFUNC(pad)(pad, GST_OBJECT(self), buffer);
    self->repeating = FALSE;
    GST_DEBUG_OBJECT(self, "repeat at %" GST_TIME_FORMAT ": %s", GST_TIME_ARGS(pts), gst_flow_get_name(flow));
}

/* A host that came back has nothing to repeat, and here may be nothing to give it. */
static gboolean has_picture(GstVsockEnc *self)
{
    gboolean has;

    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    has = self->last || !vsock_stream_wants_first(self->stream);
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    return has;
}

/* Not now, but later, if nothing comes meanwhile. */
static void put_off(GstVsockEnc *self, gboolean keepalive)
{
    if (keepalive) {
        vsock_stream_count_keepalive(self->stream, TRUE);
    } else {
        vsockenc_want_keyframe(self);
    }
}

void vsockenc_repeat(GstVsockEnc *self, gboolean keepalive)
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
    usable &= !self->flushed;
    GST_OBJECT_UNLOCK(pad);
    /* After a flush or a new segment it has no time until the next picture comes. */
    usable = usable && (!keepalive || GST_CLOCK_TIME_IS_VALID(self->given_pts));
    if (usable && has_picture(self)) {
        chain_repeat(self, pad, keepalive);
    }
    g_rec_mutex_unlock(GST_PAD_GET_STREAM_LOCK(pad));
}

static VsockPicture *once_more(GstVsockEnc *self, const VsockPicture *picture)
{
    vsock_stats_count(self->stats, VSOCK_COUNT_CPU_BYTES, picture->pixel_bytes);
    return vsock_picture_again(picture);
}

void vsockenc_keep_last(GstVsockEnc *self, const VsockPicture *picture)
{
    g_clear_pointer(&self->last, vsock_picture_free);
    if (picture && (self->keeps_last || picture->trial)) {
        self->last = once_more(self, picture);
    }
}

void vsockenc_last_as_pixels(GstVsockEnc *self)
{
    if (self->last && self->last->path == VSOCK_PATH_GUEST_COPY) {
        VsockPicture *pixels = vsock_pixels_again(self->last);

        vsock_picture_free(self->last);
        self->last = pixels;
    }
}

/* The first picture that a host is given once more, or NULL. */
static VsockPicture *first_again(GstVsockEnc *self)
{
    if (!vsock_stream_wants_first(self->stream)) {
        return NULL;
    }
    if (self->last && vsock_picture_needs(self->last) & ~vsock_stream_capabilities(self->stream)) {
        vsockenc_last_as_pixels(self);
    }
    return self->last ? once_more(self, self->last) : NULL;
}

GstFlowReturn vsockenc_handle_repeat(GstVsockEnc *self, GstVideoCodecFrame *frame)
{
    VsockPicture *first = first_again(self);
    gboolean forced = self->force_keyframe || self->host_owes || GST_VIDEO_CODEC_FRAME_IS_FORCE_KEYFRAME(frame);

    vsockenc_forget_host(self);
    if (!first && forced && vsock_stream_key_held(self->stream)) {
        self->force_keyframe = self->host_owes = FALSE;
    } else if (first || forced || self->keeping_alive || vsock_stream_wants_last(self->stream)) {
        self->repeat_pts = frame->pts;
        vsockenc_submit(self, frame, first);
        return GST_FLOW_OK;
    }
    /* A picture of upstream's is the keyframe: one that waits for the host, or came meanwhile. */
    vsockenc_give_up_frame(self, frame, FALSE, VSOCK_ANSWER_UNUSED);
    return GST_FLOW_OK;
}
