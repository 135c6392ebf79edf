/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * portal-request.h - requests to org.freedesktop.portal.ScreenCast. CreateSession, SelectSources and Start each make a
 * Request object, whose Response signal is the answer. Its path follows from the caller's name and a token, so that
 * this listens to it before the call. Main thread only.
 */
#ifndef HELIX_SCREENCAST_PORTAL_REQUEST_H
#define HELIX_SCREENCAST_PORTAL_REQUEST_H

#include "cast.h"

#define PORTAL_NAME "org.freedesktop.portal.Desktop"
#define PORTAL_PATH "/org/freedesktop/portal/desktop"
#define SCREENCAST "org.freedesktop.portal.ScreenCast"

/*
 * Call @method with @session (NULL: none yet) and @options, which are used up. Wait for the Response for at most @ms; 0
 * sets no limit, because a dialog may wait for the user. Returns the results, or NULL with CAST_ERROR or the bus's
 * error.
 */
GVariant *portal_request(Cast *cast, const char *method, const char *session, GVariantDict *options, guint ms,
                         GCancellable *cancellable, GError **error);

#endif
