/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pad-events.c - see pad-events.h. */
#include <gst/video/video.h>
#include "pad-events.h"
#include "film-size.h"
#include "input.h"
#include "output.h"
#include "refresh.h"
#include "client-handle.h"
#include "times.h"

static GstVideoEncoderClass *base_class(void)
{
    return g_type_class_peek(GST_TYPE_VIDEO_ENCODER);
}

/*
 * The base class keeps events until their picture is pushed, and loses or misplaces the stream's start if that picture
 * is flushed or dropped. The first start goes before everything, so it can go at once.
 */
static gboolean is_first_start(GstVideoEncoder *encoder, GstEvent *event)
{
    g_autoptr(GstEvent) sent = NULL;

    if (GST_EVENT_TYPE(event) != GST_EVENT_STREAM_START) {
        return FALSE;
    }
    sent = gst_pad_get_sticky_event(encoder->srcpad, GST_EVENT_STREAM_START, 0);
    return sent == NULL;
}

static void begin_flush(GstVsockEnc *self)
{
    g_autoptr(HelixClient) client = vsockenc_ref_client(self);

    if (client) {
        helix_client_set_flushing(client, TRUE);
    }
    vsockenc_eos_forget(self);
}

gboolean vsockenc_sink_event(GstVideoEncoder *encoder, GstEvent *event)
{
    GstVsockEnc *self = GST_VSOCKENC(encoder);
    gboolean flush = GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_START;
    g_autoptr(GstCaps) caps = NULL;
    GstCaps *parsed;
    gboolean ret;

    if (is_first_start(encoder, event)) {
        gst_pad_push_event(encoder->srcpad, event);
        return TRUE;
    }
    if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) {
        vsockenc_times_new_segment(self);
    }
    if (GST_EVENT_TYPE(event) == GST_EVENT_STREAM_START) {
        vsockenc_eos_finish_previous(self);
    }
    if (GST_EVENT_TYPE(event) == GST_EVENT_EOS && vsockenc_eos_defer(self, event)) {
        gst_event_unref(event);
        return TRUE;
    }
    if (flush) {
        begin_flush(self);
    }
    if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
        gst_event_parse_caps(event, &parsed);
        caps = gst_caps_ref(parsed);
    }
    ret = base_class()->sink_event(encoder, event);
    if (caps && ret) {
        ret = vsockenc_input_compare_caps(self, caps);
    }
    if (flush) {
        /* Downstream flushes too by now, so the task comes back. Paused, not stopped: it may be this very thread. */
        gst_pad_pause_task(encoder->srcpad);
    }
    return ret;
}

gboolean vsockenc_src_event(GstVideoEncoder *encoder, GstEvent *event)
{
    GstClockTime running_time = GST_CLOCK_TIME_NONE;
    gboolean now = gst_video_event_is_force_key_unit(event) &&
        gst_video_event_parse_upstream_force_key_unit(event, &running_time, NULL, NULL) &&
        !GST_CLOCK_TIME_IS_VALID(running_time);
    gboolean ret;

    if (GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE) {
        vsockenc_film_size_renegotiate(GST_VSOCKENC(encoder));
        vsockenc_flow_relinked(GST_VSOCKENC(encoder)); /* before a queue upstream hears of it, and goes on */
    }
    ret = base_class()->src_event(encoder, event);
    if (now) {
        vsockenc_refresh_want_keyframe(GST_VSOCKENC(encoder));
    }
    return ret;
}
