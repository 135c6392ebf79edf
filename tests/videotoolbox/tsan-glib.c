/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tsan-glib.c - GLib's mutexes and conditions on top of POSIX ones, linked into ThreadSanitizer builds.
 *
 * A distribution's GLib makes them of futexes in code that was not built with the sanitizer, which then cannot see
 * which thread waits for another. These definitions come before the library's.
 */
#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t *mutex_of(GMutex *mutex)
{
    pthread_mutex_t *inner = __atomic_load_n(&mutex->p, __ATOMIC_ACQUIRE), *fresh;
    gpointer none = NULL;

    if (inner) {
        return inner;
    }
    fresh = calloc(1, sizeof(*fresh));
    pthread_mutex_init(fresh, NULL);
    if (__atomic_compare_exchange_n(&mutex->p, &none, fresh, FALSE, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        return fresh;
    }
    pthread_mutex_destroy(fresh);
    free(fresh);
    return none;
}

static pthread_cond_t *cond_of(GCond *cond)
{
    pthread_cond_t *inner = __atomic_load_n(&cond->p, __ATOMIC_ACQUIRE), *fresh;
    pthread_condattr_t attributes;
    gpointer none = NULL;

    if (inner) {
        return inner;
    }
    fresh = calloc(1, sizeof(*fresh));
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(fresh, &attributes);
    if (__atomic_compare_exchange_n(&cond->p, &none, fresh, FALSE, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        return fresh;
    }
    pthread_cond_destroy(fresh);
    free(fresh);
    return none;
}

void g_mutex_init(GMutex *mutex)
{
    mutex->p = NULL;
}

void g_mutex_clear(GMutex *mutex)
{
    if (mutex->p) {
        pthread_mutex_destroy(mutex->p);
        free(mutex->p);
        mutex->p = NULL;
    }
}

void(g_mutex_lock)(GMutex *mutex)
{
    pthread_mutex_lock(mutex_of(mutex));
}

void(g_mutex_unlock)(GMutex *mutex)
{
    pthread_mutex_unlock(mutex_of(mutex));
}

void g_cond_init(GCond *cond)
{
    cond->p = NULL;
}

void g_cond_clear(GCond *cond)
{
    if (cond->p) {
        pthread_cond_destroy(cond->p);
        free(cond->p);
        cond->p = NULL;
    }
}

void g_cond_wait(GCond *cond, GMutex *mutex)
{
    pthread_cond_wait(cond_of(cond), mutex_of(mutex));
}

gboolean g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end)
{
    struct timespec until = { .tv_sec = end / 1000000, .tv_nsec = end % 1000000 * 1000 };

    return pthread_cond_timedwait(cond_of(cond), mutex_of(mutex), &until) != ETIMEDOUT;
}

void g_cond_signal(GCond *cond)
{
    pthread_cond_signal(cond_of(cond));
}

void g_cond_broadcast(GCond *cond)
{
    pthread_cond_broadcast(cond_of(cond));
}
