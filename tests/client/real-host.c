/* SPDX-License-Identifier: GPL-2.0-or-later */
/* real-host.c - see real-host.h. */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <glib/gstdio.h>
#include "real-host.h"

/* A test that fails leaves no host behind. */
static void die_with_parent(gpointer data)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void spawn(RealHost *host)
{
    g_autofree char *listen_arg = g_strdup_printf("--listen=unix:%s", host->path);
    char *argv[] = { (char *)g_getenv("HELIX_HOST"), listen_arg, (char *)"--encoder=x264", (char *)"--quiet",
                     (char *)host->option,           NULL };
    /* Its own suites look for its races, with what it needs for that. */
    g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), "TSAN_OPTIONS", "report_bugs=0", TRUE);
    GError *error = NULL;
    char line[256];
    FILE *out;
    int fd;

    g_spawn_async_with_pipes(NULL, argv, environment, G_SPAWN_DO_NOT_REAP_CHILD, die_with_parent, NULL, &host->pid,
                             NULL, &fd, NULL, &error);
    g_assert_no_error(error);
    out = fdopen(fd, "r");
    g_assert_nonnull(fgets(line, sizeof(line), out));
    g_assert_true(g_str_has_prefix(line, "listening on"));
    /* Left open for its statistics at the end, which nobody reads. */
}

void real_host_start(RealHost *host, const char *option)
{
    host->option = option;
    host->dir = g_dir_make_tmp("vsockenc-XXXXXX", NULL);
    host->path = g_build_filename(host->dir, "host", NULL);
    spawn(host);
}

void real_host_stop(RealHost *host)
{
    int status;

    kill(host->pid, SIGTERM);
    g_assert_cmpint(waitpid(host->pid, &status, 0), ==, host->pid);
    g_assert_cmpint(status, ==, 0);
    g_unlink(host->path); /* there if it was killed once */
    g_rmdir(host->dir);
    g_free(host->path);
    g_free(host->dir);
}

void real_host_kill(RealHost *host)
{
    int status;

    kill(host->pid, SIGKILL);
    g_assert_cmpint(waitpid(host->pid, &status, 0), ==, host->pid);
}

void real_host_again(RealHost *host)
{
    spawn(host);
}
