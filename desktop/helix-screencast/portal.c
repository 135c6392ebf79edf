/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * portal.c - the portal's ScreenCast: what it offers, its session, and the stream.
 *
 * By hand and not by libportal 0.9, which has no getter for the session's object path (watch_backend() needs it), none
 * for the portal's version, source types and cursor modes, and never completes xdp_session_start() when the call of
 * Start fails on the bus.
 */
#include <stdio.h>
#include "bus.h"
#include "portal-request.h"
#include "portal.h"
#include "token.h"

#define SESSION "org.freedesktop.portal.Session"
#define BACKEND "org.freedesktop.impl.portal.desktop." /* and a desktop's name */
#define BACKEND_SESSION "org.freedesktop.impl.portal.Session"

#define SOURCE_MONITOR 1u
#define SOURCE_WINDOW 2u
#define PORTAL_CURSOR_HIDDEN 1u
#define PORTAL_CURSOR_EMBEDDED 2u
#define PERSIST_UNTIL_REVOKED 2u
#define VERSION_OF_CURSORS 2u
#define VERSION_OF_TOKENS 4u
#define REQUEST_MS 30000
#define READY_MS 10000 /* for a portal that D-Bus has started, and that has no ScreenCast yet */
#define READY_POLL_MS 250
#define RESTORE_MS 2000 /* with a restore token the portal answers by itself in that time, or asks */

typedef struct Portal {
    guint32 version, sources, cursors;
} Portal;

/* ---- what the portal can do ---- */

static gboolean read_properties(GDBusConnection *bus, Portal *portal, GCancellable *cancellable, GError **error)
{
    GError *cause = NULL;

    portal->version = bus_get_uint(bus, PORTAL_NAME, PORTAL_PATH, SCREENCAST, "version", cancellable, &cause);
    if (!cause) {
        portal->sources = bus_get_uint(bus, PORTAL_NAME, PORTAL_PATH, SCREENCAST, "AvailableSourceTypes", cancellable,
                                       &cause);
    }
    if (!cause && portal->version >= VERSION_OF_CURSORS) {
        portal->cursors = bus_get_uint(bus, PORTAL_NAME, PORTAL_PATH, SCREENCAST, "AvailableCursorModes", cancellable,
                                       &cause);
    }
    if (cause) {
        g_propagate_error(error, cause);
    }
    return !cause;
}

/* What kept read_properties() from its answer, as an error of ours. Always FALSE. */
static gboolean no_portal(GDBusConnection *bus, GError *cause, GCancellable *cancellable, GError **error)
{
    if (g_error_matches(cause, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        g_propagate_error(error, cause);
        return FALSE;
    }
    if (bus_has(bus, PORTAL_NAME, cancellable)) {
        g_set_error(error, CAST_ERROR, CAST_ERROR_UNAVAILABLE,
                    "the portal offers no ScreenCast (%s): install the portal of "
                    "this desktop, xdg-desktop-portal-gnome, -kde or -wlr, and see that XDG_CURRENT_DESKTOP names it",
                    cause->message);
    } else {
        g_set_error(error, CAST_ERROR, CAST_ERROR_UNAVAILABLE,
                    "there is no portal on this session bus (%s): install "
                    "xdg-desktop-portal and the portal of this desktop",
                    cause->message);
    }
    g_error_free(cause);
    return FALSE;
}

/*
 * Just after the login xdg-desktop-portal is being started, or is there before the desktop's own portal, and has no
 * ScreenCast or one without sources. Where the bus knows no portal at all there is nothing to wait for.
 */
static gboolean read_portal(GDBusConnection *bus, Portal *portal, GCancellable *cancellable, GError **error)
{
    gint64 end = g_get_monotonic_time() + READY_MS * G_TIME_SPAN_MILLISECOND;
    GError *cause = NULL;

    for (;;) {
        if (read_properties(bus, portal, cancellable, &cause) && portal->sources) {
            return TRUE;
        }
        if (g_cancellable_is_cancelled(cancellable) || g_get_monotonic_time() > end ||
            !bus_may_have(bus, PORTAL_NAME, cancellable)) {
            break;
        }
        g_clear_error(&cause);
        bus_pause(READY_POLL_MS, cancellable);
    }
    return !cause || no_portal(bus, cause, cancellable, error);
}

static gboolean choose_cursor(const Portal *portal, Cursor wanted, guint32 *mode, GError **error)
{
    *mode = wanted == CURSOR_HIDDEN ? PORTAL_CURSOR_HIDDEN : PORTAL_CURSOR_EMBEDDED;
    if (portal->cursors & *mode) {
        return TRUE;
    }
    *mode = 0; /* the portal's own default */
    if (wanted == CURSOR_DEFAULT) {
        return TRUE;
    }
    g_set_error(error, CAST_ERROR, CAST_ERROR_USAGE, "this portal can't %s",
                wanted == CURSOR_HIDDEN ? "leave the cursor out: --cursor=embedded"
                                        : "draw the cursor into the picture: --cursor=hidden");
    return FALSE;
}

/* ---- the session ---- */

static gboolean create_session(Cast *cast, GCancellable *cancellable, GError **error)
{
    g_autoptr(GVariant) results = NULL, handle = NULL;
    const char *path = "";
    static guint count;
    g_autofree char *token = g_strdup_printf("helix_screencast%u", ++count); /* a path that is in use is refused */
    GVariantDict options;

    g_variant_dict_init(&options, NULL);
    g_variant_dict_insert(&options, "session_handle_token", "s", token);
    results = portal_request(cast, "CreateSession", NULL, &options, REQUEST_MS, cancellable, error);
    if (!results) {
        return FALSE;
    }
    /* A string by the documents, but an object path from some portals. */
    handle = g_variant_lookup_value(results, "session_handle", NULL);
    if (handle &&
        (g_variant_is_of_type(handle, G_VARIANT_TYPE_STRING) ||
         g_variant_is_of_type(handle, G_VARIANT_TYPE_OBJECT_PATH))) {
        path = g_variant_get_string(handle, NULL);
    }
    if (!g_variant_is_object_path(path)) {
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_UNAVAILABLE, "the portal made a session without a handle");
        return FALSE;
    }
    cast_session_is(cast, path, SESSION, "Close");
    return TRUE;
}

