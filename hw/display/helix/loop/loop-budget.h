/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop-budget.h - the time that the module takes of each iteration of the main loop.
 *
 * Each callback of the module is a scope; the times of the scopes of one iteration are added up. Two times are kept:
 * the thread's CPU time, and the wall-clock time beyond it, which is time blocked in calls (a GPU that is not finished,
 * a page that is not mapped) or given to other programs of a busy machine.
 *
 * The state belongs to the calling thread: QEMU has one main loop, a test may have several.
 */
#ifndef HELIX_LOOP_BUDGET_H
#define HELIX_LOOP_BUDGET_H

#include <glib.h>

/* Microseconds of one iteration that the module takes before the rest of its work waits for a later one (deferred.h).
 */
#define HELIX_LOOP_BUDGET_US 2000

/* A scope begins and ends; scopes may nest. */
void helix_loop_enter(void);
void helix_loop_leave(void);

/* In a scope: the time until resume is not the module's (the guest's own GPU commands, carried out inside a callback).
 */
void helix_loop_pause(void);
void helix_loop_resume(void);

/* Another iteration begins. The queue of deferred.h calls it; without a queue there is one long iteration. */
void helix_loop_next_iteration(void);

/* Microseconds of the wall clock that scopes of this iteration have taken so far. */
gint64 helix_loop_spent_us(void);

/*
 * Whether the budget is spent. Work that a guest causes then stops, after one step at least, and continues in a later
 * iteration. The guest's own commands count here: they hold up the loop all the same.
 */
gboolean helix_loop_budget_is_spent(void);

/* For tests: @now_ns becomes this thread's wall clock, NULL: the system's again. Not within a scope. */
void helix_loop_set_clock(gint64 (*now_ns)(void));

/* Appends ,"main_loop_us":{"cpu":{...},"blocked":{...}}: of the iterations in which the module ran. */
void helix_loop_append_json(GString *json);

/* HELIX_LOOP_SCOPE; at the begin of a block makes the block a scope. */
static inline void helix_loop_scope_end(char *scope)
{
    (void)scope;
    helix_loop_leave();
}
#define HELIX_LOOP_SCOPE \
    char helix_loop_scope __attribute__((cleanup(helix_loop_scope_end), unused)) = (helix_loop_enter(), 0)

#endif
