/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scheduler.h - as many threads at a time as there are processors, a short stay each, in the order in which they came.
 *
 * Software encoders pass through it. Without, more streams than processors get what the scheduler's wake-ups happen to
 * give them, some twice as much as others. Who has a picture after the other keeps its place for 16 ms where others
 * wait: what an encoder keeps of its stream has to come into the caches again after each change. A stream that has one
 * request on its way at a time has one picture a turn. Who was away for 4 ms before it came is not kept waiting by
 * stays, only by a picture each of those who came before it: that is a stream at a steady rate, as long as the
 * processors suffice for it. Who is at one picture for half a second hangs, and its place is given to another until it
 * goes on.
 */
#ifndef HELIX_SCHEDULER_H
#define HELIX_SCHEDULER_H

#include <glib.h>

/*
 * One gate a process. Before each picture, by any thread but the main loop's: it waits. Who is inside already may have
 * to go to the end of the queue.
 */
void helix_scheduler_enter(void);
/* There is no next picture yet. Nothing happens if the caller is not inside. */
void helix_scheduler_leave(void);

#endif
