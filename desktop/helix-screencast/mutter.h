/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mutter.h - a ScreenCast by Mutter's own D-Bus API, which asks no user and takes a monitor's name. Main thread only.
 */
#ifndef HELIX_SCREENCAST_MUTTER_H
#define HELIX_SCREENCAST_MUTTER_H

#include "cast.h"
#include "options.h"

#define MUTTER_NAME "org.gnome.Mutter.ScreenCast"

/* Open @cast, which is new, as @options say. FALSE with CAST_ERROR or G_IO_ERROR_CANCELLED. */
gboolean mutter_open(Cast *cast, const Options *options, GCancellable *cancellable, GError **error);

/* Print the monitors to standard output; FALSE with CAST_ERROR_UNAVAILABLE. */
gboolean mutter_list(GDBusConnection *bus, GCancellable *cancellable, GError **error);

/* Ask Mutter whether it makes ScreenCasts now: it makes none while its screen is locked, blank or a greeter's. */
typedef enum MutterWord {
    MUTTER_IS_AWAY, /* not on this bus */
    MUTTER_ALLOWS,
    MUTTER_INHIBITS,
} MutterWord;

MutterWord mutter_ask(GDBusConnection *bus, GCancellable *cancellable);

#endif