static gboolean select_source(Cast *cast, const Portal *portal, const Options *options, const char *token,
                              GCancellable *cancellable, GError **error)
{
    g_autoptr(GVariant) results = NULL;
    guint32 source = options->window ? SOURCE_WINDOW : SOURCE_MONITOR, cursor;
    GVariantDict dict;

    if (!(portal->sources & source)) {
        g_set_error(error, CAST_ERROR, CAST_ERROR_USAGE, "this portal can't capture %s",
                    options->window ? "a window: leave out --window" : "a monitor: try --window");
        return FALSE;
    }
    if (!choose_cursor(portal, options->cursor, &cursor, error)) {
        return FALSE;
    }
    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert(&dict, "types", "u", source);
    g_variant_dict_insert(&dict, "multiple", "b", FALSE);
    if (cursor) {
        g_variant_dict_insert(&dict, "cursor_mode", "u", cursor);
    }
    if (portal->version >= VERSION_OF_TOKENS) {
        g_variant_dict_insert(&dict, "persist_mode", "u", PERSIST_UNTIL_REVOKED);
        if (token) {
            g_variant_dict_insert(&dict, "restore_token", "s", token);
        }
    }
    results = portal_request(cast, "SelectSources", cast->path, &dict, REQUEST_MS, cancellable, error);
    return results != NULL;
}

/* The old token is spent whatever the answer holds. That it can't be kept is no reason to show nothing. */
static void keep_token(const char *path, GVariant *results)
{
    g_autoptr(GError) error = NULL;
    const char *token = NULL;

    g_variant_lookup(results, "restore_token", "&s", &token);
    if (!token_write(path, token, &error)) {
        g_printerr("helix-screencast: the portal's restore token can't be kept, so you will be asked again: %s\n",
                   error->message);
    }
}

static gboolean say_that_it_asks(gpointer timer)
{
    *(guint *)timer = 0;
    g_printerr("helix-screencast: Waiting for an answer on the guest's screen\n");
    return G_SOURCE_REMOVE;
}

/* The portal does not say whether it asks: it does without a token, and if it takes its time with one. */
static GVariant *start_request(Cast *cast, gboolean restores, gboolean quiet, GCancellable *cancellable, GError **error)
{
    GVariantDict options;
    GVariant *results;
    guint timer = quiet ? 0 : g_timeout_add(restores ? RESTORE_MS : 0, say_that_it_asks, &timer);

    g_variant_dict_init(&options, NULL);
    results = portal_request(cast, "Start", cast->path, &options, 0, cancellable, error);
    if (timer) {
        g_source_remove(timer);
    }
    return results;
}

