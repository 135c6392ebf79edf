/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tsan-queue.c - GLib's queues, pools and reference counts told to ThreadSanitizer, in its builds, beside
 * tests/videotoolbox/tsan-glib.c.
 *
 * A distribution's GLib is built without it. What is handed over is announced here, so that the sanitizer goes on
 * looking at it; what GLib allocates and frees for itself in between (a queue's nodes) is not looked at. Nor is what
 * Mesa does, in programs that draw: of it and of LLVM only parts are seen. Nothing of ours is suppressed.
 */
#include <dlfcn.h>
#include <glib.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);
const char *__tsan_default_suppressions(void);

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libglib-2.0.so.0\ncalled_from_lib:libgallium\nrace:libgallium\n";
}

void g_async_queue_push(GAsyncQueue *queue, gpointer data)
{
    __tsan_release(queue);
    REAL(g_async_queue_push)(queue, data);
}

gpointer g_async_queue_pop(GAsyncQueue *queue)
{
    gpointer data = REAL(g_async_queue_pop)(queue);

    __tsan_acquire(queue);
    return data;
}

gpointer g_async_queue_try_pop(GAsyncQueue *queue)
{
    gpointer data = REAL(g_async_queue_try_pop)(queue);

    __tsan_acquire(queue);
    return data;
}

/* The last release is ordered behind all earlier ones. */
void(g_atomic_ref_count_inc)(gatomicrefcount *count)
{
    __atomic_fetch_add(count, 1, __ATOMIC_ACQ_REL);
}

gboolean(g_atomic_ref_count_dec)(gatomicrefcount *count)
{
    return __atomic_fetch_sub(count, 1, __ATOMIC_ACQ_REL) == 1;
}

typedef struct PoolFunction {
    GFunc function;
    gpointer data;
} PoolFunction;

static void run(gpointer data, gpointer user_data)
{
    const PoolFunction *pool = user_data;

    __tsan_acquire(data);
    pool->function(data, pool->data);
}

GThreadPool *g_thread_pool_new(GFunc function, gpointer user_data, gint max_threads, gboolean exclusive, GError **error)
{
    PoolFunction *pool = g_new(PoolFunction, 1); /* for as long as the pool, which is for good */

    *pool = (PoolFunction){ function, user_data };
    return REAL(g_thread_pool_new)(run, pool, max_threads, exclusive, error);
}

gboolean g_thread_pool_push(GThreadPool *pool, gpointer data, GError **error)
{
    __tsan_release(data);
    return REAL(g_thread_pool_push)(pool, data, error);
}
