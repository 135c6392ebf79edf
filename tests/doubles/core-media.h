/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core-media.h - the doubles' samples, as video-toolbox.c makes them. */
#ifndef DOUBLE_CORE_MEDIA_INNER_H
#define DOUBLE_CORE_MEDIA_INNER_H

#include "doubles.h"

/* A sample of @avcc cut into pieces, with these parameter sets (GBytes), by @orders. */
CMSampleBufferRef double_sample_new(GPtrArray *sets, const GByteArray *avcc, const DoubleVtOrders *orders,
                                    gboolean key);

#endif
