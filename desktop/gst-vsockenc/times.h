/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* times.h - times of upstream's pictures, and of repeats between them. All with the sink pad's stream lock. */
#ifndef VSOCKENC_TIMES_H
#define VSOCKENC_TIMES_H

#include "element.h"

typedef struct VsockEncTimes {
    gint64 last_pts;         /* the last pts sent to the host: the next must be larger; -1: none in this segment */
    gboolean flushed;        /* no picture since the flush */
    GstClockTime given_pts;  /* pts of the latest picture; NONE: none since the segment or flush */
    GstClockTime given_at;   /* running time when it came */
    GstClockTime repeat_pts; /* pts of the latest repeat; NONE: none */
} VsockEncTimes;

void vsockenc_times_reset(GstVsockEnc *self);
/* A new segment: its timestamps have nothing to do with those before. */
void vsockenc_times_new_segment(GstVsockEnc *self);
void vsockenc_times_flushed(GstVsockEnc *self);
/* Upstream gave @frame, whose pts may become one behind a repeat's. */
void vsockenc_times_note_picture(GstVsockEnc *self, GstVideoCodecFrame *frame);
/* A repeat is sent with @pts. */
void vsockenc_times_note_repeat(GstVsockEnc *self, GstClockTime pts);
/* Whether upstream gave a picture since the latest flush; and whether its time is known, which a new segment ends. */
gboolean vsockenc_times_has_picture(GstVsockEnc *self);
gboolean vsockenc_times_is_known(GstVsockEnc *self);
/* The pts of a repeat: as much later than the last picture as it is now. */
GstClockTime vsockenc_times_of_repeat(GstVsockEnc *self);
/* The pts that the host is told: upstream's where it has one; always growing, so that it tells requests apart. */
GstClockTime vsockenc_times_wire_pts(GstVsockEnc *self, const GstVideoCodecFrame *frame);

#endif
