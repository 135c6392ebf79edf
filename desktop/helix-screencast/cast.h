/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cast.h - an open ScreenCast: a PipeWire node with the picture of a monitor or a window, for as long as the compositor
 * and we want it. Opened by the portal (portal.c) or by Mutter's own API (mutter.c). Everything here belongs to the
 * main thread and its default GMainContext.
 */
#ifndef HELIX_SCREENCAST_CAST_H
#define HELIX_SCREENCAST_CAST_H

#include <gio/gio.h>
#include "options.h"

/* What can go wrong; each is the program's exit status too (main.c). */
typedef enum CastError {
    CAST_ERROR_PIPELINE = 1,    /* the pipeline failed */
    CAST_ERROR_USAGE = 2,       /* the options ask for what is not there: a monitor, a cursor mode */
    CAST_ERROR_UNAVAILABLE = 3, /* no session bus, no portal, no compositor, or one that doesn't do as it says */
    CAST_ERROR_DENIED = 4,      /* the user said no */
    CAST_ERROR_CLOSED = 5,      /* the compositor ended it */
    CAST_ERROR_NOT_MADE = 6,    /* there is no such pipeline */
    CAST_ERROR_HIDDEN = 7,      /* the screen is locked, blank or another session's: screen_wait(); no exit status */
} CastError;

#define CAST_ERROR cast_error_quark()
GQuark cast_error_quark(void);

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

/* Decide on a way where @options leave it open, once: the way chosen stays in @options. */
void cast_choose(GDBusConnection *bus, Options *options, GCancellable *cancellable);

/* Open a ScreenCast as @options say, waiting for the user's consent if the portal asks for it. NULL with CAST_ERROR, or
 * G_IO_ERROR_CANCELLED once @cancellable is cancelled. Free with cast_free(). */
Cast *cast_open(GDBusConnection *bus, const Options *options, GCancellable *cancellable, GError **error);

/* End the ScreenCast, if it still runs, and free it. */
void cast_free(Cast *cast);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Cast, cast_free)

/* For the two ways, first: @service makes the session. Its end and that of the bus set @cast->closed. */
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

/* Print what can be captured in this session to standard output; FALSE with CAST_ERROR_UNAVAILABLE if nothing. */
gboolean cast_list(GDBusConnection *bus, GCancellable *cancellable, GError **error);

/* ---- mutter.c, portal.c ---- */

#define MUTTER_NAME "org.gnome.Mutter.ScreenCast"
#define PORTAL_NAME "org.freedesktop.portal.Desktop"

gboolean mutter_open(Cast *cast, const Options *options, GCancellable *cancellable, GError **error);
gboolean mutter_list(GDBusConnection *bus, GCancellable *cancellable, GError **error);

/* Ask Mutter whether it makes ScreenCasts now: it makes none while its screen is locked, blank or a greeter's. */
typedef enum MutterWord {
    MUTTER_IS_AWAY, /* not on this bus */
    MUTTER_ALLOWS,
    MUTTER_INHIBITS,
} MutterWord;

MutterWord mutter_ask(GDBusConnection *bus, GCancellable *cancellable);
gboolean portal_open(Cast *cast, const Options *options, GCancellable *cancellable, GError **error);
gboolean portal_list(GDBusConnection *bus, GCancellable *cancellable, GError **error);

#endif
