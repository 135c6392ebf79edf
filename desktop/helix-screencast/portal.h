/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * portal.h - a ScreenCast by the desktop's portal, org.freedesktop.portal.ScreenCast, which asks the user. Main thread
 * only.
 */
#ifndef HELIX_SCREENCAST_PORTAL_H
#define HELIX_SCREENCAST_PORTAL_H

#include "cast.h"
#include "options.h"

/* Open @cast, which is new, as @options say, waiting for the user's consent without limit. FALSE with CAST_ERROR or
 * G_IO_ERROR_CANCELLED. */
gboolean portal_open(Cast *cast, const Options *options, GCancellable *cancellable, GError **error);

/* Print what the portal can capture to standard output; FALSE with CAST_ERROR_UNAVAILABLE. */
gboolean portal_list(GDBusConnection *bus, GCancellable *cancellable, GError **error);

#endif
