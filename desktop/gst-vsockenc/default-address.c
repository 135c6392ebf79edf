/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* default-address.c - see default-address.h. */
#include <stdlib.h>
#include "default-address.h"

#define FILE_NAME "vsockenc.conf"
#define GROUP "vsockenc"

/* The user's file; NULL: there is no user to be trusted, or no such file. */
static GKeyFile *load_users_file(void)
{
    const char *folder = secure_getenv("XDG_CONFIG_HOME"), *home = secure_getenv("HOME");
    g_autofree char *path = folder && *folder ? g_build_filename(folder, FILE_NAME, NULL)
        : home && *home                       ? g_build_filename(home, ".config", FILE_NAME, NULL)
                                              : NULL;
    g_autoptr(GKeyFile) file = g_key_file_new();

    return path && g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL) ? g_steal_pointer(&file) : NULL;
}

static GKeyFile *load_file(void)
{
    g_autoptr(GKeyFile) file = load_users_file();

    if (!file) {
        file = g_key_file_new();
        g_key_file_load_from_file(file, "/etc/" FILE_NAME, G_KEY_FILE_NONE, NULL); /* without it all keys are missing */
    }
    return g_steal_pointer(&file);
}

static char *text_of(GKeyFile *file, const char *variable, const char *key)
{
    const char *text = secure_getenv(variable);

    return text && *text ? g_strdup(text) : g_key_file_get_string(file, GROUP, key, NULL);
}

static void read_number(GKeyFile *file, const char *variable, const char *key, guint *number, char **complaint)
{
    g_autofree char *text = text_of(file, variable, key);
    guint64 value;

    if (text && g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, &value, NULL)) {
        *number = (guint)value;
    } else if (text) {
        g_free(*complaint);
        *complaint = g_strdup_printf("\"%s\" is no value of %s, nor of %s in " FILE_NAME, text, variable, key);
    }
}

void vsockenc_address_read(VsockEncAddress *address, char **complaint)
{
    g_autoptr(GKeyFile) file = load_file();
    char *path = text_of(file, "VSOCKENC_SOCKET_PATH", "socket-path");

    *complaint = NULL;
    read_number(file, "VSOCKENC_CID", "cid", &address->cid, complaint);
    read_number(file, "VSOCKENC_PORT", "port", &address->port, complaint);
    if (path && *path) {
        g_free(address->socket_path);
        address->socket_path = g_steal_pointer(&path);
    }
    g_free(path);
}
