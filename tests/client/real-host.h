/* SPDX-License-Identifier: GPL-2.0-or-later */
/* real-host.h - the real core with x264: the program HELIX_HOST, in a process of its own. */
#ifndef REAL_HOST_H
#define REAL_HOST_H

#include <glib.h>

typedef struct RealHost {
    GPid pid;
    char *dir, *path; /* path: of its socket */
    const char *option;
} RealHost;

/* @option: one more for the program, or NULL. */
void real_host_start(RealHost *host, const char *option);
void real_host_stop(RealHost *host);
/* Its process goes, and comes again at the same path. */
void real_host_kill(RealHost *host);
void real_host_again(RealHost *host);

#endif
