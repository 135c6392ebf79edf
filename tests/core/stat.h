/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stat.h - values out of the statistics' JSON. Text that is no JSON aborts. */
#ifndef HELIX_TEST_STAT_H
#define HELIX_TEST_STAT_H

#include <glib.h>

/* The number at @path, "frames.encoded" or "streams.live.0.width"; FALSE if there is none. */
gboolean stat_find(const char *json, const char *path, guint64 *value);
/* The same; aborts if there is none. */
guint64 stat_number(const char *json, const char *path);
/* The string at @path, to be freed; aborts if there is none. */
char *stat_text(const char *json, const char *path);

#endif
