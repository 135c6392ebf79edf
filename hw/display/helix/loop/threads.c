/* SPDX-License-Identifier: GPL-2.0-or-later */
/* threads.c - the signal mask and scheduling policy of the module's own threads. */
#include <pthread.h>
#include <sched.h>

#include "threads.h"

#ifdef SCHED_BATCH

/* 0 is the calling thread: on Linux each thread has its own policy. */
static int set_batch(void)
{
    const struct sched_param none = { 0 };
    int policy = sched_getscheduler(0);

    return policy == SCHED_OTHER && sched_setscheduler(0, SCHED_BATCH, &none) == 0 ? policy : -1;
}

static void set_policy(int policy)
{
    const struct sched_param none = { 0 };

    (void)sched_setscheduler(0, policy, &none); /* leaving SCHED_BATCH needs no privilege */
}

#else

static int set_batch(void)
{
    return -1;
}

static void set_policy(int policy)
{
}

#endif

void helix_threads_begin(HelixThreadsBefore *before, gboolean batch)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before->signals);
    before->policy = batch ? set_batch() : -1;
}

void helix_threads_end(const HelixThreadsBefore *before)
{
    if (before->policy != -1) {
        set_policy(before->policy);
    }
    pthread_sigmask(SIG_SETMASK, &before->signals, NULL);
}