static gboolean start(Cast *cast, const char *token_file, gboolean restores, gboolean quiet, GCancellable *cancellable,
                      GError **error)
{
    g_autoptr(GVariant) results = start_request(cast, restores, quiet, cancellable, error), streams = NULL;

    if (!results) {
        return FALSE;
    }
    keep_token(token_file, results);
    streams = g_variant_lookup_value(results, "streams", G_VARIANT_TYPE("a(ua{sv})"));
    if (!streams || g_variant_n_children(streams) == 0) {
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_UNAVAILABLE, "the portal started no stream");
        return FALSE;
    }
    g_variant_get_child(streams, 0, "(u@a{sv})", &cast->node, NULL);
    return TRUE;
}

static gboolean open_pipewire(Cast *cast, GCancellable *cancellable, GError **error)
{
    g_autoptr(GUnixFDList) fds = NULL;
    g_autoptr(GVariant) reply = bus_call(cast->bus, PORTAL_NAME, PORTAL_PATH, SCREENCAST, "OpenPipeWireRemote",
                                         g_variant_new("(oa{sv})", cast->path, NULL), "(h)", &fds, cancellable, error);
    gint32 index;

    if (!reply) {
        return FALSE;
    }
    g_variant_get(reply, "(h)", &index);
    if (!fds) {
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_UNAVAILABLE, "the portal sent no PipeWire connection");
        return FALSE;
    }
    cast->fd = g_unix_fd_list_get(fds, index, error);
    return cast->fd >= 0;
}

/* Whether @service is the desktop's own portal that serves our session: it has an object of the same path. */
static gboolean serves(Cast *cast, const char *service, GCancellable *cancellable)
{
    g_autoptr(GVariant) reply = bus_call(cast->bus, service, cast->path, "org.freedesktop.DBus.Properties", "GetAll",
                                         g_variant_new("(s)", BACKEND_SESSION), "(a{sv})", NULL, cancellable, NULL);

    return reply != NULL;
}

/*
 * The desktop's own portal ends with its compositor, or alone. xdg-desktop-portal does not tell, and pipewiresrc waits
 * for a node that never comes: so it is looked after here. In a sandbox these names are not to be seen, and nothing is.
 */
static void watch_backend(Cast *cast, GCancellable *cancellable)
{
    g_autoptr(GVariant) reply = bus_call(cast->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                         "org.freedesktop.DBus", "ListNames", NULL, "(as)", NULL, cancellable, NULL);
    g_autofree const char **names = NULL;

    if (!reply) {
        return;
    }
    g_variant_get(reply, "(^a&s)", &names);
    for (guint i = 0; names[i]; i++) {
        if (g_str_has_prefix(names[i], BACKEND) && serves(cast, names[i], cancellable)) {
            cast_depends_on(cast, names[i]);
            return;
        }
    }
}

static gboolean open_session(Cast *cast, const Portal *portal, const Options *options, GCancellable *cancellable,
                             GError **error)
{
    g_autofree char *file = token_path(options);
    g_autofree char *token = options->ask ? NULL : token_read(file);

    return create_session(cast, cancellable, error) &&
        select_source(cast, portal, options, token, cancellable, error) &&
        start(cast, file, token && portal->version >= VERSION_OF_TOKENS, options->quiet, cancellable, error) &&
        open_pipewire(cast, cancellable, error);
}

gboolean portal_open(Cast *cast, const Options *options, GCancellable *cancellable, GError **error)
{
    GError *cause = NULL;
    Portal portal = { 0 };

    if (!read_portal(cast->bus, &portal, cancellable, error)) {
        return FALSE;
    }
    cast_service_is(cast, PORTAL_NAME);
    if (open_session(cast, &portal, options, cancellable, &cause)) {
        watch_backend(cast, cancellable);
        return TRUE;
    }
    return cast_failed(cast, "the portal's ScreenCast", cause, error);
}

gboolean portal_list(GDBusConnection *bus, GCancellable *cancellable, GError **error)
{
    Portal portal = { 0 };

    if (!read_portal(bus, &portal, cancellable, error)) {
        return FALSE;
    }
    printf("portal (version %u), the user chooses:\n", portal.version);
    printf("   %s%s\n", portal.sources & SOURCE_MONITOR ? " a monitor" : "",
           portal.sources & SOURCE_WINDOW ? " a window (--window)" : "");
    return TRUE;
}
