/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trusted-path.h - can another user of this system put something else in the place of a folder? */
#ifndef HELIX_TRUSTED_PATH_H
#define HELIX_TRUSTED_PATH_H

#include <glib.h>

/*
 * TRUE if only this user (the effective uid) and root can change what the path @folder leads to, and what is in it.
 * Each folder on the way from the root, those that symbolic links lead through included, belongs to one of the two and
 * cannot be written by group or others; above the last one it may be sticky instead, as /tmp is, if the entry that the
 * path takes there belongs to one of the two. A relative path begins with the working directory, which is held to the
 * same. FALSE with HELIX_CODE_INVALID, the folder or entry at fault, its owner and its mode. Blocks on the file system.
 * Any thread.
 *
 * Looks at owners and modes alone: an access control list shows in a mode on Linux (as the group's bits), but not on
 * macOS.
 */
gboolean helix_trusted_folder(const char *folder, GError **error);

#endif
