/* SPDX-License-Identifier: GPL-2.0-or-later */
/* socket-lock.c - which program a UNIX socket's path belongs to. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../protocol/error.h"
#include "socket-lock.h"
#include "unix-address.h"

#define TRIES_MOST 100u /* each lost one is another program that ended meanwhile */
#define RECORD_SIZE 64u

struct HelixSocketLock {
    char *path; /* the socket's */
    char *lock_path;
    int fd;                   /* of the lock file, locked; -1 none */
    gboolean left_behind;     /* the lock file was there already: its program is dead */
    char record[RECORD_SIZE]; /* of the socket made under the lock; "" none yet */
};

static gboolean fail(GError **error, const char *path, const char *text)
{
    g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID, "%s %s", path, text);
    return FALSE;
}

/* Connections do not change a socket's inode number and modification time, nor does chmod(). A restart may change its
 * device. */
static gboolean describe(const char *path, char record[RECORD_SIZE])
{
    struct stat st;

    if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode)) {
        return FALSE;
    }
#ifdef __APPLE__
    g_snprintf(record, RECORD_SIZE, "%llu %lld.%09ld\n", (unsigned long long)st.st_ino,
               (long long)st.st_mtimespec.tv_sec, (long)st.st_mtimespec.tv_nsec);
#else
    g_snprintf(record, RECORD_SIZE, "%llu %lld.%09ld\n", (unsigned long long)st.st_ino, (long long)st.st_mtim.tv_sec,
               (long)st.st_mtim.tv_nsec);
#endif
    return TRUE;
}

/* ---- the lock file ---- */

static int open_file(HelixSocketLock *lock)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = open(lock->lock_path, flags | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR);

    lock->left_behind = fd < 0 && errno == EEXIST;
    return lock->left_behind ? open(lock->lock_path, flags) : fd;
}

static gboolean is_the_file(int fd, const char *path)
{
    struct stat opened, named;

    return fstat(fd, &opened) == 0 && lstat(path, &named) == 0 && opened.st_dev == named.st_dev &&
        opened.st_ino == named.st_ino;
}

static gboolean is_lock_file(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink <= 1;
}

/* A program that ends removes its lock file: the lock counts only if the file is still the one at the path. */
static gboolean take(HelixSocketLock *lock, GError **error)
{
    for (guint i = 0; i < TRIES_MOST; i++) {
        lock->fd = open_file(lock);
        if (lock->fd < 0 && errno == ENOENT) {
            continue;
        }
        if (lock->fd < 0 || !is_lock_file(lock->fd)) {
            return fail(error, lock->lock_path,
                        lock->fd < 0 && errno != ELOOP
                            ? g_strerror(errno)
                            : "is not a lock file of this user: remove it, or choose another path for the socket");
        }
        if (flock(lock->fd, LOCK_EX | LOCK_NB) < 0) {
            return errno == EWOULDBLOCK
                ? fail(error, lock->path, "is taken, another program listens there: choose another path")
                : fail(error, lock->lock_path, g_strerror(errno));
        }
        if (is_the_file(lock->fd, lock->lock_path)) {
            return TRUE;
        }
        close(lock->fd);
        lock->fd = -1;
    }
    return fail(error, lock->lock_path,
                "was removed and created again too often: other programs start and end on this path all the time");
}

/* ---- the socket ---- */

static gboolean refuses(const char *path)
{
    struct sockaddr_un address;
    int probe = socket(AF_UNIX, SOCK_STREAM, 0);
    gboolean refused;

    refused = probe >= 0 && helix_socket_prepare(probe, NULL) && helix_socket_address(&address, path, NULL) &&
        connect(probe, (const struct sockaddr *)&address, sizeof address) < 0 && errno == ECONNREFUSED;
    if (probe >= 0) {
        close(probe);
    }
    return refused;
}

/*
 * Did the dead program whose lock file this is make the socket? Without a note in the file nothing says so: the program
 * may have died before bind(), and another one may listen there since.
 */
static gboolean is_left_behind(const HelixSocketLock *lock)
{
    char found[RECORD_SIZE], noted[RECORD_SIZE] = "";
    ssize_t got = lock->left_behind ? pread(lock->fd, noted, sizeof noted - 1, 0) : -1;

    return got > 0 && describe(lock->path, found) && strcmp(found, noted) == 0;
}

static gboolean clear_path(const HelixSocketLock *lock, GError **error)
{
    struct stat st;

    if (lstat(lock->path, &st) < 0) {
        return TRUE; /* not there, or bind() will say why */
    }
    if (!S_ISSOCK(st.st_mode)) {
        return fail(error, lock->path, "exists and is not a socket: remove it, or choose another path");
    }
    if (!refuses(lock->path)) {
        return fail(error, lock->path, "is taken, another program listens there: choose another path");
    }
    if (!is_left_behind(lock)) {
        return fail(error, lock->path,
                    "is a socket that another program made: remove it if nothing listens there, or choose another "
                    "path");
    }
    return unlink(lock->path) == 0 || fail(error, lock->path, g_strerror(errno));
}

HelixSocketLock *helix_socket_lock_new(const char *path, GError **error)
{
    HelixSocketLock *lock = g_new0(HelixSocketLock, 1);

    lock->path = g_strdup(path);
    lock->lock_path = g_strconcat(path, ".lock", NULL);
    if (!take(lock, error)) {
        if (lock->fd >= 0) {
            close(lock->fd); /* the lock file is somebody else's */
        }
        lock->fd = -1;
    } else if (clear_path(lock, error)) {
        if (ftruncate(lock->fd, 0) == 0) {
            return lock;
        }
        fail(error, lock->lock_path, g_strerror(errno));
    }
    helix_socket_lock_free(lock);
    return NULL;
}

gboolean helix_socket_lock_made(HelixSocketLock *lock, GError **error)
{
    gsize len;

    if (!describe(lock->path, lock->record)) {
        return fail(error, lock->path, "is gone: something else removed it");
    }
    len = strlen(lock->record);
    /* on the disk too: without its note the socket would outlive a power failure */
    return (pwrite(lock->fd, lock->record, len, 0) == (ssize_t)len && fsync(lock->fd) == 0) ||
        fail(error, lock->lock_path, g_strerror(errno));
}

void helix_socket_lock_free(HelixSocketLock *lock)
{
    char found[RECORD_SIZE];

    if (!lock) {
        return;
    }
    if (lock->record[0] && describe(lock->path, found) && strcmp(found, lock->record) == 0) {
        unlink(lock->path);
    }
    if (lock->fd >= 0) {
        if (is_the_file(lock->fd, lock->lock_path)) {
            unlink(lock->lock_path);
        }
        close(lock->fd);
    }
    g_free(lock->path);
    g_free(lock->lock_path);
    g_free(lock);
}
