/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bus.c - D-Bus calls that wait for their answer with the main context running.
 */
#include "bus.h"

#define DBUS_NAME "org.freedesktop.DBus"
#define DBUS_PATH "/org/freedesktop/DBus"
#define CALL_MS 30000

static gboolean on_time(gpointer data)
{
    *(gboolean *)data = TRUE;
    return G_SOURCE_REMOVE;
}

gboolean bus_wait(const gboolean *done, const gboolean *ended, guint ms, GCancellable *cancellable, GError **error)
{
    gboolean late = FALSE;
    guint timer = ms ? g_timeout_add(ms, on_time, &late) : 0;

    while (!*done && !(ended && *ended) && !late && !g_cancellable_is_cancelled(cancellable)) {
        g_main_context_iteration(NULL, TRUE);
    }
    if (timer && !late) {
        g_source_remove(timer);
    }
    if (g_cancellable_set_error_if_cancelled(cancellable, error)) {
        return FALSE;
    }
    if (!*done && ended && *ended) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_CLOSED, "it ended before its answer");
    } else if (!*done) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "no answer within %u s", ms / 1000);
    }
    return *done;
}

void bus_pause(guint ms, GCancellable *cancellable)
{
    gboolean never = FALSE;

    (void)bus_wait(&never, NULL, ms, cancellable, NULL);
}

typedef struct Call {
    gboolean done;
    GVariant *reply;
    GUnixFDList *fds;
    GError *error;
} Call;

static void on_reply(GObject *source, GAsyncResult *result, gpointer data)
{
    Call *call = data;

    call->reply = g_dbus_connection_call_with_unix_fd_list_finish(G_DBUS_CONNECTION(source), &call->fds, result,
                                                                  &call->error);
    call->done = TRUE;
}

GVariant *bus_call(GDBusConnection *bus, const char *service, const char *path, const char *interface,
                   const char *method, GVariant *parameters, const char *reply, GUnixFDList **fds,
                   GCancellable *cancellable, GError **error)
{
    g_autoptr(GVariantType) type = reply ? g_variant_type_new(reply) : NULL;
    Call call = { 0 };

    g_dbus_connection_call_with_unix_fd_list(bus, service, path, interface, method, parameters, type,
                                             G_DBUS_CALL_FLAGS_NONE, CALL_MS, NULL, cancellable, on_reply, &call);
    /* The call itself ends at its time limit and when it is cancelled: on_reply() comes always. */
    while (!call.done) {
        g_main_context_iteration(NULL, TRUE);
    }
    if (call.error) {
        g_dbus_error_strip_remote_error(call.error);
        g_propagate_error(error, call.error);
        return NULL;
    }
    if (fds) {
        *fds = call.fds;
    } else {
        g_clear_object(&call.fds);
    }
    return call.reply;
}

void bus_send(GDBusConnection *bus, const char *service, const char *path, const char *interface, const char *method)
{
    g_dbus_connection_call(bus, service, path, interface, method, NULL, NULL, G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL,
                           NULL, NULL);
    g_dbus_connection_flush_sync(bus, NULL, NULL);
}

guint32 bus_get_uint(GDBusConnection *bus, const char *service, const char *path, const char *interface,
                     const char *property, GCancellable *cancellable, GError **error)
{
    g_autoptr(GVariant) value = NULL;
    g_autoptr(GVariant) reply = bus_call(bus, service, path, "org.freedesktop.DBus.Properties", "Get",
                                         g_variant_new("(ss)", interface, property), "(v)", NULL, cancellable, error);

    if (!reply) {
        return 0;
    }
    g_variant_get(reply, "(v)", &value);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT32)) {
        return g_variant_get_uint32(value);
    }
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT32)) {
        return (guint32)g_variant_get_int32(value);
    }
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s of %s is no number", property, interface);
    return 0;
}

gboolean bus_has(GDBusConnection *bus, const char *service, GCancellable *cancellable)
{
    gboolean has = FALSE;
    g_autoptr(GVariant) reply = bus_call(bus, DBUS_NAME, DBUS_PATH, DBUS_NAME, "NameHasOwner",
                                         g_variant_new("(s)", service), "(b)", NULL, cancellable, NULL);

    if (reply) {
        g_variant_get(reply, "(b)", &has);
    }
    return has;
}

gboolean bus_may_have(GDBusConnection *bus, const char *service, GCancellable *cancellable)
{
    g_autoptr(GVariant) reply = NULL;
    g_autofree const char **names = NULL;

    if (bus_has(bus, service, cancellable)) {
        return TRUE;
    }
    reply = bus_call(bus, DBUS_NAME, DBUS_PATH, DBUS_NAME, "ListActivatableNames", NULL, "(as)", NULL, cancellable,
                     NULL);
    if (!reply) {
        return FALSE;
    }
    g_variant_get(reply, "(^a&s)", &names);
    return g_strv_contains((const char *const *)names, service);
}
