/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tsan-gstreamer.c - what ThreadSanitizer cannot see of GLib and GStreamer, which a distribution builds without it,
 * told by name. Linked into ThreadSanitizer builds of the element's tests, beside tsan-glib.c.
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

/* ---- GBytes: the last unref frees what other threads have read; the count is inside GLib. ---- */

static pthread_mutex_t bytes_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

void g_bytes_unref(GBytes *bytes)
{
    pthread_mutex_lock(&bytes_lock);
    (REAL(g_bytes_unref))(bytes);
    pthread_mutex_unlock(&bytes_lock);
}

/* ---- GstBus: a queue without a lock. All buses are one to ThreadSanitizer. ---- */

static char buses;

/*
 * A report names the caller of a function that was built with ThreadSanitizer. So that the two below do, by which the
 * suppressions at the end know a report, each calls another function of this file.
 */
__attribute__((noinline)) static gboolean post(GstElement *element, GstMessage *message)
{
    gboolean posted = (REAL(gst_element_post_message))(element, message);

    __tsan_release(&buses);
    return posted;
}

gboolean gst_element_post_message(GstElement *element, GstMessage *message)
{
    gboolean posted;

    __tsan_release(&buses);
    posted = post(element, message);
    __tsan_release(&buses);
    return posted;
}

typedef struct FullMessage {
    GstElement *element;
    GstMessageType type;
    GQuark domain;
    gint code, line;
    gchar *text, *debug;
    const gchar *file, *function;
} FullMessage;

__attribute__((noinline)) static void post_full(const FullMessage *full)
{
    (REAL(gst_element_message_full))(full->element, full->type, full->domain, full->code, full->text, full->debug,
                                     full->file, full->function, full->line);
    __tsan_release(&buses);
}

void gst_element_message_full(GstElement *element, GstMessageType type, GQuark domain, gint code, gchar *text,
                              gchar *debug, const gchar *file, const gchar *function, gint line)
{
    const FullMessage full = { element, type, domain, code, line, text, debug, file, function };

    __tsan_release(&buses);
    post_full(&full);
    __tsan_release(&buses);
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
    Pool *pool = g_new(Pool, 1); /* as long as the program: GLib does not say when a pool's last thread ends */

    *pool = (Pool){ func, user_data };
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
    return "race:g_queue_pop_tail\n"
           /* The thread with the last reference frees a message, often the one that posts it, after a test has read it.
            */
           "race:gst_element_post_message\n"
           "race:gst_element_message_full\n"
           /* The decoder behind the element hands frames to its own threads, and takes its locks in both orders. */
           "race:libavutil.so\n"
           "race:libavcodec.so\n"
           "deadlock:gst_video_decoder_get_frame\n"
           "deadlock:gst_video_decoder_release_frame\n";
}
