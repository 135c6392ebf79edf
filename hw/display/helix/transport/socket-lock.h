/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * socket-lock.h - which program a UNIX socket's path belongs to.
 *
 * Beside the socket PATH lies a file PATH.lock, locked by flock() for as long as the program listens: of two programs
 * one gets the lock, and a program that ends, however it ends, gives it up. The file names the socket that was made
 * under the lock. A socket is removed only if it is the one that the lock file of a dead program names: that a
 * connection is refused proves nothing where a full backlog refuses too (XNU), nor between a program's bind() and its
 * listen().
 */
#ifndef HELIX_SOCKET_LOCK_H
#define HELIX_SOCKET_LOCK_H

#include <glib.h>

typedef struct HelixSocketLock HelixSocketLock;

/*
 * Take the lock of @path and remove the socket that a dead program left there; no other user can write the folder.
 * NULL with HELIX_CODE_INVALID and what stands in the way: a program that listens, a socket of unknown origin,
 * another file. Does not wait for the lock; blocks on the file system.
 */
HelixSocketLock *helix_socket_lock_new(const char *path, GError **error);
/* Note that the socket at the path, just bound, was made under this lock. FALSE with HELIX_CODE_INVALID. */
gboolean helix_socket_lock_made(HelixSocketLock *lock, GError **error);
/* Remove the socket, if the path still leads to it, and the lock file; give the lock up. NULL is taken. */
void helix_socket_lock_free(HelixSocketLock *lock);

#endif
