/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * signals.h - SIGINT and SIGTERM. The first asks the program to end in order; one that comes a
 * quarter of a second later or more ends the process in the signal handler itself, whatever its threads wait for.
 */
#ifndef HELIX_SCREENCAST_SIGNALS_H
#define HELIX_SCREENCAST_SIGNALS_H

#include <gio/gio.h>

/* Catch both signals. The first cancels @cancellable from the default main context. Main thread, once. */
void signals_catch(GCancellable *cancellable);

#endif
