/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stat.c - numbers out of the text of the statistics. */
#include <string.h>

#include "stat.h"

gboolean stat_find(const char *json, const char *path, guint64 *value)
{
    g_auto(GStrv) names = g_strsplit(path, ".", -1);
    const char *at = json, *end = NULL;

    for (char **name = names; *name; name++) {
        g_autofree char *member = g_strdup_printf("\"%s\":", *name);

        at = strstr(at, member);
        if (!at || (end && at > end)) {
            return FALSE;
        }
        at += strlen(member);
        end = *at == '{' && name[1] && !name[2] ? strchr(at, '}') : NULL;
    }
    *value = g_ascii_strtoull(at, NULL, 10);
    return TRUE;
}

guint64 stat_number(const char *json, const char *path)
{
    guint64 value = 0;

    if (!stat_find(json, path, &value)) {
        g_error("no %s in %s", path, json);
    }
    return value;
}
