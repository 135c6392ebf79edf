/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mutter.c - a ScreenCast by Mutter's own D-Bus API, which any program of the session may use without asking the user:
 * org.gnome.Mutter.ScreenCast for the stream, org.gnome.Mutter.DisplayConfig for the names of the monitors.
 */
#include <stdio.h>
#include "bus.h"
#include "mutter.h"

#define SCREENCAST_PATH "/org/gnome/Mutter/ScreenCast"
#define SESSION MUTTER_NAME ".Session"
#define STREAM MUTTER_NAME ".Stream"
#define DISPLAY_CONFIG "org.gnome.Mutter.DisplayConfig"
#define DISPLAY_CONFIG_PATH "/org/gnome/Mutter/DisplayConfig"
#define NODE_MS 30000
#define INHIBITED "inhibited" /* in CreateSession's error "Session creation inhibited": meta-dbus-session-manager.c */

/* GetCurrentState: serial, monitors, logical monitors, properties. */
#define MODE "(siiddada{sv})"
#define MONITOR "((ssss)a" MODE "a{sv})"
#define LOGICAL "(iiduba(ssss)a{sv})"
#define STATE "(ua" MONITOR "a" LOGICAL "a{sv})"

typedef enum CursorMode {
    MUTTER_CURSOR_HIDDEN,
    MUTTER_CURSOR_EMBEDDED,
} CursorMode;

typedef struct Monitor {
    char *connector, *name;
    int width, height;
    gboolean primary;
} Monitor;

static void monitor_free(gpointer data)
{
    Monitor *monitor = data;

    g_free(monitor->connector);
    g_free(monitor->name);
    g_free(monitor);
}

static gboolean is_primary(GVariant *logical_monitors, const char *connector)
{
    for (gsize i = 0; i < g_variant_n_children(logical_monitors); i++) {
        g_autoptr(GVariant) logical = g_variant_get_child_value(logical_monitors, i);
        g_autoptr(GVariantIter) monitors = NULL;
        const char *name;
        gboolean primary;

        g_variant_get(logical, "(iiduba(ssss)a{sv})", NULL, NULL, NULL, NULL, &primary, &monitors, NULL);
        while (primary && g_variant_iter_next(monitors, "(&s&s&s&s)", &name, NULL, NULL, NULL)) {
            if (strcmp(name, connector) == 0) {
                return TRUE;
            }
        }
    }
    return FALSE;
}

static Monitor *read_monitor(GVariant *value, GVariant *logical_monitors)
{
    Monitor *monitor = g_new0(Monitor, 1);
    g_autoptr(GVariant) modes = g_variant_get_child_value(value, 1);
    const char *vendor, *product;

    g_variant_get_child(value, 0, "(s&s&s&s)", &monitor->connector, &vendor, &product, NULL);
    monitor->name = g_strdup_printf("%s %s", vendor, product);
    for (gsize i = 0; i < g_variant_n_children(modes); i++) {
        g_autoptr(GVariant) mode = g_variant_get_child_value(modes, i), properties = NULL;
        gboolean current = FALSE;
        int width, height;

        g_variant_get(mode, "(siiddad@a{sv})", NULL, &width, &height, NULL, NULL, NULL, &properties);
        if (g_variant_lookup(properties, "is-current", "b", &current) && current) {
            monitor->width = width;
            monitor->height = height;
        }
    }
    monitor->primary = is_primary(logical_monitors, monitor->connector);
    return monitor;
}

/* The monitors, the primary one first. */
static GPtrArray *read_monitors(GDBusConnection *bus, GCancellable *cancellable, GError **error)
{
    g_autoptr(GVariant) state = bus_call(bus, DISPLAY_CONFIG, DISPLAY_CONFIG_PATH, DISPLAY_CONFIG, "GetCurrentState",
                                         NULL, STATE, NULL, cancellable, error);
    g_autoptr(GPtrArray) monitors = g_ptr_array_new_with_free_func(monitor_free);
    g_autoptr(GVariant) listed = NULL, logical = NULL;

    if (!state) {
        return NULL;
    }
    listed = g_variant_get_child_value(state, 1);
    logical = g_variant_get_child_value(state, 2);
    for (gsize i = 0; i < g_variant_n_children(listed); i++) {
        g_autoptr(GVariant) value = g_variant_get_child_value(listed, i);
        Monitor *monitor = read_monitor(value, logical);

        g_ptr_array_insert(monitors, monitor->primary ? 0 : -1, monitor);
    }
    return g_steal_pointer(&monitors);
}

static char *choose_monitor(GPtrArray *monitors, const char *wanted, GError **error)
{
    g_autoptr(GString) all = g_string_new(NULL);

    for (guint i = 0; i < monitors->len; i++) {
        const Monitor *monitor = monitors->pdata[i];

        if (!wanted || strcmp(monitor->connector, wanted) == 0) {
            return g_strdup(monitor->connector);
        }
        g_string_append_printf(all, "%s%s", i ? ", " : "", monitor->connector);
    }
    if (wanted && monitors->len) {
        g_set_error(error, CAST_ERROR, CAST_ERROR_USAGE, "there is no monitor '%s'; there are: %s", wanted, all->str);
    } else {
        g_set_error(error, CAST_ERROR, CAST_ERROR_UNAVAILABLE,
                    "Mutter has no monitor; without a screen it gets one by "
                    "mutter --headless --virtual-monitor WIDTHxHEIGHT");
    }
    return NULL;
}

typedef struct Added {
    gboolean done;
    guint32 node;
} Added;

