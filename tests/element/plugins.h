/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plugins.h - GStreamer's own plugins, for tests of pipelines. */
#ifndef PLUGINS_H
#define PLUGINS_H

#include <glib.h>

/* Loads GStreamer's plugins one by one, as a registry of all takes long. FALSE if one is missing, after a TAP line that
 * skips. */
gboolean real_load_plugins(void);

#endif
