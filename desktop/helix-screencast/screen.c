/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * screen.c - whether the desktop's screen is shown.
 */
#include <unistd.h>
#include "bus.h"
#include "mutter.h"
#include "screen.h"

#define SHIELD_NAME "org.gnome.Shell.ScreenShield" /* GNOME Shell itself; SAVER_NAME is a proxy that D-Bus starts */
#define SAVER_NAME "org.gnome.ScreenSaver"
#define SAVER_PATH "/org/gnome/ScreenSaver"
#define LOGIN_NAME "org.freedesktop.login1"
#define LOGIN_PATH "/org/freedesktop/login1"
#define LOGIN_MANAGER LOGIN_NAME ".Manager"
#define LOGIN_SESSION LOGIN_NAME ".Session"
#define LOGIN_USER LOGIN_NAME ".User"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define POLL_MS 5000         /* signals tell earlier */
#define UNKNOWN_POLL_MS 1000 /* Mutter refuses, and nobody says why: no signal will come */
#define UNKNOWN_POLLS 2      /* ... before that is said: the reason may come a moment later */

typedef enum State {
    SHOWN,
    ELSEWHERE,
    LOCKED,
    BLANK,
    UNKNOWN, /* hidden, and Mutter is the only one to know */
} State;

static const char *const hidden_texts[] = {
    [SHOWN] = NULL,
    [ELSEWHERE] = "the login screen or another session has the display",
    [LOCKED] = "the screen is locked",
    [BLANK] = "the screen is blank",
    [UNKNOWN] = "Mutter inhibits ScreenCasts",
};

/* ---- GNOME's screen shield ---- */

static gboolean saver_is_active(GDBusConnection *bus, GCancellable *cancellable)
{
    const char *name = bus_has(bus, SHIELD_NAME, cancellable) ? SHIELD_NAME
        : bus_has(bus, SAVER_NAME, cancellable)               ? SAVER_NAME
                                                              : NULL;
    g_autoptr(GVariant) reply = name
        ? bus_call(bus, name, SAVER_PATH, SAVER_NAME, "GetActive", NULL, "(b)", NULL, cancellable, NULL)
        : NULL;
    gboolean active = FALSE;

    if (reply) {
        g_variant_get(reply, "(b)", &active);
    }
    return active;
}

/* ---- logind ---- */

/* NULL where there is no system bus. */
static GDBusConnection *system_bus(GCancellable *cancellable)
{
    GDBusConnection *bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, cancellable, NULL);

    if (bus) {
        g_dbus_connection_set_exit_on_close(bus, FALSE);
    }
    return bus;
}

/* The properties of the session that logind calls the user's display; NULL without one. */
static GVariant *display_session(GDBusConnection *bus, GCancellable *cancellable)
{
    g_autoptr(GVariant) user = bus_call(bus, LOGIN_NAME, LOGIN_PATH, LOGIN_MANAGER, "GetUser",
                                        g_variant_new("(u)", (guint32)getuid()), "(o)", NULL, cancellable, NULL);
    g_autoptr(GVariant) reply = NULL, display = NULL, properties = NULL;
    const char *path;

    if (!user) {
        return NULL;
    }
    g_variant_get(user, "(&o)", &path);
    reply = bus_call(bus, LOGIN_NAME, path, PROPERTIES, "Get", g_variant_new("(ss)", LOGIN_USER, "Display"), "(v)",
                     NULL, cancellable, NULL);
    if (!reply) {
        return NULL;
    }
    g_variant_get(reply, "(v)", &display);
    if (!g_variant_is_of_type(display, G_VARIANT_TYPE("(so)"))) {
        return NULL;
    }
    g_variant_get(display, "(&s&o)", NULL, &path);
    properties = bus_call(bus, LOGIN_NAME, path, PROPERTIES, "GetAll", g_variant_new("(s)", LOGIN_SESSION), "(a{sv})",
                          NULL, cancellable, NULL);
    return properties ? g_variant_get_child_value(properties, 0) : NULL;
}

