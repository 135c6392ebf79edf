/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate.c - as many threads at a time as there are processors, in the order in which they came. */
#include "gate.h"

#define LEAST 2u                /* the other one works while the first one's threads wait for each other */
#define PATIENCE_US 500000      /* whoever is inside that long hangs: nobody waits for it */

typedef struct Waiter {
    GCond turn;
    gboolean called;
} Waiter;

static GMutex lock;             /* of what follows */
static guint inside;
static guint hung;              /* of them, who is held to be hanging; forgotten when nobody is inside */
static GQueue waiting = G_QUEUE_INIT;   /* Waiter */

void helix_gate_enter(void)
{
    g_mutex_lock(&lock);
    if (inside < MAX(g_get_num_processors(), LEAST) + hung) {
        inside++;
    } else {
        gint64 end = g_get_monotonic_time() + PATIENCE_US;
        Waiter self = { .called = FALSE };

        g_cond_init(&self.turn);
        g_queue_push_tail(&waiting, &self);
        while (!self.called && g_cond_wait_until(&self.turn, &lock, end)) {
        }
        if (!self.called) {
            g_queue_remove(&waiting, &self);
            inside++;
            hung++;
        }
        g_cond_clear(&self.turn);
    }
    g_mutex_unlock(&lock);
}

/* Who waits longest takes the place. */
void helix_gate_leave(void)
{
    Waiter *next;

    g_mutex_lock(&lock);
    next = g_queue_pop_head(&waiting);
    if (next) {
        next->called = TRUE;
        g_cond_signal(&next->turn);
    } else if (--inside == 0) {
        hung = 0;
    }
    g_mutex_unlock(&lock);
}
