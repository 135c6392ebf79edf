/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * token.c - keeps the portal's restore token in a file that only the user may read.
 */
#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include "token.h"

char *token_path(const Options *options)
{
    if (options->token_file) {
        return g_strdup(options->token_file);
    }
    return g_build_filename(g_get_user_state_dir(), "helix-screencast",
                            options->window ? "window.token" : "monitor.token", NULL);
}

char *token_read(const char *path)
{
    char *token = NULL;

    if (!g_file_get_contents(path, &token, NULL, NULL)) {
        return NULL;
    }
    g_strstrip(token);
    /* xdg-desktop-portal makes UUIDs, and refuses SelectSources with anything else. */
    if (!g_uuid_string_is_valid(token)) {
        g_clear_pointer(&token, g_free);
    }
    return token;
}

gboolean token_write(const char *path, const char *token, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);

    if (!token) {
        if (g_unlink(path) && errno != ENOENT) {
            g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(errno), "%s: %s", path, g_strerror(errno));
            return FALSE;
        }
        return TRUE;
    }
    if (g_mkdir_with_parents(folder, 0700)) {
        g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(errno), "%s: %s", folder, g_strerror(errno));
        return FALSE;
    }
    return g_file_set_contents_full(path, token, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
}
