/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exporter.c - the driver that exported a DMA-BUF, as the kernel says. */
#include <string.h>
#include <sys/utsname.h>
#include "helix-client.h"

/* From 5.8 on; before, its exports were "drm" like those of most drivers. */
static gboolean virtio_gpu_says_its_name(void)
{
    struct utsname name;
    guint64 major, minor;
    char *end;

    if (uname(&name) != 0) {
        return FALSE;
    }
    major = g_ascii_strtoull(name.release, &end, 10);
    minor = *end == '.' ? g_ascii_strtoull(end + 1, NULL, 10) : 0;
    return major > 5 || (major == 5 && minor >= 8);
}

char *helix_client_dmabuf_exporter(int fd)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fdinfo/%d", fd);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return NULL;
    }
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        if (g_str_has_prefix(lines[i], "exp_name:")) {
            const char *name = g_strstrip(lines[i] + strlen("exp_name:"));

            return strcmp(name, "drm") == 0 && !virtio_gpu_says_its_name() ? NULL : g_strdup(name);
        }
    }
    return NULL;
}
