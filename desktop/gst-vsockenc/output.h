/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* output.h - the source pad's task: the library's events become buffers, caps and EOS downstream. */
#ifndef VSOCKENC_OUTPUT_H
#define VSOCKENC_OUTPUT_H

#include "../client/helix-client.h"
#include "avc.h"
#include "element.h"

/* This many pictures in a row that are refused, or not drawn in time, end the pipeline with an error. */
#define VSOCKENC_MAX_ERRORS_IN_ROW 30

/* The output caps; with the stream lock. */
typedef struct VsockEncOutputCaps {
    guint8 sps[3];  /* profile, constraints, level that downstream was told */
    GBytes *record; /* AVCDecoderConfigurationRecord of the latest parameter sets; NULL: none came */
    VsockEncStreamFormat format;
    gint relinks;              /* how often downstream had asked to negotiate when @format was chosen */
    HelixClientVui vui;        /* the colours in them */
    gint par_n, par_d;         /* the pixel aspect ratio in them */
    GstVideoCodecState *input; /* the input caps that they come from; NULL: none are set */
} VsockEncOutputCaps;

typedef struct VsockEncOutput {
    /* With the object lock. */
    GstEvent *eos; /* to be pushed after the last access unit */
    /* Atomic. */
    gint relinks; /* downstream asked to negotiate again, as a pad does that is linked */
    /* With the stream lock. */
    VsockEncOutputCaps caps;
    GstTagList *tags;   /* that downstream was told; NULL: none */
    gboolean ending;    /* EOS goes downstream, and everything before it has */
    GstFlowReturn flow; /* of the latest push downstream, */
    gint flow_relinks;  /* which began after so many relinks */
    guint flushes;
    guint errors_in_row;
} VsockEncOutput;

void vsockenc_output_reset(GstVsockEnc *self);
/* At the stop. */
void vsockenc_output_clear(GstVsockEnc *self);
/* Start the source pad's task, if it does not run. Call it before waiting for events. */
void vsockenc_output_run(GstVsockEnc *self);
/* eos.c: wait until everything asked so far is answered and pushed; of a live source @ms at most. With the stream
 * lock, which is given up meanwhile. */
HelixClientWait vsockenc_drain(GstVsockEnc *self, guint ms);
/* One more picture brought an error. Returns how many in a row did. With the stream lock. */
guint vsockenc_output_count_error(GstVsockEnc *self);

/* output-caps.c: set the output caps anew if something in them changes with @event's access unit. With the stream lock.
 */
void vsockenc_output_update_caps(GstVsockEnc *self, const HelixClientEvent *event);
void vsockenc_output_clear_caps(GstVsockEnc *self);
/* @event's access unit in the stream format of the output caps. With the stream lock. */
GstBuffer *vsockenc_output_buffer(GstVsockEnc *self, const HelixClientEvent *event);

/* tags.c: what downstream is told of the stream beside its caps: codec, encoder, bit rates. */
/* Merge them into the stream's tags, if they changed. With the stream lock. */
void vsockenc_tags_update(GstVsockEnc *self);
/* The same where some were told before; the first come with the caps. Takes the stream lock. */
void vsockenc_tags_follow_config(GstVsockEnc *self);
void vsockenc_tags_clear(GstVsockEnc *self);

/* flow.c: what downstream returned, told to upstream. */
/* Downstream flushed. With the stream lock. */
void vsockenc_flow_flushed(GstVsockEnc *self);
/* Downstream asks to negotiate again. Any thread. */
void vsockenc_flow_relinked(GstVsockEnc *self);
/* What the latest push says of the next. With the stream lock. */
GstFlowReturn vsockenc_flow_downstream(const GstVsockEnc *self);
/* The same; where it says nothing, what a wait that ended with @state does. With the stream lock. */
GstFlowReturn vsockenc_flow_after(const GstVsockEnc *self, HelixClientWait state);
/* A push begins, and ends with @flow. No lock. */
typedef struct VsockEncPush {
    guint flushes;
    gint relinks;
} VsockEncPush;
VsockEncPush vsockenc_flow_begin(GstVsockEnc *self);
void vsockenc_flow_end(GstVsockEnc *self, const VsockEncPush *push, GstFlowReturn flow);

/* eos.c: EOS goes downstream behind the last access unit. */
/* @event is EOS. TRUE: it is sent by the source pad's task, so that a slow host delays no caller. */
gboolean vsockenc_eos_defer(GstVsockEnc *self, GstEvent *event);
/* A stream that follows without a flush waits for the end of the one before, which is not sent yet. */
void vsockenc_eos_finish_previous(GstVsockEnc *self);
/* A flush: forget it. Any thread. */
void vsockenc_eos_forget(GstVsockEnc *self);
/* Everything before it is out: now EOS itself, if it was not pushed meanwhile. No lock. */
void vsockenc_eos_push(GstVsockEnc *self);
/* Whether that is going on. With the stream lock. */
gboolean vsockenc_eos_is_pushing(const GstVsockEnc *self);

#endif
