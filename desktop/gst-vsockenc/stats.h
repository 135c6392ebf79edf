/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stats.h - the property "stats", and the message of that content. */
#ifndef VSOCKENC_STATS_H
#define VSOCKENC_STATS_H

#include "element.h"

/* The property "stats"; freed by the caller. Any thread. */
GstStructure *vsockenc_stats(GstVsockEnc *self);
/* Post them as a message, if something happened since the last. With the stream lock. */
void vsockenc_stats_post(GstVsockEnc *self);

#endif
