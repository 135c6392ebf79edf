/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate's width, its stays, and threads that hang inside. */
#include "core/gate.h"

typedef struct Crowd {
    GMutex lock;
    GCond changed;
    guint inside, most, through;
    gboolean hold;              /* whoever is inside stays */
} Crowd;

static gpointer pass(gpointer data)
{
    Crowd *crowd = data;

    helix_gate_enter();
    g_mutex_lock(&crowd->lock);
    crowd->inside++;
    crowd->most = MAX(crowd->most, crowd->inside);
    g_cond_broadcast(&crowd->changed);
    while (crowd->hold) {
        g_cond_wait(&crowd->changed, &crowd->lock);
    }
    g_mutex_unlock(&crowd->lock);
    g_usleep(1000);             /* time for one too many to come in */
    g_mutex_lock(&crowd->lock);
    crowd->inside--;
    crowd->through++;
    g_mutex_unlock(&crowd->lock);
    helix_gate_leave();
    return NULL;
}

static void wait_inside(Crowd *crowd, guint count)
{
    gint64 end = g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;

    g_mutex_lock(&crowd->lock);
    while (crowd->inside < count) {
        g_assert_true(g_cond_wait_until(&crowd->changed, &crowd->lock, end));
    }
    g_mutex_unlock(&crowd->lock);
}

static void set_hold(Crowd *crowd, gboolean hold)
{
    g_mutex_lock(&crowd->lock);
    crowd->hold = hold;
    g_cond_broadcast(&crowd->changed);
    g_mutex_unlock(&crowd->lock);
}

/* A crowd passes, and never more at a time than fit, but as many: each stays for a while. */
static void check_width(void)
{
    enum { TRIES = 20 };
    guint width = MAX(g_get_num_processors(), 2u), count = MAX(4 * width, 64u);
    g_autofree GThread **threads = g_new(GThread *, count);
    gboolean in_time = FALSE;

    for (guint try = 0; !in_time && try < TRIES; try++) {
        gint64 begin = g_get_monotonic_time();
        Crowd crowd = { 0 };

        for (guint i = 0; i < count; i++) {
            threads[i] = g_thread_new("passes", pass, &crowd);
        }
        for (guint i = 0; i < count; i++) {
            g_thread_join(threads[i]);
        }
        g_assert_cmpuint(crowd.through, ==, count);
        in_time = g_get_monotonic_time() - begin < G_TIME_SPAN_SECOND * 2 / 5;   /* else a busy machine looked like one that hangs */
        if (in_time) {
            g_assert_cmpuint(crowd.most, ==, width);
        }
    }
    if (!in_time) {
        g_test_skip("the machine is too busy to tell waiting from hanging");
    }
}

static void test_width(void)
{
    check_width();
}

/* As many hang as fit; others pass all the same, and when all is over the gate is as wide as before. */
static void test_hanging(void)
{
    guint width = MAX(g_get_num_processors(), 2u);
    g_autofree GThread **hanging = g_new(GThread *, width);
    Crowd hung = { .hold = TRUE }, others = { 0 };

    for (guint i = 0; i < width; i++) {
        hanging[i] = g_thread_new("hangs", pass, &hung);
    }
    wait_inside(&hung, width);
    for (guint i = 0; i < 8; i++) {
        g_thread_join(g_thread_new("other", pass, &others));
    }
    g_assert_cmpuint(others.through, ==, 8);
    set_hold(&hung, FALSE);
    for (guint i = 0; i < width; i++) {
        g_thread_join(hanging[i]);
    }
    g_assert_cmpuint(hung.through, ==, width);
    check_width();
}

/* ---- overload ---- */

#define PATIENCE_US (G_TIME_SPAN_SECOND / 2)    /* of the gate */

typedef struct Load {
    GMutex lock;
    guint inside, most;
    gint64 longest;             /* that anybody was inside */
} Load;

