/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trusted-path.c - can another user of this system put something else in the place of a folder?
 *
 * The path is walked entry by entry, from the root down. Each folder was found trusted before an entry is looked up in
 * it, so no other user can exchange the entry between two look-ups, and names may be used where descriptors would be
 * (O_PATH is Linux's).
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../protocol/error.h"
#include "trusted-path.h"

#define LINKS_MOST 40u /* as Linux follows in one path */

typedef struct Walk {
    const char *folder; /* what is walked to, for errors */
    GString *at;        /* where the walk is: absolute, no symbolic links in it; "" is the root */
    char *rest;         /* of the path, from here on */
    guint links;        /* followed */
} Walk;

static gboolean fail(const Walk *walk, int error_number, GError **error)
{
    g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID, "the socket's folder %s: %s", walk->folder,
                g_strerror(error_number));
    return FALSE;
}

static gboolean is_ours(const struct stat *st)
{
    return st->st_uid == geteuid() || st->st_uid == 0;
}

static gboolean is_shared(const struct stat *st)
{
    return (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

static const char *place(const Walk *walk)
{
    return walk->at->len > 0 ? walk->at->str : "/";
}

/* The folder that the walk is in. */
static gboolean check_folder(const Walk *walk, gboolean last, struct stat *st, GError **error)
{
    if (lstat(place(walk), st) < 0) {
        return fail(walk, errno, error);
    }
    if (!S_ISDIR(st->st_mode)) {
        return fail(walk, ENOTDIR, error);
    }
    if (is_ours(st) && (!is_shared(st) || (!last && (st->st_mode & S_ISVTX)))) {
        return TRUE;
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID,
                "%s %s belongs to uid %u with mode %04o: it must be uid %u's own (or root's) and "
                "not writable by group or others, as mkdir -m 700 makes it",
                last ? "the socket's folder" : "a folder above the socket's,", place(walk), (unsigned)st->st_uid,
                (unsigned)(st->st_mode & 07777), (unsigned)geteuid());
    return FALSE;
}

/* Continue with the target of the symbolic link at @path. */
static gboolean follow(Walk *walk, const char *path, GError **error)
{
    g_autofree char *target = g_file_read_link(path, NULL), *rest = g_steal_pointer(&walk->rest);

    if (!target) {
        return fail(walk, errno, error);
    }
    if (++walk->links > LINKS_MOST) {
        return fail(walk, ELOOP, error);
    }
    if (target[0] == '/') {
        g_string_truncate(walk->at, 0);
    }
    walk->rest = g_strconcat(target, "/", rest, NULL);
    return TRUE;
}

/* Go on to the entry @name of the folder that the walk is in. */
static gboolean enter(Walk *walk, const char *name, GError **error)
{
    g_autofree char *path = g_strconcat(walk->at->str, "/", name, NULL);
    struct stat folder, entry;

    if (!check_folder(walk, FALSE, &folder, error)) {
        return FALSE;
    }
    if (lstat(path, &entry) < 0) {
        return fail(walk, errno, error);
    }
    if (is_shared(&folder) && !is_ours(&entry)) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID,
                    "%s, above the socket, belongs to uid %u and is in a folder that others may "
                    "write: it must be uid %u's own (or root's)",
                    path, (unsigned)entry.st_uid, (unsigned)geteuid());
        return FALSE;
    }
    if (S_ISLNK(entry.st_mode)) {
        return follow(walk, path, error);
    }
    g_string_assign(walk->at, path);
    return TRUE;
}

/* The next name of the path; NULL at its end. */
static char *next_name(Walk *walk)
{
    const char *begin = walk->rest + strspn(walk->rest, "/");
    gsize len = strcspn(begin, "/");
    g_autofree char *rest = walk->rest;
    char *name = len > 0 ? g_strndup(begin, len) : NULL;

    walk->rest = g_strdup(begin + len);
    return name;
}

static gboolean step(Walk *walk, const char *name, GError **error)
{
    if (strcmp(name, ".") == 0) {
        return TRUE;
    }
    if (strcmp(name, "..") == 0) {
        const char *slash = strrchr(walk->at->str, '/');

        g_string_truncate(walk->at,
                          slash ? (gsize)(slash - walk->at->str) : 0); /* no links in it: this is the parent */
        return TRUE;
    }
    return enter(walk, name, error);
}

gboolean helix_trusted_folder(const char *folder, GError **error)
{
    g_autofree char *here = g_path_is_absolute(folder) ? NULL : g_get_current_dir();
    Walk walk = { .folder = folder,
                  .at = g_string_new(NULL),
                  .rest = g_strconcat(here ? here : "", "/", folder, NULL) };
    gboolean good = TRUE;
    struct stat st;

    while (good) {
        g_autofree char *name = next_name(&walk);

        if (!name) {
            good = check_folder(&walk, TRUE, &st, error);
            break;
        }
        good = step(&walk, name, error);
    }
    g_string_free(walk.at, TRUE);
    g_free(walk.rest);
    return good;
}
