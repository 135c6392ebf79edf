/* SPDX-License-Identifier: GPL-2.0-or-later */
/* histogram.c - durations in a log-linear histogram. */
#include "histogram.h"

#define EXACT 32u /* values below have a bucket each; above, each power of two has this many */
#define EXACT_BITS 5u

static guint bucket_of(guint64 value)
{
    guint exponent, bucket;

    if (value < EXACT) {
        return (guint)value;
    }
    exponent = 63u - (guint)__builtin_clzll(value);
    bucket = EXACT + (exponent - EXACT_BITS) * EXACT + (guint)((value >> (exponent - EXACT_BITS)) & (EXACT - 1));
    return MIN(bucket, HELIX_HISTOGRAM_BUCKETS - 1);
}

/* The largest value that goes into this bucket. */
static guint64 bucket_top(guint bucket)
{
    guint shift;

    if (bucket < EXACT) {
        return bucket;
    }
    shift = (bucket - EXACT) / EXACT;
    return (((guint64)(bucket % EXACT) + EXACT + 1) << shift) - 1;
}

void helix_histogram_add(HelixHistogram *histogram, guint64 value)
{
    histogram->count++;
    histogram->max = MAX(histogram->max, value);
    histogram->bucket[bucket_of(value)]++;
}

guint64 helix_histogram_quantile(const HelixHistogram *histogram, guint permille)
{
    guint64 wanted = (histogram->count * permille + 999) / 1000, seen = 0;

    for (guint i = 0; i < HELIX_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->bucket[i];
        if (seen >= wanted) {
            return MIN(bucket_top(i), histogram->max);
        }
    }
    return histogram->max;
}
