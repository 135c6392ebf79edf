/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * backend.h - opens a ScreenCast by the desktop's portal (portal.h) or by Mutter's own API (mutter.h). Main thread
 * only.
 */
#ifndef HELIX_SCREENCAST_BACKEND_H
#define HELIX_SCREENCAST_BACKEND_H

#include "cast.h"
#include "options.h"

/* Choose a backend where @options leave it open, once: the choice stays in @options. */
void cast_choose(GDBusConnection *bus, Options *options, GCancellable *cancellable);

/* Open a ScreenCast as @options say, waiting for the user's consent if the portal asks for it. NULL with CAST_ERROR, or
 * G_IO_ERROR_CANCELLED once @cancellable is cancelled. Free with cast_free(). */
Cast *cast_open(GDBusConnection *bus, const Options *options, GCancellable *cancellable, GError **error);

/* Print what can be captured in this session to standard output; FALSE with CAST_ERROR_UNAVAILABLE if nothing. */
gboolean cast_list(GDBusConnection *bus, GCancellable *cancellable, GError **error);

#endif
