/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* submit.h - frames of the base class given to the library, with a picture or without. With the stream lock. */
#ifndef VSOCKENC_SUBMIT_H
#define VSOCKENC_SUBMIT_H

#include "../client/helix-client.h"
#include "element.h"

/* Ask for @picture (taken over; NULL: the host's last one again). Takes @frame over. */
void vsockenc_submit(GstVsockEnc *self, GstVideoCodecFrame *frame, HelixClientFrame *picture);
/*
 * There is no picture to send for @frame (taken over): it brings an event of @type, in its order. A keyframe that was
 * @forced goes to the next.
 */
void vsockenc_give_up_frame(GstVsockEnc *self, GstVideoCodecFrame *frame, gboolean forced, HelixClientEventType type);

#endif
