/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * paths.c - which way each picture goes to the host, tried where only the host can say, and told in two properties.
 */
#include "gstvsockenc.h"
#include "upstream.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* ---- what is told ---- */

const char *vsockenc_path_name(VsockPath path)
{
    return path < VSOCK_N_PATHS ? vsock_path_name(path) : "none";
}

void vsockenc_set_path(GstVsockEnc *self, VsockPath path, const char *reason)
{
    gboolean path_changed, reason_changed;

    GST_OBJECT_LOCK(self);
    path_changed = self->path != path;
    reason_changed = g_strcmp0(self->path_reason, reason) != 0;
    self->path = path;
    if (reason_changed) {
        g_free(self->path_reason);
        self->path_reason = g_strdup(reason);
    }
    GST_OBJECT_UNLOCK(self);
    if (path_changed || reason_changed) {
        GST_INFO_OBJECT(self, "path %s: %s", vsockenc_path_name(path),
                        reason                     ? reason
                            : path < VSOCK_N_PATHS ? "there is no better one"
                                                   : "no picture yet");
    }
    if (path_changed) {
        g_object_notify(G_OBJECT(self), "path");
    }
    if (reason_changed) {
        g_object_notify(G_OBJECT(self), "path-reason");
    }
}

void vsockenc_tell_no_path(GstVsockEnc *self, const char *why)
{
    gboolean none;

    GST_OBJECT_LOCK(self);
    none = self->path == VSOCK_N_PATHS;
    GST_OBJECT_UNLOCK(self);
    if (none) {
        vsockenc_set_path(self, VSOCK_N_PATHS, why);
    }
}

/* @why: what is known of this picture; what upstream does is added. */
static void tell_path(GstVsockEnc *self, const VsockPicture *picture, const char *why)
{
    g_autofree char *text = NULL;
    const char *upstream;

    if (picture->path != VSOCK_PATH_DMABUF && !self->source.dmabuf_caps) {
        upstream = vsock_upstream_without_dmabuf(GST_VIDEO_ENCODER_SINK_PAD(self));
        text = g_strconcat("Upstream gives plain memory", upstream ? ": " : "", upstream ? upstream : "", ".",
                           why ? " " : "", why ? why : "", NULL);
    }
    vsockenc_set_path(self, picture->path, text ? text : why);
}

/* ---- trials ---- */

gboolean vsockenc_is_of_way(const VsockAnswer *answer)
{
    return answer->kind == VSOCK_ANSWER_ERROR && answer->unjudged && vsock_is_trial_code(answer->code);
}

static void refuse_way(GstVsockEnc *self, VsockWay way, const char *message)
{
    GST_INFO_OBJECT(self, "the host cannot read pictures by %s: %s", vsock_way_name(way), message);
    vsock_copier_refused(self->source.copier, way, message);
    self->ways_changed = TRUE;
}

gboolean vsockenc_trial_refused(GstVsockEnc *self, VsockAnswer *answer)
{
    gboolean refused;

    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    refused = self->trial && answer->frame == self->trial && vsock_is_trial_code(answer->code);
    if (refused) {
        answer->frame = NULL;
        self->trial_refusal = g_strdup(answer->message);
        self->force_keyframe |= answer->was_forced;
    } else if (vsockenc_is_of_way(answer)) {
        refuse_way(self, answer->way, answer->message);
        vsockenc_last_as_pixels(self); /* nobody waits to send it by another way: this one goes with every host */
    }
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    return refused;
}

/* Send and wait for the host's word. TRUE: done, @flow says how. FALSE: the host cannot read it; the frame is back. */
static gboolean try_way(GstVsockEnc *self, GstVideoCodecFrame *frame, VsockPicture *picture, GstFlowReturn *flow)
{
    g_autoptr(GstBuffer) input = gst_buffer_ref(frame->input_buffer);
    g_autofree char *refusal = NULL;
    gboolean forced = GST_VIDEO_CODEC_FRAME_IS_FORCE_KEYFRAME(frame);
    VsockWay way = picture->way;
    VsockWait state;

    self->trial = frame;
    vsockenc_submit(self, frame, picture);
    /* A live source does not wait for ever: a word that comes later is no more taken for one on the way. */
    state = vsockenc_drain(self, VSOCK_AGREE_MS);
    *flow = vsockenc_flow_of(self, state);
    self->trial = NULL;
    refusal = g_steal_pointer(&self->trial_refusal);
    if (!refusal) {
        return TRUE; /* of one that was dropped or lost the next is the trial */
    }
    refuse_way(self, way, refusal);
    gst_buffer_replace(&frame->input_buffer, input);
    if (state == VSOCK_WAIT_FLUSHING || state == VSOCK_WAIT_FAILED) {
        vsockenc_give_up_frame(self, frame, forced, VSOCK_ANSWER_GIVEN_UP);
        return TRUE;
    }
    return FALSE;
}

/* There is no picture in @frame to send; @error (taken over) says why. Of one that is not drawn in time others may
 * follow. */
static GstFlowReturn no_picture(GstVsockEnc *self, GstVideoCodecFrame *frame, gboolean forced, GError *error)
{
    gboolean passes = g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY) &&
        ++self->errors_in_row < VSOCKENC_MAX_ERRORS_IN_ROW;

    if (!passes) {
        vsockenc_post_error(self, error);
    } else {
        if (self->errors_in_row == 1) {
            GST_ELEMENT_WARNING(self, RESOURCE, BUSY, ("A picture was dropped. %s", error->message), (NULL));
        }
        g_error_free(error);
    }
    vsockenc_give_up_frame(self, frame, forced, VSOCK_ANSWER_GIVEN_UP);
    return passes ? GST_FLOW_OK : GST_FLOW_ERROR;
}

void vsockenc_forget_host(GstVsockEnc *self)
{
    if (g_atomic_int_compare_and_exchange(&self->lost_host, TRUE, FALSE) && self->source.copier) {
        self->ways_changed |= vsock_copier_forget(self->source.copier);
    }
    if (self->ways_changed) {
        /* Upstream may draw in buffers of another kind. */
        self->ways_changed = FALSE;
        gst_pad_push_event(GST_VIDEO_ENCODER_SINK_PAD(self), gst_event_new_reconfigure());
    }
}

GstFlowReturn vsockenc_send(GstVsockEnc *self, GstVideoCodecFrame *frame)
{
    gboolean forced = GST_VIDEO_CODEC_FRAME_IS_FORCE_KEYFRAME(frame);
    guint32 capabilities = vsock_stream_expected_capabilities(self->stream);
    GstFlowReturn flow = GST_FLOW_OK;
    gboolean done = FALSE;

    g_autoptr(GError) failure = vsockenc_fit_colours(self, frame);

    if (failure) {
        return no_picture(self, frame, forced, g_steal_pointer(&failure));
    }
    while (!done) {
        g_autofree char *why = NULL;
        GError *error = NULL;
        VsockPicture *picture;

        vsockenc_forget_host(self);
        picture = vsock_picture_new(&self->source, frame->input_buffer, capabilities, self->stats, &why, &error);
        if (!picture) {
            return no_picture(self, frame, forced, error);
        }
        picture->needs |= vsockenc_colours_need(self);
        tell_path(self, picture, why);
        /* One that is held for a host to come cannot be waited for. */
        if (picture->trial && vsock_stream_is_agreed(self->stream)) {
            done = try_way(self, frame, picture, &flow);
        } else {
            vsockenc_submit(self, frame, picture);
            done = TRUE;
        }
    }
    return flow;
}
