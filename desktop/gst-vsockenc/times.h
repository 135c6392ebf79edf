/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* times.h - times of upstream's pictures, and of repeats between them. All with the sink pad's stream lock. */
#ifndef VSOCKENC_TIMES_H
#define VSOCKENC_TIMES_H

#include "element.h"

typedef struct VsockEncTimes {
    gint64 last_pts;         /* makes pts valid and unique where upstream's is not; -1: times begin anew */
    gboolean flushed;        /* upstream gave no picture since */
    GstClockTime given_pts;  /* the latest picture's, and */
    GstClockTime given_at;   /* the running time it was given at */
    GstClockTime repeat_pts; /* of the latest repeat; NONE */
} VsockEncTimes;

void vsockenc_times_reset(GstVsockEnc *self);
/* A segment began: other times. */
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
