/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * element-run.h - appsrc ! vsockenc ! appsink with a film at its end (film.h): drawings pushed as buffers, in order.
 *
 * Functions that return int return 0, or -1 after printing why.
 */
#ifndef HELIX_TEST_ELEMENT_RUN_H
#define HELIX_TEST_ELEMENT_RUN_H

#include "film.h"

#include <gst/gst.h>
#include <stdbool.h>

#define ELEMENT_RUN_SECONDS 60

typedef struct ElementRun {
    const char *name;   /* of the film, and for messages */
    unsigned frames;    /* to come out */
    int width, height;  /* of the picture after cropping */
    unsigned same_size; /* so many of them; 0: all. Then: */
    int then_width, then_height;
    GstElement *pipeline, *source, *encoder, *sink;
    Film film;
    bool wrong;
} ElementRun;

int element_run_complain(const ElementRun *run, const char *text);
/* @max_buffers: that appsrc queues before it blocks; 0: it never does, not even behind a pipeline that has failed. */
int element_run_start(ElementRun *run, const char *caps, unsigned port, const char *directory, unsigned max_buffers);
/* For the buffers that are pushed after this. */
void element_run_set_caps(ElementRun *run, const char *caps);
/* Timestamps of drawing @number (from 1): the film's number comes from them. */
void element_run_stamp(GstBuffer *buffer, unsigned number);
int element_run_push(ElementRun *run, GstBuffer *buffer);
/* Send EOS and wait for it; with @ret -1 only look for the pipeline's error. Returns @ret or worse. */
int element_run_end(ElementRun *run, int ret);
/* One of the element's statistics must be @value. */
int element_run_expect(ElementRun *run, const char *statistic, guint64 value);
/* Stop, close the film, check that every frame came out. Returns @ret or worse. */
int element_run_free(ElementRun *run, int ret);

#endif
