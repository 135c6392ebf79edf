/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stat.h - numbers out of the text of the statistics. */
#ifndef HELIX_TEST_STAT_H
#define HELIX_TEST_STAT_H

#include <glib.h>

/* The number at @path, "frames.encoded", of the JSON text; FALSE if there is none. Objects on the way hold numbers
 * only. */
gboolean stat_find(const char *json, const char *path, guint64 *value);
/* The same; aborts if there is none. */
guint64 stat_number(const char *json, const char *path);

#endif
