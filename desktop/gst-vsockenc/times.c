/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* times.c - see times.h. */
#include "input.h"
#include "times.h"

void vsockenc_times_reset(GstVsockEnc *self)
{
    *self->times = (VsockEncTimes){
        .last_pts = -1,
        .given_pts = GST_CLOCK_TIME_NONE,
        .given_at = GST_CLOCK_TIME_NONE,
        .repeat_pts = GST_CLOCK_TIME_NONE,
    };
}

void vsockenc_times_new_segment(GstVsockEnc *self)
{
    self->times->given_pts = self->times->repeat_pts = GST_CLOCK_TIME_NONE;
    self->times->last_pts = -1;
}

void vsockenc_times_flushed(GstVsockEnc *self)
{
    self->times->given_pts = self->times->repeat_pts = GST_CLOCK_TIME_NONE;
    self->times->flushed = TRUE;
}

void vsockenc_times_note_picture(GstVsockEnc *self, GstVideoCodecFrame *frame)
{
    VsockEncTimes *times = self->times;

    /* A picture that was drawn before a repeat of its predecessor was sent, and came after. */
    if (GST_CLOCK_TIME_IS_VALID(times->repeat_pts) && GST_CLOCK_TIME_IS_VALID(frame->pts) &&
        frame->pts <= times->repeat_pts) {
        frame->pts = ++times->repeat_pts; /* and maybe more of them */
    } else {
        times->repeat_pts = GST_CLOCK_TIME_NONE;
    }
    times->flushed = FALSE;
    times->given_pts = frame->pts;
    times->given_at = gst_element_get_current_running_time(GST_ELEMENT(self));
}

void vsockenc_times_note_repeat(GstVsockEnc *self, GstClockTime pts)
{
    self->times->repeat_pts = pts;
}

gboolean vsockenc_times_has_picture(GstVsockEnc *self)
{
    return !self->times->flushed;
}

gboolean vsockenc_times_is_known(GstVsockEnc *self)
{
    return GST_CLOCK_TIME_IS_VALID(self->times->given_pts);
}

/* Timestamps of a source that is not live do not follow the clock: its repeat comes 1 ms after the last picture. */
GstClockTime vsockenc_times_of_repeat(GstVsockEnc *self)
{
    const VsockEncTimes *times = self->times;
    GstClockTime now = gst_element_get_current_running_time(GST_ELEMENT(self)), later = GST_MSECOND;
    GstClockTime last = GST_CLOCK_TIME_IS_VALID(times->repeat_pts) ? times->repeat_pts : times->given_pts;

    if (!GST_CLOCK_TIME_IS_VALID(last)) {
        return last;
    }
    if (vsockenc_input_is_live(self) && GST_STATE(self) == GST_STATE_PLAYING && GST_CLOCK_TIME_IS_VALID(now) &&
        GST_CLOCK_TIME_IS_VALID(times->given_at) && now > times->given_at) {
        return MAX(times->given_pts + (now - times->given_at), last + 1);
    }
    return last + later;
}

GstClockTime vsockenc_times_wire_pts(GstVsockEnc *self, const GstVideoCodecFrame *frame)
{
    gint64 next = self->times->last_pts + 1, pts = GST_CLOCK_TIME_IS_VALID(frame->pts) ? (gint64)frame->pts : next;

    self->times->last_pts = MAX(pts, next);
    return (GstClockTime)self->times->last_pts;
}
