/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * token.h - the portal's restore token, by which it knows what the user allowed before. It is good for one use: each
 * start gives the next one.
 */
#ifndef HELIX_SCREENCAST_TOKEN_H
#define HELIX_SCREENCAST_TOKEN_H

#include "options.h"

/* Where it is kept: --token-file, or a file of the user's state folder for each kind of source. Free it. */
char *token_path(const Options *options);

/* The token, or NULL if there is none that can be read. Free it. */
char *token_read(const char *path);

/* Keep @token, or none if it is NULL. FALSE with the error of the file. */
gboolean token_write(const char *path, const char *token, GError **error);

#endif
