/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parallel-for.h - a short piece of work that idle processors help with.
 */
#ifndef HELIX_PARALLEL_FOR_H
#define HELIX_PARALLEL_FOR_H

#include <glib.h>

typedef struct HelixParallelFor HelixParallelFor;

/*
 * Have @part(@data, i) called for each i below @n by up to @helpers helper threads, which the whole process shares, as
 * far as they are idle. Returns at once; no part need have begun. helix_parallel_for_end() must follow. Any thread.
 */
HelixParallelFor *helix_parallel_for_begin(void (*part)(gpointer data, guint i), gpointer data, guint n, guint helpers);
/*
 * Do what no helper has begun, and return when all is done: so it waits at most for the parts that are under way. Any
 * thread but the main loop's.
 */
void helix_parallel_for_end(HelixParallelFor *shared);

#endif
