/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * path.h - sending each picture by dmabuf, guest-copy or pixel-data, and the properties "path" and "path-reason".
 *
 * path-selection.h chooses the path. Whether the host can read a copy mode shows with its first answer: send.c waits
 * for that.
 */
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
    HelixClientGpu *gpu; /* NULL: gpu_error says why */
    GError *gpu_error;
    /* With the stream lock. */
    guint buffer_serial;       /* helix_client_buffer_serial() when upstream was last told to negotiate */
    GstVideoCodecFrame *probe; /* the frame whose answer is waited for; only compared */
    char *probe_refusal;       /* the answer, if it was a refusal: the frame was taken back */
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
/* Set both properties. Any thread, no object lock. */
void vsockenc_path_tell(GstVsockEnc *self, HelixClientPath latest, const char *reason);
/* Set path-reason to @why nothing is sent, unless a picture already was. Any thread, no object lock. */
void vsockenc_tell_no_path(GstVsockEnc *self, const char *why);
/* Make upstream negotiate again if the host can read another kind of buffers than before. With the stream lock. */
void vsockenc_path_update_buffers(GstVsockEnc *self);
/* send.c: @event is an ERROR. TRUE: vsockenc_send() waits for it, and its frame was taken back. Source pad's task. */
gboolean vsockenc_path_take_refusal(GstVsockEnc *self, HelixClientEvent *event);

#endif