/* A compositor without a screen goes on when its text console is switched away. */
static gboolean has_a_display(GVariant *session)
{
    const char *type = "";

    g_variant_lookup(session, "Type", "&s", &type);
    return strcmp(type, "wayland") == 0 || strcmp(type, "x11") == 0;
}

static State login_state(GDBusConnection *bus, GCancellable *cancellable)
{
    g_autoptr(GVariant) session = bus ? display_session(bus, cancellable) : NULL;
    gboolean locked = FALSE, active = TRUE;

    if (!session) {
        return SHOWN;
    }
    g_variant_lookup(session, "LockedHint", "b", &locked);
    g_variant_lookup(session, "Active", "b", &active);
    if (!active && has_a_display(session)) {
        return ELSEWHERE;
    }
    return locked ? LOCKED : SHOWN;
}

/* ---- both ---- */

static State look(GDBusConnection *bus, GCancellable *cancellable)
{
    MutterWord word = mutter_ask(bus, cancellable);
    g_autoptr(GDBusConnection) system = NULL;
    State state;

    if (word == MUTTER_ALLOWS) { /* a headless GNOME allows it behind its lock as well */
        return SHOWN;
    }
    system = system_bus(cancellable);
    state = login_state(system, cancellable);
    if (state == SHOWN && saver_is_active(bus, cancellable)) {
        state = BLANK;
    }
    return state == SHOWN && word == MUTTER_INHIBITS ? UNKNOWN : state;
}

const char *screen_hidden(GDBusConnection *bus, GCancellable *cancellable)
{
    return hidden_texts[look(bus, cancellable)];
}

static void on_signal(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
                      const char *signal, GVariant *parameters, gpointer changed)
{
    *(gboolean *)changed = TRUE;
}

static guint subscribe(GDBusConnection *bus, const char *sender, const char *interface, const char *signal,
                       const char *path, const char *argument, gboolean *changed)
{
    return g_dbus_connection_signal_subscribe(bus, sender, interface, signal, path, argument, G_DBUS_SIGNAL_FLAGS_NONE,
                                              on_signal, changed, NULL);
}

static void say(State state, gboolean quiet, guint polls, gboolean *said)
{
    if (*said || quiet || (state == UNKNOWN && polls < UNKNOWN_POLLS)) {
        return;
    }
    g_printerr("helix-screencast: %s; waiting until this session is shown again\n", hidden_texts[state]);
    *said = TRUE;
}

static gboolean wait_for_change(GDBusConnection *bus, gboolean quiet, gboolean *changed, GCancellable *cancellable,
                                GError **error)
{
    gboolean said = FALSE;
    guint unknown = 0;

    while (!g_cancellable_set_error_if_cancelled(cancellable, error)) {
        State state;

        *changed = FALSE; /* before the look: what changes during it is looked at again */
        state = look(bus, cancellable);
        if (state == SHOWN) {
            return !g_cancellable_set_error_if_cancelled(cancellable, error);
        }
        say(state, quiet, unknown++, &said);
        (void)bus_wait(changed, NULL, state == UNKNOWN ? UNKNOWN_POLL_MS : POLL_MS, cancellable, NULL);
    }
    return FALSE;
}

gboolean screen_wait(GDBusConnection *bus, gboolean quiet, GCancellable *cancellable, GError **error)
{
    g_autoptr(GDBusConnection) system = system_bus(cancellable);
    gboolean changed = FALSE, shown;
    guint saver = subscribe(bus, NULL, SAVER_NAME, "ActiveChanged", SAVER_PATH, NULL, &changed), login = 0;

    if (system) {
        login = subscribe(system, LOGIN_NAME, PROPERTIES, "PropertiesChanged", NULL, LOGIN_SESSION, &changed);
    }
    shown = wait_for_change(bus, quiet, &changed, cancellable, error);
    g_dbus_connection_signal_unsubscribe(bus, saver);
    if (system) {
        g_dbus_connection_signal_unsubscribe(system, login);
    }
    return shown;
}
