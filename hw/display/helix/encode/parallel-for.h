/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parallel-for.h - a short loop whose iterations helper threads share. */
#ifndef HELIX_PARALLEL_FOR_H
#define HELIX_PARALLEL_FOR_H

#include <glib.h>

typedef struct HelixParallelFor HelixParallelFor;

/*
 * Begin to call @part(@data, i) for each i below @n, on up to @helpers of the process's helper threads, those that are
 * idle. Returns at once, perhaps before any call. helix_parallel_for_end() must follow. Any thread.
 */
HelixParallelFor *helix_parallel_for_begin(void (*part)(gpointer data, guint i), gpointer data, guint n, guint helpers);
/*
 * Make the calls that no helper has begun, and return when all have returned: it waits only for calls that helpers are
 * in. Frees @work. Any thread but the main loop's.
 */
void helix_parallel_for_end(HelixParallelFor *work);

#endif
