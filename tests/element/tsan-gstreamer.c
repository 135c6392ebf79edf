/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tsan-gstreamer.c - what ThreadSanitizer cannot see of GLib and GStreamer, which a distribution builds without it, told
 * by name. Linked into ThreadSanitizer builds of the element's tests, beside tsan-glib.c.
 *
 * Queues that hand things from thread to thread are told to it, so that it goes on looking at what is handed over.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <gst/gst.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);
const char *__tsan_default_suppressions(void);

#define REAL(name) (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* ---- GAsyncQueue: its lock is inside GLib. Harnesses keep what came out of an element in some. ---- */

void g_async_queue_push(GAsyncQueue *queue, gpointer data)
{
    __tsan_release(queue);
    (REAL(g_async_queue_push))(queue, data);
}

gpointer g_async_queue_pop(GAsyncQueue *queue)
{
    gpointer data = (REAL(g_async_queue_pop))(queue);

    __tsan_acquire(queue);
    return data;
}

gpointer g_async_queue_try_pop(GAsyncQueue *queue)
{
    gpointer data = (REAL(g_async_queue_try_pop))(queue);

    __tsan_acquire(queue);
    return data;
}

gpointer g_async_queue_timeout_pop(GAsyncQueue *queue, guint64 timeout)
{
    gpointer data = (REAL(g_async_queue_timeout_pop))(queue, timeout);

    __tsan_acquire(queue);
    return data;
}

/* ---- GBytes: whoever lets go last frees what others have read; the count is inside GLib. ---- */

static pthread_mutex_t bytes_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

void g_bytes_unref(GBytes *bytes)
{
    pthread_mutex_lock(&bytes_lock);
    (REAL(g_bytes_unref))(bytes);
    pthread_mutex_unlock(&bytes_lock);
}

/* ---- GstBus: a queue without a lock. All buses are one to ThreadSanitizer. ---- */

static char buses;

gboolean gst_element_post_message(GstElement *element, GstMessage *message)
{
    __tsan_release(&buses);
    return (REAL(gst_element_post_message))(element, message);
}

void gst_element_message_full(GstElement *element, GstMessageType type, GQuark domain, gint code, gchar *text,
                              gchar *debug, const gchar *file, const gchar *function, gint line)
{
    __tsan_release(&buses);
    (REAL(gst_element_message_full))(element, type, domain, code, text, debug, file, function, line);
}

GstMessage *gst_bus_timed_pop_filtered(GstBus *bus, GstClockTime timeout, GstMessageType types)
{
    GstMessage *message = (REAL(gst_bus_timed_pop_filtered))(bus, timeout, types);

    __tsan_acquire(&buses);
    return message;
}

GstMessage *gst_bus_pop_filtered(GstBus *bus, GstMessageType types)
{
    GstMessage *message = (REAL(gst_bus_pop_filtered))(bus, types);

    __tsan_acquire(&buses);
    return message;
}

/* ---- GThreadPool, on whose threads pads' tasks run: what a task is given is handed over inside GLib. ---- */

static char pools;

typedef struct Pool {
    GFunc func;
    gpointer user_data;
} Pool;

static void run_in_pool(gpointer data, gpointer user_data)
{
    Pool *pool = user_data;

    __tsan_acquire(&pools);
    pool->func(data, pool->user_data);
}

GThreadPool *g_thread_pool_new(GFunc func, gpointer user_data, gint max_threads, gboolean exclusive, GError **error)
{
    Pool *pool = g_new(Pool, 1);        /* as long as the program: GLib does not say when a pool's last thread ends */

    *pool = (Pool) { func, user_data };
    return (REAL(g_thread_pool_new))(run_in_pool, pool, max_threads, exclusive, error);
}

gboolean g_thread_pool_push(GThreadPool *pool, gpointer data, GError **error)
{
    __tsan_release(&pools);
    return (REAL(g_thread_pool_push))(pool, data, error);
}

/* ---- the rest, suppressed ---- */

const char *__tsan_default_suppressions(void)
{
    /* GThreadPool's own queue: its nodes are made and freed under a lock inside GLib. Nothing under test calls it. */
    return "race:g_queue_pop_tail\n";
}
