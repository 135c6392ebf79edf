/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * share.h - a short piece of work that idle processors help with.
 */
#ifndef HELIX_SHARE_H
#define HELIX_SHARE_H

#include <glib.h>

/*
 * Call @part(@data, i) for each i below @n, some of them on helper threads, which the whole process shares; returns when all are
 * done. The caller does what no helper has begun, so it waits at most for the parts that are under way. Any thread but the
 * main loop's.
 */
void helix_share(void (*part)(gpointer data, guint i), gpointer data, guint n);

#endif
