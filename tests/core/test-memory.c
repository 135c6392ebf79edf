/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-memory.c - every allocation whose size a guest can drive, and every thread, is refused once: the first, then the
 * second, and so on until a run has none left to refuse; and again with all after it refused too. Requests are answered
 * all the same, by the rules of random-client.h, and what was lost is an error that says so.
 *
 * The linker puts the functions below in the place of the real ones (--wrap), in the core's own objects.
 */
#include <stdlib.h>

#include "cases.h"
#include "random-client.h"
#include "resources.h"

#define N_LINES 3u
#define STEPS 150u

static gint countdown; /* atomic: allocations until one is refused; below 0: none */
static gint refused;   /* atomic */
static gint all_after; /* atomic: and every one after it */

gpointer __real_g_try_malloc(gsize size);
gpointer __wrap_g_try_malloc(gsize size);
int __real_posix_memalign(void **memory, size_t alignment, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);
GThread *__real_g_thread_try_new(const char *name, GThreadFunc function, gpointer data, GError **error);
GThread *__wrap_g_thread_try_new(const char *name, GThreadFunc function, gpointer data, GError **error);

static gboolean refuse(void)
{
    gint left = g_atomic_int_add(&countdown, -1);
    gboolean now = left == 0 || (left < 0 && g_atomic_int_get(&all_after) && g_atomic_int_get(&refused));

    if (now) {
        g_atomic_int_inc(&refused);
    }
    return now;
}

gpointer __wrap_g_try_malloc(gsize size)
{
    return refuse() ? NULL : __real_g_try_malloc(size);
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t size)
{
    return refuse() ? 12 : __real_posix_memalign(memory, alignment, size); /* ENOMEM */
}

GThread *__wrap_g_thread_try_new(const char *name, GThreadFunc function, gpointer data, GError **error)
{
    if (refuse()) {
        g_set_error(error, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN, "refused by the test");
        return NULL;
    }
    return __real_g_thread_try_new(name, function, data, error);
}

/* One run; returns how many allocations were refused. @lost: frames that were answered with an error for it are added.
 */
static guint run(gint refuse_at, gboolean all, guint64 *lost)
{
    RandomClient *clients[N_LINES] = { NULL };
    RandomWorld world;

    g_atomic_int_set(&all_after, all);
    g_atomic_int_set(&refused, 0);
    g_atomic_int_set(&countdown, refuse_at);
    random_world_begin(&world, &(HelixHostConfig){ 0 }, 4711);
    for (guint i = 0; i < STEPS; i++) {
        RandomClient **client = &clients[random_world_some(&world, N_LINES)];

        if (!*client) {
            *client = random_client_new(&world);
        } else if (!random_client_step(*client)) {
            *client = NULL;
        }
        g_usleep(50); /* most requests shall find an encoder that has time */
        g_main_context_iteration(NULL, FALSE);
    }
    random_world_calm(&world);
    for (guint i = 0; i < N_LINES; i++) {
        if (clients[i]) {
            random_client_finish(clients[i]);
        }
    }
    random_world_end(&world);
    *lost += world.errors[99] + world.errors[10];
    return (guint)g_atomic_int_get(&refused);
}

static void run_until_clean(gboolean all)
{
    Resources before = resources_now();
    guint64 lost = 0;
    gint n = 0;

    while (run(n, all, &lost)) {
        n++;
    }
    g_test_message("%d runs, each with one more allocation granted; %" G_GUINT64_FORMAT
                   " answers said that it was missing",
                   n, lost);
    g_assert_cmpint(n, >, 20);
    g_assert_cmpuint(lost, >, 0);
    resources_expect(&before);
}

TEST("/memory/one-refused", test_one)
{
    run_until_clean(FALSE);
}

TEST("/memory/all-after-refused", test_all_after)
{
    run_until_clean(TRUE);
}
