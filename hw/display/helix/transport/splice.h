/* SPDX-License-Identifier: GPL-2.0-or-later */
/* splice.h - two channels that feed each other. Main loop only. */
#ifndef HELIX_SPLICE_H
#define HELIX_SPLICE_H

#include "channel.h"

/* Let two channels feed each other until both are closed: half-close and backpressure pass through. Takes both over. */
void helix_splice(HelixChannel *a, HelixChannel *b);

#endif
