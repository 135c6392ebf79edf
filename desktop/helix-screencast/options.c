/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.c - the command line of helix-screencast.
 */
#include <gst/gst.h>
#include "error.h"
#include "options.h"

static const char *const summary =
    "Opens a ScreenCast of this desktop, keeps it open, and runs a GStreamer pipeline on it.\n"
    "\n"
    "PIPELINE is written as for gst-launch-1.0, in words or as one quoted text. {} in it\n"
    "stands for the source, pipewiresrc on the ScreenCast's node; without it the source comes\n"
    "first. {time} in it is the time of the start, 20260131-235959.\n"
    "\n"
    "  helix-screencast vsockenc bitrate=4000 ! h264parse ! mp4mux ! filesink location=desktop.mp4\n"
    "  helix-screencast '{} ! videoconvert ! autovideosink'";

static const char *const description =
    "Ends when the pipeline does, at SIGINT or SIGTERM (files are finished first; a second signal ends it\n"
    "at once), or when the compositor closes the ScreenCast. Waits while the screen is locked.\n"
    "\n"
    "Exit status: 0 ended in order; 1 the pipeline failed; 2 wrong options; 3 nothing to capture with;\n"
    "4 the user said no; 5 the compositor closed the ScreenCast; 6 the pipeline can't be made.";

static gboolean choose(const char *option, const char *text, const char *const *names, guint *choice, GError **error)
{
    for (guint i = 0; names[i]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *choice = i;
            return TRUE;
        }
    }
    g_autofree char *all = g_strjoinv(", ", (char **)names);
    g_set_error(error, CAST_ERROR, CAST_ERROR_USAGE, "--%s=%s: there are %s", option, text, all);
    return FALSE;
}

static gboolean is_empty(char **words)
{
    for (guint i = 0; words && words[i]; i++) {
        if (words[i][strspn(words[i], " \t\n")]) {
            return FALSE;
        }
    }
    return TRUE;
}

/* The unit's PIPELINE is empty where its file is missing: the unit names the file in the environment. */
static gboolean check_settings(const Options *options, GError **error)
{
    const char *file = g_getenv("HELIX_SCREENCAST_ENVIRONMENT");

    if (!file || !options->pipeline || !is_empty(options->pipeline)) {
        return TRUE;
    }
    if (g_file_test(file, G_FILE_TEST_EXISTS)) {
        g_set_error(error, CAST_ERROR, CAST_ERROR_USAGE, "%s sets no PIPELINE", file);
    } else {
        g_set_error(error, CAST_ERROR, CAST_ERROR_USAGE,
                    "there is no %s: copy environment.example of the package's "
                    "documents there, and edit it",
                    file);
    }
    return FALSE;
}

static gboolean check(const Options *options, GError **error)
{
    const char *wrong = NULL;

    if (!check_settings(options, error)) {
        return FALSE;
    }
    if (!options->list && !options->version && is_empty(options->pipeline)) {
        wrong = "a pipeline is needed, as in: helix-screencast vsockenc ! h264parse ! mp4mux ! filesink "
                "location=desktop.mp4";
    } else if (options->list && options->pipeline) {
        wrong = "--list takes no pipeline";
    } else if (options->source && g_regex_match_simple("(^|\\s)name\\s*=", options->source, 0, 0)) {
        wrong = "the source has its name already: leave out name= in --source";
    } else if (options->window && options->monitor) {
        wrong = "either --window or --monitor";
    } else if (options->window && options->backend == BACKEND_MUTTER) {
        wrong = "Mutter's own API knows windows by numbers only; --window needs --backend=portal";
    } else if (options->monitor && options->backend == BACKEND_PORTAL) {
        wrong = "the portal lets the user choose the monitor; --monitor needs --backend=mutter";
    }
    if (wrong) {
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_USAGE, wrong);
    }
    return !wrong;
}

gboolean options_parse(Options *options, int argc, char **argv, GError **error)
{
    static const char *const backends[] = { "auto", "mutter", "portal", NULL };
    static const char *const cursors[] = { "default", "hidden", "embedded", NULL };
    g_autofree char *backend = NULL, *cursor = NULL;
    const GOptionEntry entries[] = {
        { "backend", 'b', 0, G_OPTION_ARG_STRING, &backend,
          "auto (Mutter's own API where it is or a monitor is named, "
          "else the portal), mutter, portal",
          "NAME" },
        { "list", 'l', 0, G_OPTION_ARG_NONE, &options->list, "say what can be captured here", NULL },
        { "monitor", 'o', 0, G_OPTION_ARG_STRING, &options->monitor,
          "this monitor (Mutter only; default: the primary "
          "one)",
          "NAME" },
        { "window", 'w', 0, G_OPTION_ARG_NONE, &options->window, "let the user choose a window (portal only)", NULL },
        { "cursor", 'c', 0, G_OPTION_ARG_STRING, &cursor, "hidden, or embedded in the picture (default, if possible)",
          "MODE" },
        { "ask", 'a', 0, G_OPTION_ARG_NONE, &options->ask, "let the user choose again (portal)", NULL },
        { "token-file", 0, 0, G_OPTION_ARG_FILENAME, &options->token_file,
          "where the portal's restore token is kept (default: in $XDG_STATE_HOME/helix-screencast)", "PATH" },
        { "source", 's', 0, G_OPTION_ARG_STRING, &options->source,
          "more properties of pipewiresrc, as in "
          "\"min-buffers=4\"",
          "TEXT" },
        { "restart", 'r', 0, G_OPTION_ARG_NONE, &options->restart, "open it again when the compositor closed it",
          NULL },
        { "messages", 'm', 0, G_OPTION_ARG_NONE, &options->messages, "print what the pipeline's elements report",
          NULL },
        { "quiet", 'q', 0, G_OPTION_ARG_NONE, &options->quiet, "print errors only", NULL },
        { "version", 0, 0, G_OPTION_ARG_NONE, &options->version, "print the version", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("PIPELINE");
    guint choice = 0;

    g_option_context_set_summary(context, summary);
    g_option_context_set_description(context, description);
    g_option_context_set_strict_posix(context, TRUE);
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    if (!g_option_context_parse(context, &argc, &argv, error)) {
        return FALSE;
    }
    if (backend) {
        if (!choose("backend", backend, backends, &choice, error)) {
            return FALSE;
        }
        options->backend = (Backend)choice;
    }
    if (cursor) {
        if (!choose("cursor", cursor, cursors, &choice, error)) {
            return FALSE;
        }
        options->cursor = (Cursor)choice;
    }
    if (argc > 1 && strcmp(argv[1], "--") == 0) {
        argv++;
        argc--;
    }
    if (argc > 1) {
        options->pipeline = g_strdupv(argv + 1);
    }
    return check(options, error);
}

void options_clear(Options *options)
{
    g_free(options->monitor);
    g_free(options->token_file);
    g_free(options->source);
    g_strfreev(options->pipeline);
}
