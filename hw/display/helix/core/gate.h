/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gate.h - as many threads at a time as there are processors, in the order in which they came.
 *
 * Software encoders pass through it picture by picture. Without, more streams than processors get what the scheduler's
 * wake-ups happen to give them, some twice as much as others. Who is inside for half a second hangs, and its place is given to
 * another until it leaves. What a worker converts before it calls its encoder (ahead.h) is outside of the gate.
 */
#ifndef HELIX_GATE_H
#define HELIX_GATE_H

#include <glib.h>

/* One gate a process. Any thread but the main loop's: it waits. The thread that entered leaves. */
void helix_gate_enter(void);
void helix_gate_leave(void);

#endif
