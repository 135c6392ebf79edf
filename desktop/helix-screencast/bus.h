/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bus.h - D-Bus calls that wait for their answer with the main context running, so that signals of the bus and of the
 * system are seen meanwhile. Main thread only.
 */
#ifndef HELIX_SCREENCAST_BUS_H
#define HELIX_SCREENCAST_BUS_H

#include <gio/gio.h>
#include <gio/gunixfdlist.h>

/* Run the default main context until *@done, for @ms milliseconds at most (0: without limit). FALSE with
 * G_IO_ERROR_TIMED_OUT, G_IO_ERROR_CLOSED once *@ended (may be NULL) or, once @cancellable is cancelled,
 * G_IO_ERROR_CANCELLED. */
gboolean bus_wait(const gboolean *done, const gboolean *ended, guint ms, GCancellable *cancellable, GError **error);

/* Run the default main context for @ms milliseconds, or until @cancellable is cancelled. */
void bus_pause(guint ms, GCancellable *cancellable);

/* Call a method and wait for its answer, of type @reply (NULL: any). @fds (may be NULL) gets the file descriptors that
 * came with it. NULL with the error that the bus or the service gave. */
GVariant *bus_call(GDBusConnection *bus, const char *service, const char *path, const char *interface,
                   const char *method, GVariant *parameters, const char *reply, GUnixFDList **fds,
                   GCancellable *cancellable, GError **error);

/* Call a method, and send the call before this returns, but wait for no answer. */
void bus_send(GDBusConnection *bus, const char *service, const char *path, const char *interface, const char *method);

/* A property that is a number; 0 with the service's error, which may say that there is no such interface. */
guint32 bus_get_uint(GDBusConnection *bus, const char *service, const char *path, const char *interface,
                     const char *property, GCancellable *cancellable, GError **error);

/* Whether somebody owns @service now. Starts nothing. */
gboolean bus_has(GDBusConnection *bus, const char *service, GCancellable *cancellable);

/* Whether a call to @service may be answered: somebody owns the name, or the bus can start it. Starts nothing. */
gboolean bus_may_have(GDBusConnection *bus, const char *service, GCancellable *cancellable);

#endif
