/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * backend.c - chooses between the portal and Mutter's own API, and opens a ScreenCast by it.
 */
#include <stdio.h>
#include "backend.h"
#include "bus.h"
#include "mutter.h"
#include "portal.h"
#include "screen.h"

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
    cast = cast_new(bus);
    if (!(mutter ? mutter_open : portal_open)(cast, options, cancellable, error)) {
        return NULL;
    }
    if (cast->closed) {
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_CLOSED, cast->closed);
        return NULL;
    }
    return g_steal_pointer(&cast);
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
