/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pipeline.h - the user's pipeline on a ScreenCast: made, run to its end, and ended so that files are whole. Main
 * thread.
 */
#ifndef HELIX_SCREENCAST_PIPELINE_H
#define HELIX_SCREENCAST_PIPELINE_H

#include <gst/gst.h>
#include "cast.h"
#include "options.h"

/* Make the pipeline of @options, its source without a node yet. NULL with CAST_ERROR_NOT_MADE and what GStreamer says
 * of it. Unref it. */
GstElement *pipeline_make(const Options *options, GError **error);

/* What is asked when the ScreenCast was closed: open another in its place, *@cast. FALSE if the pipeline has to end,
 * with
 * @error only where that is what it ended by. */
typedef struct PipelineReopen {
    gboolean (*function)(Cast **cast, gpointer data, GError **error);
    gpointer data;
} PipelineReopen;

/*
 * Run @pipeline on *@cast, and on those that @reopen puts in its place, until it ends, fails, the ScreenCast is closed,
 * or
 * @stop is cancelled; then end it by EOS, for which it has ten seconds. TRUE if it came to its end by itself or by
 * @stop; else FALSE with CAST_ERROR_PIPELINE, _NOT_MADE, _CLOSED, or the error of @reopen. It can't be run again.
 */
gboolean pipeline_run(GstElement *pipeline, const Options *options, Cast **cast, const PipelineReopen *reopen,
                      GCancellable *stop, GError **error);

#endif
