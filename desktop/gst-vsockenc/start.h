/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* start.h - from READY to PAUSED, and stop: the parts are reset, the host is connected to. */
#ifndef VSOCKENC_START_H
#define VSOCKENC_START_H

#include "element.h"

/* From READY to PAUSED. FALSE: an error was posted. */
gboolean vsockenc_start(GstVsockEnc *self);
void vsockenc_stop(GstVsockEnc *self);

#endif
