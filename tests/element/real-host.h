/* SPDX-License-Identifier: GPL-2.0-or-later */
/* real-host.h - the real core with x264 (the program HELIX_HOST), and GStreamer's own plugins, for tests of pipelines.
 */
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
/* Loads GStreamer's plugins one by one, as a registry of all takes long. FALSE if one is missing, after a TAP line that
 * skips. */
gboolean real_load_plugins(void);

#endif
