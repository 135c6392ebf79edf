/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gstvsockenc.h - the element's instance, shared by the files that make up the element.
 */
#ifndef GST_VSOCKENC_H
#define GST_VSOCKENC_H

#include <gst/video/gstvideoencoder.h>
#include "colours.h"
#include "../client/picture.h"
#include "settings.h"
#include "../client/stats.h"
#include "../client/stream.h"

GST_DEBUG_CATEGORY_EXTERN(vsockenc_debug);

#define GST_TYPE_VSOCKENC (gst_vsockenc_get_type())
G_DECLARE_FINAL_TYPE(GstVsockEnc, gst_vsockenc, GST, VSOCKENC, GstVideoEncoder)

struct _GstVsockEnc {
    GstVideoEncoder parent;

    /* Properties; with the object lock. */
    guint cid, port;
    char *socket_path;
    VsockSettings settings; /* those that go to the host */
    guint timeout;          /* ms; 0 for ever */
    guint keepalive_time;   /* ms; 0 none */
    gboolean reconnect;
    char *no_gpu;      /* why no DMA-BUF can be named; NULL: it can, or was not tried yet */
    VsockPath path;    /* of the latest picture; VSOCK_N_PATHS: none yet */
    char *path_reason; /* why no better one; NULL: there is none better, or no picture yet */
    VsockStats *stats;
    VsockAgreement agreement; /* latest, for the stats */
    char *unit_doubt;         /* what cannot be meant in kbit/s, and what to set instead; NULL: nothing */
    VsockStream *stream;      /* between start() and stop(); other threads take a reference */
    GstEvent *eos;            /* goes downstream when all before it has */

    GError *gpu_error; /* why source.gpu is NULL, between start() and stop() */
    gint lost_host;    /* atomic: the connection was lost, and the copier not told yet */
    gint relinks;      /* atomic: downstream asked to negotiate again, as a pad does that is linked */
    gint vain_repeats; /* atomic: of which no access unit came, one after the other */

    /* With the encoder's stream lock. */
    VsockPictureSource source; /* its info is the one that pictures go to the host with; */
    GstVideoInfo given_info;   /* this the one that upstream gives them with: other colours, maybe */
    GstVideoCodecFrame *trial; /* whose way the host is to judge; only compared, unless refused */
    char *trial_refusal;       /* then self->trial is owned */
    gboolean ways_changed;     /* what upstream draws in may be of the wrong kind now */
    GstVideoCodecState *input_state;
    guint32 width, height;   /* of the last picture asked for: the coded size follows */
    gboolean live;           /* upstream cannot wait: pictures are dropped rather than held up */
    gboolean force_keyframe; /* the next picture must be an IDR */
    gboolean host_owes;      /* the same, unless the host makes one of a picture under way: no keyframe came of one */
    gboolean keeps_last;     /* for a host that comes back, or until the first access unit came: */
    VsockPicture *last;      /* the latest picture, until upstream gives the next; NULL: none */
    gboolean reconnects;     /* reconnect, as it was at the start */
    guint since_keyframe;    /* pictures since the last forced one */
    gboolean ending;         /* EOS goes downstream, and everything before it has */
    gboolean gave_stats;     /* the message is out and nothing happened since */
    guint errors_in_row;
    guint32 coded_width, coded_height; /* the host's word; 0: rounded up from the picture */
    guint8 sps[3];                     /* profile, constraints, level that downstream was told */
    VsockVui told_vui;                 /* the colours in the output caps */
    GstVideoCodecState *told_input;    /* the input caps that the output caps come from; NULL: none are set */
    GstFlowReturn flow;                /* of the latest push downstream, */
    gint flow_relinks;                 /* which began after so many relinks */
    guint flushes;
    guint latency_frames; /* pictures' time from in to out that is told as latency */
    guint slow_in_row;    /* pictures that took longer */
    char *warned_unit;    /* the latest unit_doubt that was warned of */

    /* With the sink pad's stream lock. */
    gint64 last_pts;         /* makes pts valid and unique where upstream's is not; -1: times begin anew */
    gboolean flushed;        /* upstream gave no picture since */
    gboolean repeating;      /* what is chained is no picture of upstream's, */
    gboolean keeping_alive;  /* and goes to the host also where no keyframe is wanted */
    GstClockTime given_pts;  /* the latest picture's, and */
    GstClockTime given_at;   /* the running time it was given at */
    GstClockTime repeat_pts; /* of the latest repeat; NONE */
};

/* The stream, to be unreffed, or NULL. Any thread. */
VsockStream *vsockenc_ref_stream(GstVsockEnc *self);

/* encode.c: the virtual methods of GstVideoEncoder, and start(), from READY to PAUSED. FALSE: an error was posted. */
gboolean vsockenc_start(GstVideoEncoder *encoder);
gboolean vsockenc_stop(GstVideoEncoder *encoder);
gboolean vsockenc_set_format(GstVideoEncoder *encoder, GstVideoCodecState *state);
GstFlowReturn vsockenc_handle_frame(GstVideoEncoder *encoder, GstVideoCodecFrame *frame);
GstFlowReturn vsockenc_finish(GstVideoEncoder *encoder);
gboolean vsockenc_flush(GstVideoEncoder *encoder);
/* Start the source pad's task, if it does not run. */
void vsockenc_run_output(GstVsockEnc *self);
/* There is no picture to send for @frame (taken over): answered @kind, in its order. A keyframe it owed goes to the
 * next. Stream lock. */