static void on_added(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
                     const char *signal, GVariant *parameters, gpointer data)
{
    Added *added = data;

    if (g_variant_is_of_type(parameters, G_VARIANT_TYPE("(u)"))) {
        g_variant_get(parameters, "(u)", &added->node);
        added->done = TRUE;
    }
}

static gboolean start(Cast *cast, const char *stream, GCancellable *cancellable, GError **error)
{
    Added added = { 0 };
    guint signal = g_dbus_connection_signal_subscribe(cast->bus, MUTTER_NAME, STREAM, "PipeWireStreamAdded", stream,
                                                      NULL, G_DBUS_SIGNAL_FLAGS_NONE, on_added, &added, NULL);
    g_autoptr(GVariant)
        reply = bus_call(cast->bus, MUTTER_NAME, cast->path, SESSION, "Start", NULL, NULL, NULL, cancellable, error);
    gboolean good = reply && cast_wait(cast, &added.done, NODE_MS, cancellable, error);

    g_dbus_connection_signal_unsubscribe(cast->bus, signal);
    cast->node = added.node;
    if (reply && !good && !cast->closed && !g_cancellable_is_cancelled(cancellable)) {
        g_prefix_error(error, "Mutter announced no PipeWire stream (does PipeWire run in this session?): ");
    }
    return good;
}

static gboolean inhibited(const GError *error)
{
    return strstr(error->message, INHIBITED) != NULL;
}

static gboolean record(Cast *cast, const char *connector, const Options *options, GCancellable *cancellable,
                       GError **error)
{
    g_autoptr(GVariant) session = NULL, stream = NULL;
    const char *path;
    GVariantDict properties;
    CursorMode cursor = options->cursor == CURSOR_HIDDEN ? MUTTER_CURSOR_HIDDEN : MUTTER_CURSOR_EMBEDDED;

    session = bus_call(cast->bus, MUTTER_NAME, SCREENCAST_PATH, MUTTER_NAME, "CreateSession",
                       g_variant_new("(a{sv})", NULL), "(o)", NULL, cancellable, error);
    if (!session) {
        if (inhibited(*error)) {
            g_autofree char *message = g_strdup((*error)->message);

            g_clear_error(error);
            g_set_error_literal(error, CAST_ERROR, CAST_ERROR_HIDDEN, message);
        }
        return FALSE;
    }
    g_variant_get(session, "(&o)", &path);
    cast_session_is(cast, path, SESSION, "Stop");
    g_variant_dict_init(&properties, NULL);
    g_variant_dict_insert(&properties, "cursor-mode", "u", (guint32)cursor);
    stream = bus_call(cast->bus, MUTTER_NAME, cast->path, SESSION, "RecordMonitor",
                      g_variant_new("(s@a{sv})", connector, g_variant_dict_end(&properties)), "(o)", NULL, cancellable,
                      error);
    if (!stream) {
        return FALSE;
    }
    g_variant_get(stream, "(&o)", &path);
    return start(cast, path, cancellable, error);
}

gboolean mutter_open(Cast *cast, const Options *options, GCancellable *cancellable, GError **error)
{
    g_autoptr(GPtrArray) monitors = NULL;
    g_autofree char *connector = NULL;
    GError *cause = NULL;

    if (!bus_has(cast->bus, MUTTER_NAME, cancellable)) {
        g_set_error(error, CAST_ERROR, CAST_ERROR_UNAVAILABLE,
                    "there is no " MUTTER_NAME " on this session bus: Mutter "
                    "(GNOME's compositor) does not run in this session; %s",
                    options->monitor ? "by the portal the user chooses the monitor: leave out --monitor"
                                     : "--backend=portal works with other desktops");
        return FALSE;
    }
    cast_service_is(cast, MUTTER_NAME);
    monitors = read_monitors(cast->bus, cancellable, &cause);
    connector = monitors ? choose_monitor(monitors, options->monitor, &cause) : NULL;
    if (!connector) {
        return cast_failed(cast, "cannot read Mutter's monitors", cause, error);
    }
    return record(cast, connector, options, cancellable, &cause) ||
        cast_failed(cast, "Mutter's ScreenCast", cause, error);
}

MutterWord mutter_ask(GDBusConnection *bus, GCancellable *cancellable)
{
    g_autoptr(GVariant) session = NULL;
    g_autoptr(GError) error = NULL;
    const char *path;

    if (!bus_has(bus, MUTTER_NAME, cancellable)) {
        return MUTTER_IS_AWAY;
    }
    session = bus_call(bus, MUTTER_NAME, SCREENCAST_PATH, MUTTER_NAME, "CreateSession", g_variant_new("(a{sv})", NULL),
                       "(o)", NULL, cancellable, &error);
    if (!session) {
        return inhibited(error) ? MUTTER_INHIBITS : MUTTER_ALLOWS; /* the portal will say what else is wrong */
    }
    g_variant_get(session, "(&o)", &path);
    bus_send(bus, MUTTER_NAME, path, SESSION, "Stop");
    return MUTTER_ALLOWS;
}

gboolean mutter_list(GDBusConnection *bus, GCancellable *cancellable, GError **error)
{
    g_autoptr(GPtrArray) monitors = NULL;

    if (!bus_has(bus, MUTTER_NAME, cancellable)) {
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_UNAVAILABLE, MUTTER_NAME " is not on this session bus");
        return FALSE;
    }
    monitors = read_monitors(bus, cancellable, error);
    if (!monitors) {
        return FALSE;
    }
    printf("mutter:\n");
    for (guint i = 0; i < monitors->len; i++) {
        const Monitor *monitor = monitors->pdata[i];

        printf("    %-12s %dx%d  %s%s\n", monitor->connector, monitor->width, monitor->height, monitor->name,
               monitor->primary ? "  (primary)" : "");
    }
    return TRUE;
}
