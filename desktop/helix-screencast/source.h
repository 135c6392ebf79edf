/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source.h - the pipeline's source, a pipewiresrc on the ScreenCast's node: its text, its node, and what its end means.
 * Main thread, but where it says otherwise.
 */
#ifndef HELIX_SCREENCAST_SOURCE_H
#define HELIX_SCREENCAST_SOURCE_H

#include <gst/gst.h>
#include "cast.h"
#include "options.h"

#define SOURCE_NAME "screencast"

typedef struct Source Source;

/* The source as a pipeline's text has it. Free it. */
char *source_text(const Options *options);

/* The source of @pipeline, which has a node once source_set_cast() gave it one. NULL with CAST_ERROR_NOT_MADE. Free
 * with source_free(). */
Source *source_find(GstElement *pipeline, const Options *options, GError **error);
void source_free(Source *source);

GstElement *source_element(Source *source);

/* Give it the node and connection of @cast. It is in state NULL. */
void source_set_cast(Source *source, const Cast *cast);

/*
 * A source that failed sends the end of the stream behind its error. With --restart that is held up, in the source's
 * streaming thread, until it is decided whether the pipeline goes on with another node: it is let through, or dropped.
 * source_watch() sees the errors; any thread.
 */
void source_watch(Source *source, GstMessage *message);
void source_let_end(Source *source);
void source_drop_end(Source *source);

/* The source is in state NULL after source_drop_end(): hold up the end of what it plays next. */
void source_hold_end(Source *source);

#endif