void vsockenc_give_up_frame(GstVsockEnc *self, GstVideoCodecFrame *frame, gboolean forced, VsockAnswerKind kind);

/* configure.c: tell the host what comes and what is asked for. With the stream lock. */
void vsockenc_configure(GstVsockEnc *self);
/* ... what of that cannot be meant in kbit/s; NULL: nothing. To be freed. Any thread. */
char *vsockenc_unit_doubt(GstVsockEnc *self);
/* ... its answer. Without a lock: who watches the properties is told. */
void vsockenc_take_agreement(GstVsockEnc *self, const VsockAnswer *answer);
void vsockenc_take_refusal(GstVsockEnc *self, const VsockAnswer *answer);
/* ... tell the pipeline how long a picture takes. @took_us: the latest; 0 for none. With the stream lock. */
void vsockenc_update_latency(GstVsockEnc *self, gint64 took_us);

/* repeat.c: a keyframe is wanted, of the last picture if no other comes soon. Any thread. */
void vsockenc_want_keyframe(GstVsockEnc *self);
/* ... none came; or, @keepalive, none of any kind for the keepalive time. On the source pad's task, no lock held. */
void vsockenc_repeat(GstVsockEnc *self, gboolean keepalive);
/* ... handle_frame() for what repeat() chains. */
GstFlowReturn vsockenc_handle_repeat(GstVsockEnc *self, GstVideoCodecFrame *frame);
/* ... keeps @picture for a host that comes back, instead of the one before; NULL: none. With the stream lock. */
void vsockenc_keep_last(GstVsockEnc *self, const VsockPicture *picture);
/* ... what is kept by guest-copy is of use to any host by its pixels. With the stream lock. */
void vsockenc_last_as_pixels(GstVsockEnc *self);
/* ... keeps the time of pictures that upstream gives. With the sink pad's stream lock. */
void vsockenc_note_picture(GstVsockEnc *self, GstVideoCodecFrame *frame);
/* encode.c: ask for @picture (taken over; NULL: the last one again). */
void vsockenc_submit(GstVsockEnc *self, GstVideoCodecFrame *frame, VsockPicture *picture);

/* properties.c */
void vsockenc_install_properties(GObjectClass *object_class);

/* So many pictures refused one after the other, or not drawn in time, are no accident any more. */
#define VSOCKENC_MAX_ERRORS_IN_ROW 30

/* encode.c, for paths.c; with the stream lock. Until everything asked so far is answered and pushed; of a live
 * source @ms at most. */
VsockWait vsockenc_drain(GstVsockEnc *self, guint ms);
GstFlowReturn vsockenc_flow_of(const GstVsockEnc *self, VsockWait state);

/* paths.c: bring @frame to the host by the best way there is. Takes the frame over. With the stream lock. */
GstFlowReturn vsockenc_send(GstVsockEnc *self, GstVideoCodecFrame *frame);
/* A host that came back may be another one: it is asked anew what it can read. With the stream lock. */
void vsockenc_forget_host(GstVsockEnc *self);
/* Whether @answer says that the host cannot read pictures by its way. */
gboolean vsockenc_is_of_way(const VsockAnswer *answer);
/* Notes such a refusal. TRUE: somebody waits for it, and the frame is taken back. Source pad's task. */
gboolean vsockenc_trial_refused(GstVsockEnc *self, VsockAnswer *answer);
/* What the properties "path" and "path-reason" say; VSOCK_N_PATHS: none. Any thread, no object lock. */
void vsockenc_set_path(GstVsockEnc *self, VsockPath path, const char *reason);
const char *vsockenc_path_name(VsockPath path);
/* @why nothing goes at all, unless something went already. */
void vsockenc_tell_no_path(GstVsockEnc *self, const char *why);

/* format.c, with the stream lock: make @frame's picture one whose colours the host's SPS is right about. NULL, or why
 * it cannot be. */
GError *vsockenc_fit_colours(GstVsockEnc *self, GstVideoCodecFrame *frame);
/* ... HELIX_CAP_ bits of the hosts that it is right about pictures as they are given now. */
guint32 vsockenc_colours_need(const GstVsockEnc *self);
/* ... from here on pictures are as @caps say, whose info is @info. FALSE: an error was posted. */
gboolean vsockenc_use_caps(GstVsockEnc *self, const GstCaps *caps, const GstVideoInfo *info);
/* The same for a change that the base class does not see: of DRM format, modifier or memory alone. Takes the lock. */
gboolean vsockenc_compare_caps(GstVsockEnc *self, const GstCaps *caps);

/* The property "stats"; freed by the caller. Any thread. */
GstStructure *vsockenc_stats(GstVsockEnc *self);
/* output.c: takes answers and pushes access units, on the source pad's task. */
void vsockenc_output_loop(gpointer element);
/* Everything before EOS is out: now EOS itself, if it was not pushed meanwhile. */
void vsockenc_push_eos(GstVsockEnc *self);
/* Post @error (taken over) as an element error. */
void vsockenc_post_error(GstVsockEnc *self, GError *error);

#endif
