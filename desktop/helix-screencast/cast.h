/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cast.h - an open ScreenCast: a PipeWire node with the picture of a monitor or a window, for as long as the compositor
 * and this program want it. backend.h opens one. Everything here belongs to the main thread and its default
 * GMainContext.
 */
#ifndef HELIX_SCREENCAST_CAST_H
#define HELIX_SCREENCAST_CAST_H

#include <gio/gio.h>
#include "error.h"

typedef struct Cast {
    GDBusConnection *bus;
    guint32 node; /* PipeWire's id of the stream */
    int fd;       /* the PipeWire connection that may see it; -1: the user's own daemon */
    gboolean is_closed;
    char *closed;  /* NULL while it is open; why it ended: text for a user */
    gboolean gone; /* ... because a service or the bus is gone: nothing is there to open another now */

    const char *service, *interface, *end_method; /* of the session object */
    char *path;
    gboolean ended; /* the session object said that it is no more */
    guint closed_signal, name_watch, backend_watch;
    gulong bus_closed;
} Cast;

/* One that is not opened yet. */
Cast *cast_new(GDBusConnection *bus);

/* End the ScreenCast, if it still runs, and free it. */
void cast_free(Cast *cast);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Cast, cast_free)

/* For a backend, first: @service makes the session. Its end and that of the bus set @cast->closed. */
void cast_service_is(Cast *cast, const char *service);

/* ... @path is the session object from now on. Its Closed signal sets @cast->closed; cast_free() calls @end_method on
 * it. */
void cast_session_is(Cast *cast, const char *path, const char *interface, const char *end_method);

/* ... and the end of @service, which holds up the session object behind the one above, does too. */
void cast_depends_on(Cast *cast, const char *service);

/* What opening it failed by, as an error of ours: @cause, which is taken over. Errors of the bus become
 * CAST_ERROR_UNAVAILABLE, behind @what, or CAST_ERROR_CLOSED where the service ended meanwhile. Always FALSE. */
gboolean cast_failed(const Cast *cast, const char *what, GError *cause, GError **error);

/* Run the default main context until *@done, for @ms milliseconds at most (0: without limit). FALSE with
 * CAST_ERROR_CLOSED once @cast is closed, and as bus_wait(). */
gboolean cast_wait(Cast *cast, const gboolean *done, guint ms, GCancellable *cancellable, GError **error);

#endif
