/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cast.c - which way a ScreenCast is opened, and what both ways share: the session object and its end.
 */
#include <stdio.h>
#include <unistd.h>
#include "bus.h"
#include "cast.h"
#include "screen.h"

G_DEFINE_QUARK(helix - screencast - error - quark, cast_error)

static void closed_because(Cast *cast, const char *why)
{
    if (!cast->closed) {
        cast->closed = g_strdup(why);
        cast->is_closed = TRUE;
    }
}

static void on_closed(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
                      const char *signal, GVariant *parameters, gpointer data)
{
    Cast *cast = data;

    cast->ended = TRUE;
    closed_because(cast, "the compositor closed the ScreenCast");
}

static void on_vanished(GDBusConnection *bus, const char *name, gpointer data)
{
    Cast *cast = data;
    g_autofree char *why = g_strdup_printf("%s left the session bus", name);

    cast->gone = TRUE;
    cast->ended = cast->ended || g_strcmp0(name, cast->service) == 0;
    closed_because(cast, why);
}

static void on_bus_closed(GDBusConnection *bus, gboolean vanished, GError *error, gpointer data)
{
    Cast *cast = data;

    cast->gone = cast->ended = TRUE;
    closed_because(cast, "the session bus closed the connection");
}

void cast_service_is(Cast *cast, const char *service)
{
    cast->service = service;
    cast->name_watch = g_bus_watch_name_on_connection(cast->bus, service, G_BUS_NAME_WATCHER_FLAGS_NONE, NULL,
                                                      on_vanished, cast, NULL);
    cast->bus_closed = g_signal_connect(cast->bus, "closed", G_CALLBACK(on_bus_closed), cast);
}

void cast_session_is(Cast *cast, const char *path, const char *interface, const char *end_method)
{
    cast->path = g_strdup(path);
    cast->interface = interface;
    cast->end_method = end_method;
    cast->closed_signal = g_dbus_connection_signal_subscribe(cast->bus, cast->service, interface, "Closed", path, NULL,
                                                             G_DBUS_SIGNAL_FLAGS_NONE, on_closed, cast, NULL);
}

void cast_depends_on(Cast *cast, const char *service)
{
    cast->backend_watch = g_bus_watch_name_on_connection(cast->bus, service, G_BUS_NAME_WATCHER_FLAGS_NONE, NULL,
                                                         on_vanished, cast, NULL);
}

gboolean cast_failed(const Cast *cast, const char *what, GError *cause, GError **error)
{
    if (g_error_matches(cause, G_IO_ERROR, G_IO_ERROR_CANCELLED) || cause->domain == CAST_ERROR) {
        g_propagate_error(error, cause);
        return FALSE;
    }
    if (cast->closed) {
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_CLOSED, cast->closed);
    } else if (g_error_matches(cause, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY)) { /* from the bus, before it says more */
        g_set_error(error, CAST_ERROR, CAST_ERROR_CLOSED, "%s left the session bus", cast->service);
    } else {
        g_set_error(error, CAST_ERROR, CAST_ERROR_UNAVAILABLE, "%s: %s", what, cause->message);
    }
    g_error_free(cause);
    return FALSE;
}

gboolean cast_wait(Cast *cast, const gboolean *done, guint ms, GCancellable *cancellable, GError **error)
{
    g_autoptr(GError) cause = NULL;

    if (bus_wait(done, &cast->is_closed, ms, cancellable, &cause)) {
        return TRUE;
    }
    if (g_error_matches(cause, G_IO_ERROR, G_IO_ERROR_CLOSED)) {
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_CLOSED, cast->closed);
    } else {
        g_propagate_error(error, g_steal_pointer(&cause));
    }
    return FALSE;
}

/* The portal asks the user; Mutter's own API asks nobody and takes a monitor's name; windows it knows by numbers. */
void cast_choose(GDBusConnection *bus, Options *options, GCancellable *cancellable)
{
    if (options->backend != BACKEND_AUTO) {
        return;
    }
    options->backend = options->monitor || (!options->window && bus_has(bus, MUTTER_NAME, cancellable))
        ? BACKEND_MUTTER
        : BACKEND_PORTAL;
}

Cast *cast_open(GDBusConnection *bus, const Options *options, GCancellable *cancellable, GError **error)
{
    gboolean mutter = options->backend == BACKEND_MUTTER;
    /* A portal that is asked meanwhile spends the restore token, and puts its question behind the lock. */
    const char *hidden = mutter ? NULL : screen_hidden(bus, cancellable);
    g_autoptr(Cast) cast = NULL;

    if (hidden) {
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_HIDDEN, hidden);
        return NULL;
    }
    cast = g_new0(Cast, 1);
    cast->bus = g_object_ref(bus);
    cast->fd = -1;
    if (!(mutter ? mutter_open : portal_open)(cast, options, cancellable, error)) {
        return NULL;
    }
    if (cast->closed) {
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_CLOSED, cast->closed);
        return NULL;
    }
    return g_steal_pointer(&cast);
}

void cast_free(Cast *cast)
{
    if (cast->service) {
        g_bus_unwatch_name(cast->name_watch);
        g_signal_handler_disconnect(cast->bus, cast->bus_closed);
    }
    if (cast->backend_watch) {
        g_bus_unwatch_name(cast->backend_watch);
    }
    if (cast->path) {
        g_dbus_connection_signal_unsubscribe(cast->bus, cast->closed_signal);
    }
    if (cast->path && !cast->ended) {
        /* Nobody waits for a compositor that hangs. */
        bus_send(cast->bus, cast->service, cast->path, cast->interface, cast->end_method);
    }
    if (cast->fd >= 0) {
        close(cast->fd);
    }
    g_free(cast->path);
    g_free(cast->closed);
    g_object_unref(cast->bus);
    g_free(cast);
}

gboolean cast_list(GDBusConnection *bus, GCancellable *cancellable, GError **error)
{
    g_autoptr(GError) no_mutter = NULL, no_portal = NULL;
    gboolean mutter = mutter_list(bus, cancellable, &no_mutter);
    gboolean portal = portal_list(bus, cancellable, &no_portal);

    if (!mutter && !portal) {
        g_set_error(error, CAST_ERROR, CAST_ERROR_UNAVAILABLE, "nothing can be captured here: %s; %s",
                    no_mutter->message, no_portal->message);
        return FALSE;
    }
    if (!mutter) {
        printf("mutter: %s\n", no_mutter->message);
    }
    if (!portal) {
        printf("portal: %s\n", no_portal->message);
    }
    return TRUE;
}
