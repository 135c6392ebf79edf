/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * threads.h - what the module's own threads have in common.
 *
 * They take no signals: those are for the thread that started the program. And those that work for milliseconds do not
 * put aside who runs when they are woken (Linux's SCHED_BATCH): the main loop wakes them with the lock of the whole VM
 * held. Threads that they make, an encoder's, are like them.
 */
#ifndef HELIX_THREADS_H
#define HELIX_THREADS_H

#include <signal.h>
#include <glib.h>

typedef struct HelixThreadsBefore {
    sigset_t signals;
    int policy; /* -1: was not changed */
} HelixThreadsBefore;

/*
 * What the caller makes between the two is such a thread, one that works for milliseconds if @patient; the caller is
 * what it was after the second. Who runs this program with another policy than the usual one keeps it, as does who may
 * not change it (QEMU's -sandbox with resourcecontrol=deny). Any thread.
 */
void helix_threads_begin(HelixThreadsBefore *before, gboolean patient);
void helix_threads_end(const HelixThreadsBefore *before);

#endif
