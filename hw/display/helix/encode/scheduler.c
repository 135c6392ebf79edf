/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scheduler.c - as many threads at a time as there are processors, a short stay each, in the order in which they came.
 */
#include "scheduler.h"

#define LEAST 2u           /* the other one works while the first one's threads wait for each other */
#define STAY_US 16000      /* a frame at 60 fps is as long */
#define REST_US 4000       /* who only waits for an answer before it asks again is back sooner, on a busy machine too */
#define PATIENCE_US 500000 /* a thread that is at one picture that long hangs: no other waits for it */

/* A thread that was at the gate once. */
typedef struct Guest {
    GCond turn;       /* it is inside */
    gboolean rested;  /* it was away for a while before it came */
    gint64 in, since; /* its stay and its picture began, g_get_monotonic_time(); 0: it is not inside */
    gint64 out;       /* its last stay ended */
} Guest;

static GMutex lock;                   /* of what follows, and of every Guest */
static GQueue inside = G_QUEUE_INIT;  /* Guest, by since */
static GQueue waiting = G_QUEUE_INIT; /* Guest, in the order in which they came */

static void guest_free(gpointer data)
{
    g_cond_clear(&((Guest *)data)->turn);
    g_free(data);
}

static GPrivate guest_of_thread = G_PRIVATE_INIT(guest_free);

static Guest *this_guest(void)
{
    Guest *guest = g_private_get(&guest_of_thread);

    if (!guest) {
        guest = g_new0(Guest, 1);
        g_cond_init(&guest->turn);
        g_private_set(&guest_of_thread, guest);
    }
    return guest;
}

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

        guest->in = guest->since = g_get_monotonic_time();
        g_queue_push_tail(&inside, guest);
        g_cond_signal(&guest->turn);
    }
}

static void put_out(Guest *guest)
{
    if (g_queue_remove(&inside, guest)) {
        guest->in = guest->since = 0;
        guest->out = g_get_monotonic_time();
    }
}

/* Is there no reason to let somebody else have the place? Of one that seemed to hang it is another's already. */
static gboolean may_stay(const Guest *guest)
{
    gint64 now = g_get_monotonic_time();

    if (guest->since <= now - PATIENCE_US || (waiting.length > 0 && now - guest->in >= STAY_US)) {
        return FALSE;
    }
    for (GList *link = waiting.head; link; link = link->next) {
        if (((Guest *)link->data)->rested) {
            return FALSE;
        }
    }
    return TRUE;
}

static void wait_turn(Guest *guest)
{
    while (guest->since == 0) {
        guint at_work;
        GList *first = first_at_work(&at_work);

        if (first && g_cond_wait_until(&guest->turn, &lock, ((Guest *)first->data)->since + PATIENCE_US)) {
            continue;
        }
        let_in(); /* one that was at work hangs, or all do */
    }
}

void helix_scheduler_enter(void)
{
    Guest *self = this_guest();

    g_mutex_lock(&lock);
    if (self->since && may_stay(self)) {
        g_queue_remove(&inside, self);
        self->since = g_get_monotonic_time();
        g_queue_push_tail(&inside, self);
    } else {
        put_out(self);
        self->rested = g_get_monotonic_time() - self->out > REST_US;
        g_queue_push_tail(&waiting, self);
        let_in();
        wait_turn(self);
    }
    g_mutex_unlock(&lock);
}

void helix_scheduler_leave(void)
{
    g_mutex_lock(&lock);
    put_out(this_guest());
    let_in();
    g_mutex_unlock(&lock);
}
