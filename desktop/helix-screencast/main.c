/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - helix-screencast: opens a ScreenCast of this desktop, keeps it open, and runs a GStreamer pipeline on it.
 */
#include <glib-unix.h>
#include <gst/gst.h>
#include <locale.h>
#include <stdio.h>
#include "bus.h"
#include "cast.h"
#include "pipeline.h"

#define FIRST_PAUSE 1           /* seconds before a closed ScreenCast is opened again, doubled each time */
#define LAST_PAUSE 16
#define LASTING_SECONDS 30      /* one that was open for so long counts as one that worked */

typedef struct Program {
    Options options;
    guint signals;              /* SIGINT and SIGTERM that came */
    GCancellable *cancellable;  /* cancelled by the first */
    GDBusConnection *bus;
} Program;

static gboolean on_signal(gpointer data)
{
    Program *program = data;

    program->signals++;
    g_cancellable_cancel(program->cancellable);
    return G_SOURCE_CONTINUE;
}

static GDBusConnection *session_bus(GCancellable *cancellable, GError **error)
{
    g_autoptr(GError) cause = NULL;
    GDBusConnection *bus = g_bus_get_sync(G_BUS_TYPE_SESSION, cancellable, &cause);

    if (!bus) {
        g_set_error(error, CAST_ERROR, CAST_ERROR_UNAVAILABLE,
                    "no session bus (%s): run this in the desktop's session, as "
                    "its user, or set DBUS_SESSION_BUS_ADDRESS to that of the session (often "
                    "unix:path=/run/user/UID/bus)", cause->message);
        return NULL;
    }
    g_dbus_connection_set_exit_on_close(bus, FALSE);
    return bus;
}

/* Open once and run to the end. */
static gboolean run_once(Program *program, gboolean *opened, GError **error)
{
    g_autoptr(GstElement) pipeline = pipeline_make(&program->options, error);
    g_autoptr(Cast) cast = NULL;

    *opened = FALSE;
    if (!pipeline) {        /* before anybody is asked for consent */
        return FALSE;
    }
    /* GLib shares one connection for as long as somebody holds it; a closed one would stay with us. */
    if (!program->bus || g_dbus_connection_is_closed(program->bus)) {
        g_clear_object(&program->bus);
        program->bus = session_bus(program->cancellable, error);
    }
    cast = program->bus ? cast_open(program->bus, &program->options, program->cancellable, error) : NULL;
    *opened = cast != NULL;
    return cast && pipeline_run(pipeline, &program->options, cast, &program->signals, error);
}

/* Whether another try may help: the compositor closed it, or is not back yet since it did. */
static gboolean again(const Program *program, gboolean worked, const GError *error)
{
    return program->options.restart && !program->signals &&
           (g_error_matches(error, CAST_ERROR, CAST_ERROR_CLOSED) ||
            (worked && g_error_matches(error, CAST_ERROR, CAST_ERROR_UNAVAILABLE)));
}

static gboolean run(Program *program, GError **error)
{
    gboolean worked = FALSE, opened, never = FALSE;
    guint pause = FIRST_PAUSE;

    for (;;) {
        g_autoptr(GError) failed = NULL;
        gint64 begin = g_get_monotonic_time();

        if (run_once(program, &opened, &failed)) {
            return TRUE;
        }
        worked = worked || opened;
        if (!again(program, worked, failed)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return FALSE;
        }
        if (opened && g_get_monotonic_time() - begin > LASTING_SECONDS * G_TIME_SPAN_SECOND) {
            pause = FIRST_PAUSE;
        }
        g_printerr("helix-screencast: %s; opening it again in %u s\n", failed->message, pause);
        bus_wait(&never, pause, program->cancellable, NULL);
        if (program->signals) {
            return TRUE;        /* nothing is open, so nothing is left to end in order */
        }
        pause = MIN(pause * 2, LAST_PAUSE);
    }
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
    g_unix_signal_add(SIGINT, on_signal, &program);
    g_unix_signal_add(SIGTERM, on_signal, &program);
    /* Told to end while the user was asked: in order too. */
    if (!main_in_order(&program, argc, argv, &error) && !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        g_printerr("helix-screencast: %s\n", error->message);
        if (status_of(error) == CAST_ERROR_USAGE) {
            g_printerr("helix-screencast --help says what there is\n");
        }
        status = status_of(error);
    }
    options_clear(&program.options);
    g_clear_object(&program.bus);
    g_object_unref(program.cancellable);
    return status;
}
