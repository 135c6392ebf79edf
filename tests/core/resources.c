/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resources.c - what this process has of the system. */
#include <unistd.h>

#include "resources.h"

#define PATIENCE (20 * G_TIME_SPAN_SECOND)

static guint entries(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    guint n = 0;

    while (dir && g_dir_read_name(dir)) {
        n++;
    }
    return n;
}

static gsize resident_bytes(void)
{
    g_autofree char *text = NULL;
    char *resident;

    if (!g_file_get_contents("/proc/self/statm", &text, NULL, NULL)) {
        return 0;
    }
    g_ascii_strtoull(text, &resident, 10); /* the first number is the whole size */
    return g_ascii_strtoull(resident, NULL, 10) * (gsize)sysconf(_SC_PAGESIZE);
}

static gpointer nothing(gpointer data)
{
    return NULL;
}

Resources resources_now(void)
{
    g_thread_join(g_thread_new("first", nothing, NULL)); /* with which a sanitizer may begin one of its own */
    g_main_context_default();                            /* which has a descriptor of its own from its first use on */
    return (Resources){ entries("/proc/self/fd"), entries("/proc/self/task"), resident_bytes() };
}

void resources_expect(const Resources *before)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE;
    Resources now = resources_now();

    while (now.threads != before->threads && g_get_monotonic_time() < deadline) {
        g_usleep(1000);
        now = resources_now();
    }
    g_assert_cmpuint(now.descriptors, ==, before->descriptors);
    g_assert_cmpuint(now.threads, ==, before->threads);
}
