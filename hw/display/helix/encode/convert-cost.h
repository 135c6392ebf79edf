/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert-cost.h - how long this machine takes to convert a picture to NV12. */
#ifndef HELIX_CONVERT_COST_H
#define HELIX_CONVERT_COST_H

#include <glib.h>

/*
 * Nanoseconds in which the CPU converts a picture of @width x @height (even) from memory, as an encoder's thread does;
 * the best of three. 0: nothing here converts. Takes that time; any thread but the main loop's.
 */
gint64 helix_convert_cost_ns(guint32 width, guint32 height);

#endif
