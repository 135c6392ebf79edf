/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* send.h - sending a frame by the best path, and by the next one when the host cannot read it there. */
#ifndef VSOCKENC_SEND_H
#define VSOCKENC_SEND_H

#include "../client/helix-client.h"
#include "element.h"

/* Send @frame (taken over) by the best path there is. With the stream lock. */
GstFlowReturn vsockenc_send(GstVsockEnc *self, GstVideoCodecFrame *frame);

#endif
