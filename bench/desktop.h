/* SPDX-License-Identifier: GPL-2.0-or-later */
/* desktop.h - pictures of a desktop in motion: a wallpaper, a window of scrolling text, a ball, a ticker. */
#ifndef HELIX_BENCH_DESKTOP_H
#define HELIX_BENCH_DESKTOP_H

#include <glib.h>
#include "frame/surface.h"

/* Pictures after which the motion begins again. */
#define DESKTOP_PICTURES 16u

/* Draw picture @n (0 to DESKTOP_PICTURES - 1), BGRx. */
void desktop_draw(guint8 *pixels, gsize stride, guint width, guint height, guint n);
/* The same as a surface of @pool. */
HelixSurface *desktop_surface(HelixSurfacePool *pool, guint width, guint height, guint n);

#endif
