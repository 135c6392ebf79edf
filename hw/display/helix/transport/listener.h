/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listener.h - a UNIX socket that accepts connections of this user only. Main loop only. */
#ifndef HELIX_LISTENER_H
#define HELIX_LISTENER_H

#include "channel.h"

typedef struct HelixListener HelixListener;

/*
 * Listen on "unix:PATH": the socket gets mode 0600 before listen(); a folder that others may write or exchange is
 * refused (trusted-path.h), and so is a peer of another uid; what a dead program of ours left at the path is replaced,
 * and nothing else (socket-lock.h). New connections go to @accept(@data). @context: NULL is the default one. NULL with
 * HELIX_CODE_INVALID and what would be right: for one, the length of a path that does not fit sun_path.
 */
HelixListener *helix_listener_new(GMainContext *context, const char *address, HelixChannelAccept accept, gpointer data,
                                  GError **error);
/* Removes the socket and its lock file. NULL is taken. */
void helix_listener_free(HelixListener *listener);
/*
 * Ask @ready, with accept's data, before each connection is accepted. FALSE leaves that connection and those behind it
 * in the socket's backlog until helix_listener_resume(), which has no effect at other times.
 */
void helix_listener_set_ready(HelixListener *listener, gboolean (*ready)(gpointer data));
void helix_listener_resume(HelixListener *listener);

#endif
