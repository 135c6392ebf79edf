/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cast.c - the session object of a ScreenCast and its end, which both backends share.
 */
#include <unistd.h>
#include "bus.h"
#include "cast.h"

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

Cast *cast_new(GDBusConnection *bus)
{
    Cast *cast = g_new0(Cast, 1);

    cast->bus = g_object_ref(bus);
    cast->fd = -1;
    return cast;
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