static gpointer work(gpointer data)
{
    Load *load = data;

    for (guint i = 0; i < 3; i++) {
        gint64 begin;

        helix_gate_enter();
        begin = g_get_monotonic_time();
        g_mutex_lock(&load->lock);
        load->inside++;
        load->most = MAX(load->most, load->inside);
        g_mutex_unlock(&load->lock);
        g_usleep(G_TIME_SPAN_SECOND / 10);
        g_mutex_lock(&load->lock);
        load->inside--;
        load->longest = MAX(load->longest, g_get_monotonic_time() - begin);
        g_mutex_unlock(&load->lock);
        helix_gate_leave();
    }
    return NULL;
}

/* However long the others wait: nobody hangs who leaves in time. */
static void test_overload(void)
{
    guint width = MAX(g_get_num_processors(), 2u), crowd = 8 * width;
    g_autofree GThread **threads = g_new(GThread *, crowd);
    Load load = { .longest = 0 };

    for (guint i = 0; i < crowd; i++) {
        threads[i] = g_thread_new("works", work, &load);
    }
    for (guint i = 0; i < crowd; i++) {
        g_thread_join(threads[i]);
    }
    if (load.longest > PATIENCE_US * 4 / 5) {
        g_test_skip("the machine is too busy to tell working from hanging");
        return;
    }
    g_assert_cmpuint(load.most, ==, width);
    check_width();
}

/* ---- stays ---- */

#define STAY_US 16000           /* of the gate */
#define PICTURE_US 1000

typedef struct Busy {
    GMutex lock;
    gboolean over;
    guint pictures, changes, others;    /* begun; of those after a wait; since test_rested() looked */
    guint *own;                 /* of each */
    gboolean hold;              /* whoever is inside stays at its picture */
    guint inside, most;         /* at a picture */
    gint64 began, ended;
} Busy;

typedef struct Greedy {
    Busy *busy;
    guint *own;
    GThread *thread;
} Greedy;

/* Always has another picture. */
static gpointer play(gpointer data)
{
    Greedy *greedy = data;
    Busy *busy = greedy->busy;
    gboolean held;

    while (TRUE) {
        gint64 asked = g_get_monotonic_time();

        helix_gate_enter();
        g_mutex_lock(&busy->lock);
        if (busy->over) {
            g_mutex_unlock(&busy->lock);
            break;
        }
        busy->pictures++;
        busy->others++;
        /* Who stays comes in at once. */
        busy->changes += g_get_monotonic_time() - asked > PICTURE_US / 2;
        (*greedy->own)++;
        busy->inside++;
        busy->most = MAX(busy->most, busy->inside);
        held = busy->hold;
        g_mutex_unlock(&busy->lock);
        do {
            g_usleep(PICTURE_US);
            g_mutex_lock(&busy->lock);
            held = held && busy->hold;
            busy->inside -= !held;
            g_mutex_unlock(&busy->lock);
        } while (held);
    }
    helix_gate_leave();
    return NULL;
}

static void begin_busy(Busy *busy, Greedy *crowd, guint count)
{
    *busy = (Busy) { .own = g_new0(guint, count), .began = g_get_monotonic_time() };
    for (guint i = 0; i < count; i++) {
        crowd[i] = (Greedy) { .busy = busy, .own = &busy->own[i] };
        crowd[i].thread = g_thread_new("greedy", play, &crowd[i]);
    }
}

static void end_busy(Busy *busy, Greedy *crowd, guint count)
{
    g_mutex_lock(&busy->lock);
    busy->over = TRUE;
    busy->ended = g_get_monotonic_time();
    g_mutex_unlock(&busy->lock);
    for (guint i = 0; i < count; i++) {
        g_thread_join(crowd[i].thread);
    }
}

/* Microseconds a picture took, on a place. */
static gint64 picture_us(const Busy *busy, guint width)
{
    return (busy->ended - busy->began) * width / MAX(busy->pictures, 1);
}

