/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copier.h - guest-copy: pictures in plain memory come into virtio-gpu buffers of the element's own by one copy, or
 * none if upstream drew into one, and the host reads them there by resource id.
 *
 * How the host reads such a buffer depends on the GPU and on the host; what can work is tried in order, best first, and
 * the host's word on the first picture is waited for. One thread at a time.
 */
#ifndef VSOCKENC_COPIER_H
#define VSOCKENC_COPIER_H

#include <gst/video/video.h>
#include "node.h"
#include "pool.h"

typedef struct VsockCopier VsockCopier;
typedef struct VsockPicture VsockPicture;

typedef enum VsockWay {
    VSOCK_WAY_BLOB,    /* a guest blob, read where it lies */
    VSOCK_WAY_PAGES,   /* a classic resource, its pages read */
    VSOCK_WAY_TEXTURE, /* a classic resource, its pages copied into its texture first: for hosts of the first days */
    VSOCK_N_WAYS
} VsockWay;

VsockCopier *vsock_copier_new(VsockNode *node);
void vsock_copier_free(VsockCopier *copier);

/*
 * Bring @buffer into a buffer of ours, if it is not one. NULL without @error: there is no way with this host, format
 * and GPU (vsock_copier_why_not() has the reasons); NULL with an error of vsock_frame_map()'s: @buffer cannot be read.
 */
VsockPicture *vsock_copier_picture(VsockCopier *copier, const GstVideoInfo *info, GstBuffer *buffer,
                                   guint32 capabilities, GError **error);
/* What the host made of the first picture that went by @way. */
void vsock_copier_accepted(VsockCopier *copier, VsockWay way);
void vsock_copier_refused(VsockCopier *copier, VsockWay way, const char *message);
/* Another host may make something else of it. TRUE: a way that was refused is open again. */
gboolean vsock_copier_forget(VsockCopier *copier);
/* Why each way that was not taken was not. To be freed. */
char *vsock_copier_why_not(VsockCopier *copier, GstVideoFormat format, guint32 capabilities);
const char *vsock_way_name(VsockWay way);

/* A pool for upstream to draw in, not configured yet; NULL if pictures of @info would not go this way. */
GstBufferPool *vsock_copier_pool(VsockCopier *copier, const GstVideoInfo *info, guint32 capabilities);

#endif
