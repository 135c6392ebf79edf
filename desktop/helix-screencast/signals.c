/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * signals.c - SIGINT and SIGTERM.
 */
#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include "signals.h"

#define ONE_MS 250 /* timeout(1) sends its signal to the program and to its group: that is one */

static volatile sig_atomic_t came;
static gint64 first_ms;
static int wake[2] = { -1, -1 };

static gint64 now_ms(void)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (gint64)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Async-signal-safe: the main thread may be blocked in a system call of an element. */
static void on_signal(int number)
{
    static const char text[] = "helix-screencast: a second signal: files may not be whole\n";
    int saved = errno;

    (void)number;
    if (!came) {
        came = 1;
        first_ms = now_ms();
        (void)!write(wake[1], "", 1);
    } else if (now_ms() - first_ms > ONE_MS) {
        (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
        _exit(0);
    }
    errno = saved;
}

static gboolean on_wake(int fd, GIOCondition condition, gpointer cancellable)
{
    (void)fd;
    (void)condition;
    g_cancellable_cancel(cancellable);
    return G_SOURCE_REMOVE;
}

void signals_catch(GCancellable *cancellable)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    g_autoptr(GError) error = NULL;

    if (!g_unix_open_pipe(wake, FD_CLOEXEC, &error)) {
        g_error("signals: %s", error->message);
    }
    g_unix_fd_add_full(G_PRIORITY_HIGH, wake[0], G_IO_IN, on_wake, g_object_ref(cancellable), g_object_unref);
    sigfillset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}
