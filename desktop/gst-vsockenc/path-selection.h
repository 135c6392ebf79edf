/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * path-selection.h - from a GstBuffer to a frame of libhelix-client: the choice between dmabuf, guest-copy and
 * pixel-data.
 *
 * Best first: the resource id of upstream's own DMA-BUF (dmabuf); the id of a virtio-gpu buffer that upstream drew into
 * or that the picture is copied to (guest-copy); the pixels themselves (pixel-data). No state: any thread.
 */
#ifndef VSOCKENC_PATH_SELECTION_H
#define VSOCKENC_PATH_SELECTION_H

#include <gst/video/video.h>
#include "../client/helix-client.h"

/* What does not change from frame to frame. */
typedef struct VsockEncFrameSource {
    HelixClient *client;
    const GError *gpu_error; /* why the client has no virtio-gpu; NULL: it has one */
    GstVideoInfo info;       /* from caps; DMA_DRM already turned into its format */
    gboolean dmabuf_caps;
    guint64 modifier;
} VsockEncFrameSource;

/*
 * NULL with an error of GST_STREAM_ERROR or GST_RESOURCE_ERROR that says what to insert or allow. @why receives why no
 * better path was taken (to be freed), or NULL if there is no better one.
 */
HelixClientFrame *vsockenc_frame_new(const VsockEncFrameSource *source, GstBuffer *buffer, char **why, GError **error);

#endif
