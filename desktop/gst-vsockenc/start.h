/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* start.h - start (READY to PAUSED) and stop: reset the parts, connect to the host, disconnect. */
#ifndef VSOCKENC_START_H
#define VSOCKENC_START_H

#include "element.h"

/* From READY to PAUSED. FALSE: an error was posted. */
gboolean vsockenc_start(GstVsockEnc *self);
void vsockenc_stop(GstVsockEnc *self);

#endif
