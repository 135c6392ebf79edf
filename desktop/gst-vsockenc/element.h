/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * element.h - the element's instance: its parts, each a struct in a header of its own, which says what guards it. Parts
 * do not reach into one another's fields.
 *
 * Locks, in the order in which they are taken:
 *   sink pad's stream lock   GST_PAD_STREAM_LOCK of the sink pad: held while upstream pushes something
 *   stream lock              GST_VIDEO_ENCODER_STREAM_LOCK: the base class holds it in most virtual methods
 *   object lock              GST_OBJECT_LOCK: properties, and what any thread may read
 * The stream lock is given up while waiting for the host: the source pad's task, which takes the host's answers, needs
 * it.
 */
#ifndef VSOCKENC_ELEMENT_H
#define VSOCKENC_ELEMENT_H

#include <gst/video/gstvideoencoder.h>

GST_DEBUG_CATEGORY_EXTERN(vsockenc_debug);

#define GST_TYPE_VSOCKENC (gst_vsockenc_get_type())
G_DECLARE_FINAL_TYPE(GstVsockEnc, gst_vsockenc, GST, VSOCKENC, GstVideoEncoder)

struct _GstVsockEnc {
    GstVideoEncoder parent;

    /* Each is made with the element and freed with it. */
    struct VsockEncProperties *properties; /* what the application set */
    struct VsockEncClientHandle *handle;   /* the HelixClient, between start and stop */
    struct VsockEncConfig *config;         /* the configuration: sent to the host, and in force */
    struct VsockEncFilmSize *film;         /* the coded size */
    struct VsockEncInput *input;           /* the format of upstream's pictures, from caps */
    struct VsockEncPath *path;             /* dmabuf, guest-copy or pixel-data */
    struct VsockEncKeyframe *keyframe;     /* keyframes that were requested */
    struct VsockEncTimes *times;           /* timestamps of pictures and of repeats */
    struct VsockEncKept *kept;             /* the latest picture, for a host that comes back */
    struct VsockEncRefresh *refresh;       /* repeats of the last picture on a still screen */
    struct VsockEncOutput *output;         /* access units, caps and EOS downstream */
    struct VsockEncLatency *latency;       /* the latency reported to the pipeline */
};

#endif
