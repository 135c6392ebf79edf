/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* path.h - the path each picture takes to the host, probed where only the host can say, and told in two properties. */
#ifndef VSOCKENC_PATH_H
#define VSOCKENC_PATH_H

#include "../client/helix-client.h"
#include "element.h"

typedef struct VsockEncPath {
    /* With the object lock. */
    HelixClientPath latest; /* of the latest picture; HELIX_CLIENT_N_PATHS: none yet */
    char *reason;           /* why no better one; NULL: there is none better, or no picture yet */
    char *no_gpu;           /* why no DMA-BUF can be named; NULL: it can, or was not tried yet */
    /* Between start and stop; set by these alone. */
    HelixClientGpu *gpu; /* NULL: see */
    GError *gpu_error;
    /* With the stream lock. */
    guint buffer_serial;       /* helix_client_buffer_serial() when upstream was last told to negotiate */
    GstVideoCodecFrame *probe; /* the host's answer to it is waited for; only compared */
    char *probe_refusal;       /* it came, and was a refusal: the frame is taken back */
} VsockEncPath;

void vsockenc_path_init(GstVsockEnc *self);
void vsockenc_path_finalize(GstVsockEnc *self);
/* Open the virtio-gpu, if there is one, for @client. */
void vsockenc_path_open(GstVsockEnc *self, HelixClient *client);
void vsockenc_path_close(GstVsockEnc *self);

/* Why no DMA-BUF can be named, to be freed, or NULL. Any thread. */
char *vsockenc_path_dup_no_gpu(GstVsockEnc *self);
/* A pool of buffers that the host can read, for upstream to draw pictures of @info in; NULL: none. */
GstBufferPool *vsockenc_path_new_pool(GstVsockEnc *self, const GstVideoInfo *info);
/* The properties "path" and "path-reason" (to be freed). Any thread. */
const char *vsockenc_path_get_name(GstVsockEnc *self);
char *vsockenc_path_dup_reason(GstVsockEnc *self);
/* What they say from here on. Any thread, no object lock. */
void vsockenc_path_tell(GstVsockEnc *self, HelixClientPath latest, const char *reason);
/* @why nothing goes at all, unless something went already. Any thread, no object lock. */
void vsockenc_tell_no_path(GstVsockEnc *self, const char *why);

/* Bring @frame to the host by the best path there is. Takes the frame over. With the stream lock. */
GstFlowReturn vsockenc_send(GstVsockEnc *self, GstVideoCodecFrame *frame);
/* Upstream negotiates again if other buffers than before can be read by the host. With the stream lock. */
void vsockenc_path_update_buffers(GstVsockEnc *self);
/* @event is an ERROR. TRUE: send() waits for it, and has taken the frame back. Source pad's task. */
gboolean vsockenc_path_take_refusal(GstVsockEnc *self, HelixClientEvent *event);

#endif
