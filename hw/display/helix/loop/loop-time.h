/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop-time.h - how long the main loop was ours in one of its turns.
 *
 * Every callback of ours that the loop makes is put into a scope; what scopes of one turn took is added up. Two times
 * are kept: the thread's CPU time, and what is missing of it to the wall clock, which is time blocked in calls (a GPU
 * that is not finished, a page that is not there) or taken by other programs of a busy machine.
 *
 * State is a thread's own: QEMU has one main loop, a test may have several.
 */
#ifndef HELIX_LOOP_TIME_H
#define HELIX_LOOP_TIME_H

#include <glib.h>

/* What one turn of the loop may take of our own accord before the rest waits for a later one (deferred.h). */
#define HELIX_LOOP_BUDGET_US 2000

/* Our code begins and ends; scopes may nest. */
void helix_loop_enter(void);
void helix_loop_leave(void);

/* In a scope: what comes until resume is not ours (the guest's own commands, carried out from inside a callback). */
void helix_loop_pause(void);
void helix_loop_resume(void);

/* The loop begins another turn. The queue of deferred.h says so; without one there is one long turn. */
void helix_loop_next_iteration(void);

/* Microseconds of the wall clock that this turn was ours so far. */
gint64 helix_loop_spent_us(void);

/*
 * Whether the budget is spent. What a guest causes stops then, after one step at least, and goes on in a later turn.
 * The guest's own commands count here: the loop was held for them all the same.
 */
gboolean helix_loop_budget_is_spent(void);

/* For tests: @now_ns is this thread's wall clock from now on, outside of any scope; NULL: the system's again. */
void helix_loop_set_clock(gint64 (*now_ns)(void));

/* ,"main_loop_us":{"cpu":{...},"blocked":{...}}: of the turns in which we ran. */
void helix_loop_append_json(GString *json);

/* HELIX_LOOP_SCOPE; at the begin of a block makes all of it a scope. */
static inline void helix_loop_scope_end(char *scope)
{
    (void)scope;
    helix_loop_leave();
}
#define HELIX_LOOP_SCOPE \
    char helix_loop_scope __attribute__((cleanup(helix_loop_scope_end), unused)) = (helix_loop_enter(), 0)

#endif
