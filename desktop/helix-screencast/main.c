/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - helix-screencast: opens a ScreenCast of this desktop, keeps it open, and runs a GStreamer pipeline on it.
 */
#include <gst/gst.h>
#include <locale.h>
#include <stdio.h>
#include "backend.h"
#include "bus.h"
#include "mutter.h"
#include "pipeline.h"
#include "screen.h"
#include "signals.h"
#include "token.h"

#define FIRST_PAUSE 1 /* seconds before a closed ScreenCast is opened again, doubled each time */
#define LAST_PAUSE 16
#define LASTING_SECONDS 30 /* one that was open for so long counts as one that worked */

#define MOVES 4           /* tries to open another ScreenCast for a pipeline that plays */
#define MOVE_PAUSE_MS 200 /* before each but the first */
#define SETTLE_MS 1000    /* ... and before the first where nobody says at once that the screen was locked */
#define SHORT_SECONDS 2   /* one that was open for no longer may be closed in a loop */

typedef struct Program {
    Options options;
    GCancellable *cancellable; /* cancelled by SIGINT and SIGTERM */
    GDBusConnection *bus;
    gint64 opened;  /* when the present ScreenCast was */
    char *said;     /* why it was closed, as printed last */
    gint64 started; /* the second of the last start, which {time} has in a file's name */
} Program;

static GDBusConnection *session_bus(GCancellable *cancellable, GError **error)
{
    g_autoptr(GError) cause = NULL;
    GDBusConnection *bus = g_bus_get_sync(G_BUS_TYPE_SESSION, cancellable, &cause);

    if (!bus) {
        g_set_error(error, CAST_ERROR, CAST_ERROR_UNAVAILABLE,
                    "no session bus (%s): run this in the desktop's session, as "
                    "its user, or set DBUS_SESSION_BUS_ADDRESS to that of the session (often "
                    "unix:path=/run/user/UID/bus)",
                    cause->message);
        return NULL;
    }
    g_dbus_connection_set_exit_on_close(bus, FALSE);
    return bus;
}

static gboolean is_stopped(const Program *program)
{
    return g_cancellable_is_cancelled(program->cancellable);
}

static Cast *open_cast(Program *program, GError **error)
{
    Cast *cast = cast_open(program->bus, &program->options, program->cancellable, error);

    if (cast) {
        program->opened = g_get_monotonic_time();
        program->options.ask = FALSE; /* asked once; what was chosen holds for what is opened again */
    }
    return cast;
}

/* Whether another ScreenCast can be opened without asking the user. */
static gboolean asks_nobody(const Options *options)
{
    g_autofree char *path = options->backend == BACKEND_PORTAL ? token_path(options) : NULL;
    g_autofree char *token = path ? token_read(path) : NULL;

    return !path || token;
}

/*
 * Another ScreenCast for a pipeline that plays: a compositor closes one when the monitor's size changes, and makes
 * another at once. Not where the compositor is gone, or hides the screen: the pipeline ends then, so that files are
 * whole.
 */
static gboolean reopen(Cast **cast, gpointer data, GError **error)
{
    Program *program = data;
    gboolean brief = g_get_monotonic_time() - program->opened < SHORT_SECONDS * G_TIME_SPAN_SECOND;

    if (!program->options.restart || (*cast)->gone || !asks_nobody(&program->options)) {
        return FALSE;
    }
    if (!bus_has(program->bus, MUTTER_NAME, program->cancellable)) {
        bus_pause(SETTLE_MS, program->cancellable);
    }
    for (guint i = 0; i < MOVES && !is_stopped(program); i++) {
        g_autoptr(GError) failed = NULL;
        Cast *other;

        if (i || brief) {
            bus_pause(MOVE_PAUSE_MS << i, program->cancellable);
        }
        other = open_cast(program, &failed);
        if (other) {
            cast_free(*cast);
            *cast = other;
            return TRUE;
        }
        if (g_error_matches(failed, CAST_ERROR, CAST_ERROR_DENIED)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return FALSE;
        }
        if (g_error_matches(failed, CAST_ERROR, CAST_ERROR_HIDDEN)) {
            return FALSE;
        }
    }
    return FALSE;
}

/* GLib shares one connection for as long as somebody holds it; a closed one would stay with us. */
static gboolean have_bus(Program *program, GError **error)
{
    if (!program->bus || g_dbus_connection_is_closed(program->bus)) {
        g_clear_object(&program->bus);
        program->bus = session_bus(program->cancellable, error);
    }
    return program->bus != NULL;
}

/* Two starts within a second would write one file. */
static void wait_for_another_second(Program *program)
{
    if (g_get_real_time() / G_USEC_PER_SEC == program->started) {
        bus_pause(1000, program->cancellable);
    }
    program->started = g_get_real_time() / G_USEC_PER_SEC;
}

