/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scene.h - a pipeline with the element, in front of a host of its own. */
#ifndef SCENE_H
#define SCENE_H

#include <gst/gst.h>

#include "../client/real-host.h"

typedef struct Scene {
    RealHost host;
    GstElement *pipeline, *encoder, *sink; /* the elements "enc" and, where there is one, "out" */
} Scene;

/* %s in @line is the encoder with its socket's path. @option: as for real_host_start(). */
void scene_set_up(Scene *scene, const char *option, const char *line);
void scene_tear_down(Scene *scene);
/* The next sample of the appsink "out", waited for. */
GstSample *scene_pull(Scene *scene);

#endif
