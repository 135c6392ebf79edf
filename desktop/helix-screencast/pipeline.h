/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pipeline.h - the user's pipeline on a ScreenCast: made, run to its end, and ended so that files are whole. Main
 * thread.
 */
#ifndef HELIX_SCREENCAST_PIPELINE_H
#define HELIX_SCREENCAST_PIPELINE_H

#include <gst/gst.h>
#include "cast.h"

/* Make the pipeline of @options, its source without a node yet. NULL with CAST_ERROR_PIPELINE and what GStreamer says
 * of it. Unref it. */
GstElement *pipeline_make(const Options *options, GError **error);

/*
 * Run @pipeline on @cast until it ends, fails, @cast is closed, or *@signals is no longer 0; then end it by EOS, for
 * which it has ten seconds, or until *@signals is 2. TRUE if it came to its end by itself or by a signal; else FALSE
 * with CAST_ERROR_PIPELINE or CAST_ERROR_CLOSED. It can't be run again.
 */
gboolean pipeline_run(GstElement *pipeline, const Options *options, const Cast *cast, const guint *signals,
                      GError **error);

#endif
