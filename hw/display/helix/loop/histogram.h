/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * histogram.h - durations in a log-linear histogram: constant memory, quantiles of a known error.
 *
 * Values below 32 have a bucket each; above, each power of two has 32 buckets, so a quantile is at most 3 % too high.
 */
#ifndef HELIX_HISTOGRAM_H
#define HELIX_HISTOGRAM_H

#include <glib.h>

#define HELIX_HISTOGRAM_BUCKETS 1184u /* 32 exact ones, then 32 for each power of two up to 2^41 */

/* All zero is empty. */
typedef struct HelixHistogram {
    guint64 count, max;
    guint64 bucket[HELIX_HISTOGRAM_BUCKETS];
} HelixHistogram;

void helix_histogram_add(HelixHistogram *histogram, guint64 value);
/* The value that @permille of 1000 values do not exceed; 0 without values. */
guint64 helix_histogram_quantile(const HelixHistogram *histogram, guint permille);

#endif
