/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * threads.h - the signal mask and scheduling policy of the module's own threads.
 *
 * They block all signals, which are for the thread that started the program. Threads that compute for milliseconds get
 * SCHED_BATCH on Linux: waking one does not preempt the main loop, which holds the BQL. Threads that they create, an
 * encoder's for one, inherit both.
 */
#ifndef HELIX_THREADS_H
#define HELIX_THREADS_H

#include <signal.h>
#include <glib.h>

typedef struct HelixThreadsBefore {
    sigset_t signals;
    int policy; /* -1: not changed */
} HelixThreadsBefore;

/*
 * A thread that the caller creates between the two calls is such a thread; @batch: one that computes for milliseconds.
 * The second call restores the caller. A program that runs under another policy than SCHED_OTHER keeps it, as does one
 * that may not change it (QEMU's -sandbox with resourcecontrol=deny). Any thread.
 */
void helix_threads_begin(HelixThreadsBefore *before, gboolean batch);
void helix_threads_end(const HelixThreadsBefore *before);

#endif
