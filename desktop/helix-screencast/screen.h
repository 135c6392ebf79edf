/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * screen.h - whether the desktop's screen is shown, so that a ScreenCast can be opened: it is not while it is locked,
 * blank, or while the login screen or another user's session has the display. GNOME ends all ScreenCasts then, makes no
 * new one, and its portal puts its question behind the lock. Main thread only.
 *
 * Mutter's word counts where Mutter is on the session bus. It refuses sessions from the moment of the lock, which the
 * other two learn later: GNOME's screen shield (org.gnome.ScreenSaver) and logind (LockedHint, Active) say why, and are
 * believed where there is no Mutter.
 */
#ifndef HELIX_SCREENCAST_SCREEN_H
#define HELIX_SCREENCAST_SCREEN_H

#include <gio/gio.h>

/* NULL: the screen is shown, as far as is known. Else what hides it: text for a user. */
const char *screen_hidden(GDBusConnection *bus, GCancellable *cancellable);

/* Wait until the screen is shown, and say once what hides it (not if @quiet). FALSE with G_IO_ERROR_CANCELLED. */
gboolean screen_wait(GDBusConnection *bus, gboolean quiet, GCancellable *cancellable, GError **error);

#endif
