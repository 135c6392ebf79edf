/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay.c - runs a fuzz target over every file of the folders that are given, as a test: what was found once stays
 * mended. */
#include <stdio.h>

#include "fuzz.h"

static guint replay(const char *folder, guint *n)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &error);
    const char *name;
    guint failed = 0;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL), *text = NULL;
        gsize size = 0;
        gboolean ok = g_file_get_contents(path, &text, &size, NULL);

        if (ok) {
            g_autofree guint8 *exact = g_memdup2(text, size);

            LLVMFuzzerTestOneInput(exact, size); /* aborts if it finds something */
        }
        printf("%s %u - %s\n", ok ? "ok" : "not ok", ++*n, name);
        fflush(stdout);
        failed += !ok;
    }
    if (!dir) {
        printf("not ok %u - %s\n", ++*n, error->message);
    }
    return failed + !dir;
}

int main(int argc, char **argv)
{
    guint n = 0, failed = 0;

    for (int i = 1; i < argc; i++) {
        failed += replay(argv[i], &n);
    }
    printf("1..%u\n", n);
    return failed != 0;
}
