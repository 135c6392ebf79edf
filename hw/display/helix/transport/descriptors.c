/* SPDX-License-Identifier: GPL-2.0-or-later */
/* descriptors.c - do the connections that a configuration allows fit the limit of open files? */
#include <sys/resource.h>

#include "descriptors.h"
#include "../protocol/error.h"

static guint64 reserved;

gboolean helix_descriptors_reserve(guint count, GError **error)
{
    guint64 wanted = reserved + count + HELIX_DESCRIPTORS_OTHER;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && wanted > limit.rlim_cur) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID,
                    "connections may need %" G_GUINT64_FORMAT " open files, %u for the rest of "
                    "the program among them, and RLIMIT_NOFILE is %" G_GUINT64_FORMAT
                    ": raise that limit (ulimit -n, systemd's "
                    "LimitNOFILE=) or allow fewer connections",
                    wanted, HELIX_DESCRIPTORS_OTHER, (guint64)limit.rlim_cur);
        return FALSE;
    }
    reserved += count;
    return TRUE;
}

void helix_descriptors_release(guint count)
{
    reserved -= MIN(reserved, count);
}
