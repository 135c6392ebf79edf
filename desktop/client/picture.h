/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * picture.h - from a GstBuffer to what a request can say: a resource id, or pixels in the wire's layout.
 *
 * Best first: the id of upstream's own DMA-BUF; the id of a buffer of ours that upstream drew into or that the picture
 * is copied to (copier.h); the pixels themselves.
 */
#ifndef VSOCKENC_PICTURE_H
#define VSOCKENC_PICTURE_H

#include <gst/video/video.h>
#include "copier.h"
#include "layout.h"
#include "resource.h"
#include "stats.h"

/* DRM_FORMAT_MOD_INVALID: the driver knows the layout (plain memory:DMABuf caps). */
#define VSOCK_MODIFIER_IMPLICIT G_GUINT64_CONSTANT(0x00ffffffffffffff)

typedef struct VsockPicture {
    VsockPath path;
    guint32 fourcc, width, height, stride; /* after cropping */
    /* by resource id */
    guint32 resource_id;
    guint8 source; /* HELIX_SOURCE_ */
    guint8 planes;
    guint32 crop_x, crop_y, res_width, res_height;
    guint32 offset[2], stride_of[2];
    guint64 modifier;
    int fence_fd;      /* wait for this to poll readable before the host is told; -1: nothing to wait for */
    GstBuffer *buffer; /* the picture's memory, held until the host has read it; or */
    GstMemory *memory; /* of a DMA-BUF that upstream may have back meanwhile: the id stays this memory's */
    guint32 needs;     /* see vsock_picture_needs() */
    VsockWay way;      /* GUEST_COPY */
    gboolean trial;    /* the host has not shown yet that it can read it this way: it may refuse, and no harm done */
    gboolean drawn;    /* GUEST_COPY: upstream drew into a buffer of ours, nothing was copied */
    gboolean again;    /* it was given to another host before: a refusal ends nothing */
    /* by pixels */
    struct {
        const void *data;
        gsize len;
    } part[4];
    guint n_parts;
    guint32 pixel_bytes; /* sum of the parts */
    guint64 cpu_bytes;   /* copied by this CPU, the copy into the socket included */
    GstVideoFrame *map;  /* what part points into; or */
    guint8 *repacked;
} VsockPicture;

/* What does not change from picture to picture. */
typedef struct VsockPictureSource {
    VsockGpu *gpu; /* NULL: no DMA-BUF can be named; gpu_error says why */
    const GError *gpu_error;
    VsockCopier *copier; /* NULL: no buffers of ours; for the same reason */
    GstVideoInfo info;   /* from caps; DMA_DRM already turned into its format */
    gboolean dmabuf_caps;
    guint64 modifier;
} VsockPictureSource;

/*
 * NULL with an error of GST_STREAM_ERROR or GST_RESOURCE_ERROR that says what to insert or allow. @capabilities: the
 * host's HELIX_CAP_ bits. @why, if not NULL, receives why no better way was taken (to be freed), or NULL if there is no
 * better one.
 */
VsockPicture *vsock_picture_new(const VsockPictureSource *source, GstBuffer *buffer, guint32 capabilities,
                                VsockStats *stats, char **why, GError **error);
void vsock_picture_free(VsockPicture *picture);
/* HELIX_CAP_ bits without which a host cannot read it. */
guint32 vsock_picture_needs(const VsockPicture *picture);
/*
 * The same picture once more, for a host that comes later: holds its buffer of guest-copy, or a copy of its pixels; of
 * a DMA-BUF the memory, not the buffer, which a pool may want for the next picture. NULL: no memory.
 */
VsockPicture *vsock_picture_again(const VsockPicture *picture);

/* Size of @buffer's picture after its crop meta. */
void vsock_picture_size(const GstVideoInfo *info, GstBuffer *buffer, guint32 *width, guint32 *height);

#endif
