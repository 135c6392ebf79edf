/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate.c - as many threads at a time as there are processors, in the order in which they came. */
#include "gate.h"

#define LEAST 2u                /* the other one works while the first one's threads wait for each other */
#define PATIENCE_US 500000      /* whoever is inside that long hangs: nobody waits for it */

/* A thread at the gate or inside. */
typedef struct Guest {
    GThread *thread;
    GCond *turn;                /* of who waits: it is inside */
    gint64 since;               /* it is inside, g_get_monotonic_time() */
} Guest;

static GMutex lock;             /* of what follows */
static GQueue inside = G_QUEUE_INIT;    /* Guest, in the order in which they came in */
static GQueue waiting = G_QUEUE_INIT;   /* Guest, in the order in which they came */

/* The first inside that is not held to be hanging, and how many those are from it on. */
static GList *first_at_work(guint *count)
{
    gint64 now = g_get_monotonic_time();
    GList *link = inside.head;

    *count = inside.length;
    while (link && ((Guest *)link->data)->since <= now - PATIENCE_US) {
        link = link->next;
        (*count)--;
    }
    return link;
}

/* Who waits longest takes each place that is free. */
static void let_in(void)
{
    guint at_work;

    (void)first_at_work(&at_work);
    for (; at_work < MAX(g_get_num_processors(), LEAST) && waiting.length > 0; at_work++) {
        Guest *guest = g_queue_pop_head(&waiting);

        guest->since = g_get_monotonic_time();
        g_queue_push_tail(&inside, guest);
        if (guest->thread != g_thread_self()) {
            g_cond_signal(guest->turn);
        }
    }
}

void helix_gate_enter(void)
{
    Guest *self = g_new0(Guest, 1);
    GCond turn;

    g_cond_init(&turn);
    self->thread = g_thread_self();
    self->turn = &turn;
    g_mutex_lock(&lock);
    g_queue_push_tail(&waiting, self);
    let_in();
    while (self->since == 0) {
        guint at_work;
        GList *first = first_at_work(&at_work);

        if (first && g_cond_wait_until(&turn, &lock, ((Guest *)first->data)->since + PATIENCE_US)) {
            continue;
        }
        let_in();               /* one that was at work hangs, or all do */
    }
    g_mutex_unlock(&lock);
    g_cond_clear(&turn);
}

void helix_gate_leave(void)
{
    g_mutex_lock(&lock);
    for (GList *link = inside.head; link; link = link->next) {
        if (((Guest *)link->data)->thread == g_thread_self()) {
            g_free(link->data);
            g_queue_delete_link(&inside, link);
            break;
        }
    }
    let_in();
    g_mutex_unlock(&lock);
}