/* Open once and run to the end. */
static gboolean run_once(Program *program, gboolean *opened, GError **error)
{
    g_autoptr(GstElement) pipeline = pipeline_make(&program->options, error);
    const PipelineReopen again = { reopen, program };
    g_autoptr(Cast) cast = NULL;

    *opened = FALSE;
    if (!pipeline || !have_bus(program, error)) { /* before anybody is asked for consent */
        return FALSE;
    }
    cast_choose(program->bus, &program->options, program->cancellable);
    cast = open_cast(program, error);
    *opened = cast != NULL;
    return cast && pipeline_run(pipeline, &program->options, &cast, &again, program->cancellable, error);
}

/* Whether another try may help: the compositor closed it, or is not back yet since it did, or has not its monitors
 * back. */
static gboolean may_help(const Program *program, gboolean worked, const GError *error)
{
    return program->options.restart && !is_stopped(program) &&
        (g_error_matches(error, CAST_ERROR, CAST_ERROR_CLOSED) ||
         (worked &&
          (g_error_matches(error, CAST_ERROR, CAST_ERROR_UNAVAILABLE) ||
           g_error_matches(error, CAST_ERROR, CAST_ERROR_USAGE))));
}

/* The same reason is said once. */
static void say_again(Program *program, const char *reason)
{
    if (g_strcmp0(program->said, reason) != 0) {
        g_printerr("helix-screencast: %s; opening it again\n", reason);
        g_free(program->said);
        program->said = g_strdup(reason);
    }
}

/* Whether the screen is hidden, which is waited for: no try, and no reason to give up. */
static gboolean waited_for_screen(Program *program, const GError *failed)
{
    if (is_stopped(program) || !program->bus ||
        !(g_error_matches(failed, CAST_ERROR, CAST_ERROR_HIDDEN) ||
          (program->options.restart && g_error_matches(failed, CAST_ERROR, CAST_ERROR_CLOSED) &&
           screen_hidden(program->bus, program->cancellable)))) {
        return FALSE;
    }
    (void)screen_wait(program->bus, program->options.quiet, program->cancellable, NULL);
    return TRUE;
}

static gboolean run(Program *program, GError **error)
{
    gboolean worked = FALSE, opened;
    guint pause = FIRST_PAUSE;

    while (!is_stopped(program)) { /* else nothing is open, so nothing is left to end in order */
        g_autoptr(GError) failed = NULL;
        gint64 begin = g_get_monotonic_time();

        wait_for_another_second(program);
        if (run_once(program, &opened, &failed)) {
            return TRUE;
        }
        worked = worked || opened || g_error_matches(failed, CAST_ERROR, CAST_ERROR_CLOSED);
        if (opened) {
            g_clear_pointer(&program->said, g_free);
        }
        if (waited_for_screen(program, failed)) {
            continue;
        }
        if (!may_help(program, worked, failed)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return FALSE;
        }
        if (opened && g_get_monotonic_time() - begin > LASTING_SECONDS * G_TIME_SPAN_SECOND) {
            pause = FIRST_PAUSE;
        }
        say_again(program, failed->message);
        bus_pause(pause * 1000, program->cancellable);
        pause = MIN(pause * 2, LAST_PAUSE);
    }
    return TRUE;
}

static gboolean main_in_order(Program *program, int argc, char **argv, GError **error)
{
    if (!options_parse(&program->options, argc, argv, error)) {
        return FALSE;
    }
    if (program->options.version) {
        printf("helix-screencast %s\n", HELIX_VERSION);
        return TRUE;
    }
    if (program->options.list) {
        program->bus = session_bus(program->cancellable, error);
        return program->bus && cast_list(program->bus, program->cancellable, error);
    }
    return run(program, error);
}

/* Options that can't be parsed have GLib's own error domain. */
static int status_of(const GError *error)
{
    if (error->domain == CAST_ERROR) {
        return error->code;
    }
    return error->domain == G_OPTION_ERROR ? CAST_ERROR_USAGE : CAST_ERROR_PIPELINE;
}

int main(int argc, char **argv)
{
    Program program = { .cancellable = g_cancellable_new() };
    g_autoptr(GError) error = NULL;
    int status = 0;

    (void)setlocale(LC_ALL, "");
    signals_catch(program.cancellable);
    /* Told to end while the user was asked: in order too. */
    if (!main_in_order(&program, argc, argv, &error) && !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        g_printerr("helix-screencast: %s\n", error->message);
        if (status_of(error) == CAST_ERROR_USAGE) {
            g_printerr("helix-screencast --help says what there is\n");
        }
        status = status_of(error);
    }
    options_clear(&program.options);
    g_free(program.said);
    g_clear_object(&program.bus);
    g_object_unref(program.cancellable);
    return status;
}
