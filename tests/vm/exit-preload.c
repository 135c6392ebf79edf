/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exit-preload.c - makes a QEMU under test call exit() on a thread of its own when it gets SIGUSR1, as a vCPU's does
 * where KVM fails: the main loop goes on while and after exit notifiers run, here for a while longer. Preloaded
 * (LD_PRELOAD).
 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define LINGER_SECONDS 2

static sem_t asked;

static void ask(int number)
{
    (void)number;
    sem_post(&asked);
}

static void *exit_when_asked(void *data)
{
    while (sem_wait(&asked) < 0) {
        continue;
    }
    exit(0);
    return data;
}

/* Registered before main() registers anything, so called last. */
static void linger(void)
{
    sleep(LINGER_SECONDS);
    _exit(0);
}

__attribute__((constructor)) static void start(void)
{
    pthread_t thread;

    if (sem_init(&asked, 0, 0) < 0 || atexit(linger) != 0 ||
        pthread_create(&thread, NULL, exit_when_asked, NULL) != 0) {
        abort();
    }
    pthread_detach(thread);
    signal(SIGUSR1, ask);
}
