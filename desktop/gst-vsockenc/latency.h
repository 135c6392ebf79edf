/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* latency.h - the time that the pipeline is told a frame takes. All with the stream lock. */
#ifndef VSOCKENC_LATENCY_H
#define VSOCKENC_LATENCY_H

#include "element.h"

typedef struct VsockEncLatency {
    guint frames;      /* frames' time from in to out that was told; 0: nothing yet */
    guint slow_in_row; /* frames that took longer */
} VsockEncLatency;

void vsockenc_latency_reset(GstVsockEnc *self);
/* @took_us: what the latest frame took; 0: none came, but the frame rate or the host may be another one. */
void vsockenc_latency_update(GstVsockEnc *self, gint64 took_us);

#endif
