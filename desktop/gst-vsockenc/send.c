/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* send.c - send a picture by the path that path-selection.c chooses, and by the next if the host refuses it; see
 * path.h. */
#include "client-handle.h"
#include "errors.h"
#include "input.h"
#include "kept.h"
#include "keyframe.h"
#include "output.h"
#include "path.h"
#include "send.h"
#include "submit.h"
#include "upstream-source.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* @why: what is known of this picture; what upstream does is added. */
static void tell_path(GstVsockEnc *self, const VsockEncFrameSource *source, HelixClientPath path, const char *why)
{
    g_autofree char *text = NULL;
    const char *upstream;

    if (path != HELIX_CLIENT_PATH_DMABUF && !source->dmabuf_caps) {
        upstream = vsockenc_upstream_without_dmabuf(GST_VIDEO_ENCODER_SINK_PAD(self));
        text = g_strconcat("Upstream gives plain memory", upstream ? ": " : "", upstream ? upstream : "", ".",
                           why ? " " : "", why ? why : "", NULL);
    }
    vsockenc_path_tell(self, path, text ? text : why);
}

gboolean vsockenc_path_take_refusal(GstVsockEnc *self, HelixClientEvent *event)
{
    VsockEncPath *path = self->path;
    gboolean taken;

    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    taken = path->probe && event->frame_data == path->probe && helix_client_code_is_about_path(event->code);
    if (taken) {
        helix_client_event_take_back(event);
        path->probe_refusal = g_strdup(event->message);
        vsockenc_keyframe_want(self, event->was_forced);
    } else if (helix_client_event_refuses_copy_mode(event)) {
        vsockenc_kept_use_pixels(self); /* it is not sent in another mode: this one goes with every host */
    }
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    return taken;
}

/* Send and wait for the host's word. TRUE: done, @flow says how. FALSE: the host cannot read it; the frame is back. */
static gboolean probe(GstVsockEnc *self, GstVideoCodecFrame *frame, HelixClientFrame *picture, GstFlowReturn *flow)
{
    g_autoptr(GstBuffer) input = gst_buffer_ref(frame->input_buffer);
    g_autofree char *refusal = NULL;
    gboolean forced = GST_VIDEO_CODEC_FRAME_IS_FORCE_KEYFRAME(frame);
    HelixClientWait state;

    self->path->probe = frame;
    vsockenc_submit(self, frame, picture);
    /* A live source waits no longer: a word that comes later is one on the copy mode, but not waited for. */
    state = vsockenc_drain(self, HELIX_CLIENT_NEGOTIATE_MS);
    *flow = vsockenc_flow_after(self, state);
    self->path->probe = NULL;
    refusal = g_steal_pointer(&self->path->probe_refusal);
    if (!refusal) {
        return TRUE; /* if it was dropped or lost, the next one probes */
    }
    gst_buffer_replace(&frame->input_buffer, input);
    if (state == HELIX_CLIENT_WAIT_FLUSHING || state == HELIX_CLIENT_WAIT_FAILED) {
        vsockenc_give_up_frame(self, frame, forced, HELIX_CLIENT_EVENT_GIVEN_UP);
        return TRUE;
    }
    return FALSE;
}

/* There is no picture in @frame to send; @error (taken over) says why. Of one that is not drawn in time others may
 * follow. */
static GstFlowReturn no_picture(GstVsockEnc *self, GstVideoCodecFrame *frame, gboolean forced, GError *error)
{
    guint in_row = g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY)
        ? vsockenc_output_count_error(self)
        : VSOCKENC_MAX_ERRORS_IN_ROW;
    gboolean passes = in_row < VSOCKENC_MAX_ERRORS_IN_ROW;

    if (!passes) {
        vsockenc_post_error(self, error);
    } else {
        if (in_row == 1) {
            GST_ELEMENT_WARNING(self, RESOURCE, BUSY, ("A picture was dropped. %s", error->message), (NULL));
        }
        g_error_free(error);
    }
    vsockenc_give_up_frame(self, frame, forced, HELIX_CLIENT_EVENT_GIVEN_UP);
    return passes ? GST_FLOW_OK : GST_FLOW_ERROR;
}

GstFlowReturn vsockenc_send(GstVsockEnc *self, GstVideoCodecFrame *frame)
{
    gboolean forced = GST_VIDEO_CODEC_FRAME_IS_FORCE_KEYFRAME(frame), done = FALSE;
    VsockEncFrameSource source = { .client = vsockenc_client(self), .gpu_error = self->path->gpu_error };
    GstFlowReturn flow = GST_FLOW_OK;
    GError *error = vsockenc_input_fit_colours(self, frame);

    if (error) {
        return no_picture(self, frame, forced, error);
    }
    vsockenc_input_fill_source(self, &source);
    while (!done) {
        g_autofree char *why = NULL;
        HelixClientFrame *picture;

        vsockenc_path_update_buffers(self);
        picture = vsockenc_frame_new(&source, frame->input_buffer, &why, &error);
        if (!picture) {
            return no_picture(self, frame, forced, error);
        }
        helix_client_frame_require(picture, vsockenc_input_required(self));
        tell_path(self, &source, helix_client_frame_get_path(picture), why);
        /* One that is held for a host to come cannot be waited for. */
        if (helix_client_frame_is_unverified(picture) && helix_client_is_negotiated(source.client)) {
            done = probe(self, frame, picture, &flow);
        } else {
            vsockenc_submit(self, frame, picture);
            done = TRUE;
        }
    }
    return flow;
}
