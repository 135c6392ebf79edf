/* SPDX-License-Identifier: GPL-2.0-or-later */
/* descriptors.h - do the connections that a configuration allows fit the limit of open files (RLIMIT_NOFILE)? */
#ifndef HELIX_DESCRIPTORS_H
#define HELIX_DESCRIPTORS_H

#include <glib.h>

/* Of the limit, for all else in the process: QEMU's own files, event descriptors and sockets, GPU drivers, encoders. */
#define HELIX_DESCRIPTORS_OTHER 256u

/*
 * Count @count descriptors that are not open yet, beside those counted before. FALSE with HELIX_CODE_INVALID, the sum
 * and the limit if they and HELIX_DESCRIPTORS_OTHER exceed the soft limit of this moment: connections would fail later,
 * and with them whatever else in the process opens a file. Nothing is counted then. The limit itself stays (QEMU raises
 * the soft one to the hard one as it starts). Main loop.
 */
gboolean helix_descriptors_reserve(guint count, GError **error);
/* Give @count back. */
void helix_descriptors_release(guint count);

#endif
