/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.h - the program's errors. Their codes are its exit statuses.
 */
#ifndef HELIX_SCREENCAST_ERROR_H
#define HELIX_SCREENCAST_ERROR_H

#include <glib.h>

/* What can go wrong; each is the program's exit status too (main.c). */
typedef enum CastError {
    CAST_ERROR_PIPELINE = 1,    /* the pipeline failed */
    CAST_ERROR_USAGE = 2,       /* the options ask for what is not there: a monitor, a cursor mode */
    CAST_ERROR_UNAVAILABLE = 3, /* no session bus, no portal, no compositor, or one that doesn't do as it says */
    CAST_ERROR_DENIED = 4,      /* the user said no */
    CAST_ERROR_CLOSED = 5,      /* the compositor ended it */
    CAST_ERROR_NOT_MADE = 6,    /* there is no such pipeline */
    CAST_ERROR_HIDDEN = 7,      /* the screen is locked, blank or another session's: screen_wait(); no exit status */
} CastError;

#define CAST_ERROR cast_error_quark()
GQuark cast_error_quark(void);

#endif
