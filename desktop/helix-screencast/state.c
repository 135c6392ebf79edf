/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * state.c - state changes of GStreamer in a thread of their own.
 */
#include "bus.h"
#include "state.h"

typedef enum Kind {
    SET,
    SYNC,
    RENEW,
} Kind;

/* One reference is the thread's, the other that of the caller, which may have given up. */
typedef struct Change {
    GstElement *element;
    Kind kind;
    GstState state;
    GstStateChangeReturn result;
    gboolean done; /* main thread */
} Change;

static void change_clear(gpointer data)
{
    Change *change = data;

    gst_object_unref(change->element);
}

static void change_unref(gpointer data)
{
    g_atomic_rc_box_release_full(data, change_clear);
}

static Change *change_new(GstElement *element, Kind kind, GstState state)
{
    Change *change = g_atomic_rc_box_new0(Change);

    change->element = gst_object_ref(element);
    change->kind = kind;
    change->state = state;
    return change;
}

static gboolean on_done(gpointer data)
{
    Change *change = data;

    change->done = TRUE;
    return G_SOURCE_REMOVE;
}

static void run(gpointer data, gpointer unused)
{
    Change *change = data;

    (void)unused;
    switch (change->kind) {
    case SET:
        change->result = gst_element_set_state(change->element, change->state);
        break;
    case SYNC:
        change->result = gst_element_sync_state_with_parent(change->element) ? GST_STATE_CHANGE_SUCCESS
                                                                             : GST_STATE_CHANGE_FAILURE;
        break;
    default:
        gst_element_set_state(change->element, GST_STATE_PAUSED);
        change->result = gst_element_set_state(change->element, GST_STATE_PLAYING);
        break;
    }
    g_idle_add_full(G_PRIORITY_DEFAULT, on_done, change, change_unref);
}

/* One thread, so that changes happen in the order in which they were asked for. */
static void start(Change *change)
{
    static GThreadPool *thread;

    if (!thread) {
        thread = g_thread_pool_new(run, NULL, 1, FALSE, NULL);
    }
    g_thread_pool_push(thread, g_atomic_rc_box_acquire(change), NULL);
}

static gboolean wait(Change *change, guint seconds, const gboolean *ended, GCancellable *stop,
                     GstStateChangeReturn *result)
{
    gboolean done;

    start(change);
    (void)bus_wait(&change->done, ended, seconds * 1000, stop, NULL);
    done = change->done;
    if (done) {
        *result = change->result;
    }
    change_unref(change);
    return done;
}

gboolean state_set(GstElement *element, GstState state, guint seconds, const gboolean *ended, GCancellable *stop,
                   GstStateChangeReturn *result)
{
    return wait(change_new(element, SET, state), seconds, ended, stop, result);
}

gboolean state_sync(GstElement *element, guint seconds, const gboolean *ended, GCancellable *stop,
                    GstStateChangeReturn *result)
{
    return wait(change_new(element, SYNC, GST_STATE_VOID_PENDING), seconds, ended, stop, result);
}

void state_renew(GstElement *element)
{
    Change *change = change_new(element, RENEW, GST_STATE_VOID_PENDING);

    start(change);
    change_unref(change);
}
