/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * state.h - state changes of GStreamer that the main thread does not wait for inside of an element: opening and writing
 * a file may block for as long as a FIFO has no reader, and the main loop goes on meanwhile. Main thread only.
 */
#ifndef HELIX_SCREENCAST_STATE_H
#define HELIX_SCREENCAST_STATE_H

#include <gst/gst.h>

/*
 * Set the state of @element, with the default main context running, and say how that went in *@result. FALSE if it has
 * not come back within @seconds (0: without limit), once *@ended (may be NULL), or once @stop (may be NULL) is
 * cancelled: then a thread of its own is still in it, and every later change waits behind it.
 */
gboolean state_set(GstElement *element, GstState state, guint seconds, const gboolean *ended, GCancellable *stop,
                   GstStateChangeReturn *result);

/* The same, to the state of its parent. */
gboolean state_sync(GstElement *element, guint seconds, const gboolean *ended, GCancellable *stop,
                    GstStateChangeReturn *result);

/* Pause @element and let it play again, so that it chooses another clock. Does not wait for that. */
void state_renew(GstElement *element);

#endif
