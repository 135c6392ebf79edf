/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* eos.c - draining, and EOS, which goes downstream behind the last access unit on the source pad's task; see output.h.
 */
#include "input.h"
#include "output.h"
#include "client-handle.h"

HelixClientWait vsockenc_drain(GstVsockEnc *self, guint ms)
{
    HelixClientWait state;

    vsockenc_output_run(self);
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    state = helix_client_drain(vsockenc_client(self), vsockenc_input_is_live(self) ? ms : 0);
    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    return state;
}

gboolean vsockenc_eos_defer(GstVsockEnc *self, GstEvent *event)
{
    g_autoptr(HelixClient) client = vsockenc_ref_client(self);

    /* The input state is set on this thread alone while it runs, so it is read without the stream lock, which the task
     * holds while it pushes. */
    if (!client || !vsockenc_input_get_state(self)) {
        return FALSE;
    }
    GST_OBJECT_LOCK(self);
    gst_event_replace(&self->output->eos, event);
    GST_OBJECT_UNLOCK(self);
    helix_client_drain_async(client);
    vsockenc_output_run(self);
    return TRUE;
}

void vsockenc_eos_finish_previous(GstVsockEnc *self)
{
    g_autoptr(HelixClient) client = vsockenc_ref_client(self);
    gboolean ending;

    GST_OBJECT_LOCK(self);
    ending = self->output->eos != NULL;
    GST_OBJECT_UNLOCK(self);
    if (client && ending) {
        helix_client_drain(client, 0);
        vsockenc_eos_push(self);
    }
}

void vsockenc_eos_forget(GstVsockEnc *self)
{
    GST_OBJECT_LOCK(self);
    gst_event_replace(&self->output->eos, NULL);
    GST_OBJECT_UNLOCK(self);
}

void vsockenc_eos_push(GstVsockEnc *self)
{
    GstVideoEncoderClass *base = g_type_class_peek(GST_TYPE_VIDEO_ENCODER);
    GstEvent *eos;

    /* Held over both steps: when a second thread finds no EOS here, it has already gone downstream. */
    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    GST_OBJECT_LOCK(self);
    eos = g_steal_pointer(&self->output->eos);
    GST_OBJECT_UNLOCK(self);
    if (eos) {
        /* finish() must not drain: this thread, or one that waits for it, is the one that takes events. */
        self->output->ending = TRUE;
        base->sink_event(GST_VIDEO_ENCODER(self), eos);
        self->output->ending = FALSE;
    }
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
}

gboolean vsockenc_eos_is_pushing(const GstVsockEnc *self)
{
    return self->output->ending;
}
