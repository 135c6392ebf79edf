/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.h - the command line of helix-screencast.
 */
#ifndef HELIX_SCREENCAST_OPTIONS_H
#define HELIX_SCREENCAST_OPTIONS_H

#include <glib.h>

typedef enum Backend {
    BACKEND_AUTO,
    BACKEND_MUTTER,
    BACKEND_PORTAL,
} Backend;

typedef enum Cursor {
    CURSOR_DEFAULT, /* in the picture where the compositor can do that */
    CURSOR_HIDDEN,
    CURSOR_EMBEDDED,
} Cursor;

typedef struct Options {
    Backend backend; /* BACKEND_AUTO until cast_choose() (backend.h) */
    Cursor cursor;
    char *monitor;    /* connector; NULL: the first */
    gboolean window;  /* let the user choose a window instead of a monitor */
    gboolean ask;     /* do not use what the user chose before */
    char *token_file; /* NULL: in the user's state folder */
    char *source;     /* more properties of pipewiresrc */
    gboolean restart;
    gboolean messages;
    gboolean quiet;
    gboolean list;
    gboolean version;
    char **pipeline; /* words, or one text */
} Options;

/* Parse the command line, GStreamer's own options among it, and initialise GStreamer. FALSE with a GError that says
 * what is wrong; --help ends the program. Free with options_clear(). */
gboolean options_parse(Options *options, int argc, char **argv, GError **error);
void options_clear(Options *options);

#endif
