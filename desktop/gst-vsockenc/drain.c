/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* drain.c - waiting until the source pad's task has dealt with all that was asked; see output.h. */
#include "input.h"
#include "output.h"
#include "session.h"

HelixClientWait vsockenc_drain(GstVsockEnc *self, guint ms)
{
    HelixClientWait state;

    vsockenc_output_run(self);
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    state = helix_client_drain(vsockenc_client(self), vsockenc_input_is_live(self) ? ms : 0);
    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    return state;
}