/* Those who always have another picture stay for several, and get as much as each other. */
static void test_stay(void)
{
    guint width = MAX(g_get_num_processors(), 2u), count = 2 * width;
    g_autofree Greedy *crowd = g_new0(Greedy, count);
    guint least = G_MAXUINT, most = 0;
    Busy busy;

    begin_busy(&busy, crowd, count);
    g_usleep(G_TIME_SPAN_SECOND / 2);
    end_busy(&busy, crowd, count);
    if (picture_us(&busy, width) > STAY_US / 4) {
        g_test_skip("the machine is too busy to have several pictures in a stay");
    } else {
        for (guint i = 0; i < count; i++) {
            least = MIN(least, busy.own[i]);
            most = MAX(most, busy.own[i]);
        }
        g_assert_cmpuint(busy.pictures, >, 3 * busy.changes);
        g_assert_cmpuint(2 * least, >, most);
    }
    g_free(busy.own);
}

/* Who was away for a while waits for a picture of each before it, not for their stays. */
static void test_rested(void)
{
    guint width = MAX(g_get_num_processors(), 2u), count = 2 * width, waited[9];
    g_autofree Greedy *crowd = g_new0(Greedy, count);
    Busy busy;

    begin_busy(&busy, crowd, count);
    for (guint i = 0; i < G_N_ELEMENTS(waited); i++) {
        guint at;

        g_usleep(2 * STAY_US + i * STAY_US / G_N_ELEMENTS(waited));     /* at any time of their stays */
        g_mutex_lock(&busy.lock);
        busy.others = 0;
        g_mutex_unlock(&busy.lock);
        helix_gate_enter();
        g_mutex_lock(&busy.lock);
        for (at = i; at > 0 && waited[at - 1] > busy.others; at--) {
            waited[at] = waited[at - 1];
        }
        waited[at] = busy.others;
        g_mutex_unlock(&busy.lock);
        helix_gate_leave();
    }
    end_busy(&busy, crowd, count);
    g_test_message("pictures of others before its own: %u to %u", waited[0], waited[G_N_ELEMENTS(waited) - 1]);
    if (picture_us(&busy, width) > STAY_US / 4) {
        g_test_skip("the machine is too busy to have several pictures in a stay");
    } else {
        g_assert_cmpuint(waited[G_N_ELEMENTS(waited) / 2], <=, 5 * width);
    }
    g_free(busy.own);
}

/* Those who seemed to hang go on, and always have another picture: the gate is not wider for them, though nobody waits. */
static void test_resumed(void)
{
    guint width = MAX(g_get_num_processors(), 2u), count = 2 * width;
    g_autofree Greedy *crowd = g_new0(Greedy, count);
    Busy busy;

    begin_busy(&busy, crowd, count);
    g_mutex_lock(&busy.lock);
    busy.hold = TRUE;
    while (busy.inside < count) {       /* the others come in when the first seem to hang; the test's timeout is the limit */
        g_mutex_unlock(&busy.lock);
        g_usleep(PICTURE_US);
        g_mutex_lock(&busy.lock);
    }
    busy.hold = FALSE;
    g_mutex_unlock(&busy.lock);
    g_usleep(4 * STAY_US);
    g_mutex_lock(&busy.lock);
    busy.most = 0;
    g_mutex_unlock(&busy.lock);
    g_usleep(4 * STAY_US);
    end_busy(&busy, crowd, count);
    g_test_message("%u at once of %u that there are places for", busy.most, width);
    g_assert_cmpuint(busy.most, <=, width);
    g_free(busy.own);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gate/hanging", test_hanging);
    g_test_add_func("/gate/width", test_width);
    g_test_add_func("/gate/overload", test_overload);
    g_test_add_func("/gate/stay", test_stay);
    g_test_add_func("/gate/rested", test_rested);
    g_test_add_func("/gate/resumed", test_resumed);
    return g_test_run();
}
