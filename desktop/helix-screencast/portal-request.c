/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * portal-request.c - a call to the portal and its answer.
 */
#include "bus.h"
#include "portal-request.h"

#define REQUEST "org.freedesktop.portal.Request"

enum {
    RESPONSE_GRANTED = 0,
    RESPONSE_CANCELLED = 1,
};

/* One request is under way at a time. The portal may answer it before its path is known for certain. */
typedef struct Response {
    const char *path; /* of the Request that is waited for */
    gboolean done;
    guint32 code;
    GVariant *results;
    char *other_path; /* of the Request that was answered last and is not that one, and its answer */
    GVariant *other;
} Response;

static void take(Response *response, GVariant *parameters)
{
    g_variant_get(parameters, "(u@a{sv})", &response->code, &response->results);
    response->done = TRUE;
}

static void on_response(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
                        const char *signal, GVariant *parameters, gpointer data)
{
    Response *response = data;

    if (response->done || !g_variant_is_of_type(parameters, G_VARIANT_TYPE("(ua{sv})"))) {
        return;
    }
    if (strcmp(path, response->path) == 0) {
        take(response, parameters);
        return;
    }
    g_free(response->other_path);
    g_clear_pointer(&response->other, g_variant_unref);
    response->other_path = g_strdup(path);
    response->other = g_variant_ref(parameters);
}

/* Portals before 0.9 choose a path of their own, and say so when they may have answered already. */
static void path_is(Response *response, const char *path)
{
    response->path = path;
    if (!response->done && g_strcmp0(response->other_path, path) == 0) {
        take(response, response->other);
    }
}

static char *request_path(GDBusConnection *bus, const char *token)
{
    g_autofree char *sender = g_strdup(g_dbus_connection_get_unique_name(bus) + 1);

    return g_strdup_printf(PORTAL_PATH "/request/%s/%s", g_strdelimit(sender, ".", '_'), token);
}

static gboolean judge(const char *method, const Response *response, GError **error)
{
    if (response->code == RESPONSE_CANCELLED) {
        g_set_error(error, CAST_ERROR, CAST_ERROR_DENIED, "the request was denied: %s",
                    "the user has to allow this program to see the screen");
    } else if (response->code != RESPONSE_GRANTED) {
        g_set_error(error, CAST_ERROR, CAST_ERROR_UNAVAILABLE,
                    "the portal ended %s without an answer from the user; the "
                    "log of xdg-desktop-portal and of the desktop's own portal says why",
                    method);
    }
    return response->code == RESPONSE_GRANTED;
}

static GVariant *parameters_of(const char *method, const char *session, GVariantDict *options)
{
    GVariant *dict = g_variant_dict_end(options);

    if (!session) {
        return g_variant_new("(@a{sv})", dict);
    }
    if (strcmp(method, "Start") == 0) {
        return g_variant_new("(os@a{sv})", session, "", dict); /* no window of ours to put the question before */
    }
    return g_variant_new("(o@a{sv})", session, dict);
}

/* Take the question back, and wait for nothing: a portal that is gone is not started again for it. */
static void close_request(GDBusConnection *bus, const char *handle)
{
    bus_send(bus, PORTAL_NAME, handle, REQUEST, "Close");
}

GVariant *portal_request(Cast *cast, const char *method, const char *session, GVariantDict *options, guint ms,
                         GCancellable *cancellable, GError **error)
{
    static guint count;
    g_autofree char *token = g_strdup_printf("helix%u", ++count);
    g_autofree char *path = request_path(cast->bus, token);
    g_autoptr(GVariant) reply = NULL;
    Response response = { .path = path };
    guint signal = g_dbus_connection_signal_subscribe(cast->bus, PORTAL_NAME, REQUEST, "Response", NULL, NULL,
                                                      G_DBUS_SIGNAL_FLAGS_NONE, on_response, &response, NULL);
    gboolean good;

    g_variant_dict_insert(options, "handle_token", "s", token);
    reply = bus_call(cast->bus, PORTAL_NAME, PORTAL_PATH, SCREENCAST, method, parameters_of(method, session, options),
                     "(o)", NULL, cancellable, error);
    if (reply) {
        const char *handle;

        g_variant_get(reply, "(&o)", &handle);
        path_is(&response, handle);
    }
    good = reply && cast_wait(cast, &response.done, ms, cancellable, error);
    if (!good && (reply || g_cancellable_is_cancelled(cancellable))) {
        close_request(cast->bus, response.path);
    }
    g_dbus_connection_signal_unsubscribe(cast->bus, signal);
    g_free(response.other_path);
    g_clear_pointer(&response.other, g_variant_unref);
    if (!good || !judge(method, &response, error)) {
        g_clear_pointer(&response.results, g_variant_unref);
    }
    return response.results;
}
