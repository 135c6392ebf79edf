/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* latency.h - the latency that is reported to the pipeline. All with the stream lock. */
#ifndef VSOCKENC_LATENCY_H
#define VSOCKENC_LATENCY_H

#include "element.h"

typedef struct VsockEncLatency {
    guint frames;      /* the latency that was reported, in frames; 0: none yet */
    guint slow_in_row; /* frames in a row that took longer */
} VsockEncLatency;

void vsockenc_latency_reset(GstVsockEnc *self);
/* @took_us: what the latest frame took; 0: none came, but the frame rate or the host may have changed. */
void vsockenc_latency_update(GstVsockEnc *self, gint64 took_us);

#endif
