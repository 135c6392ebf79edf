/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frame.h - what a request says of a frame: a resource id, or pixels in the protocol's layout.
 *
 * A frame does not change once it is submitted. The connection's thread holds a reference until it is sent, and the
 * request one until the host has read it, if it is read by id.
 */
#ifndef HELIX_CLIENT_FRAME_H
#define HELIX_CLIENT_FRAME_H

#include "layout.h"
#include "wire.h"

/* How the host reads a buffer of the library's, best first. */
typedef enum ClientCopyMode {
    CLIENT_COPY_BLOB,    /* a guest blob, read where it lies */
    CLIENT_COPY_PAGES,   /* a resource, its pages read */
    CLIENT_COPY_TEXTURE, /* a resource, its pages copied into its texture first: for hosts without CAP_EXT */
    CLIENT_N_COPY_MODES
} ClientCopyMode;

struct HelixClientFrame {
    gatomicrefcount refs;
    HelixClientPath path;
    guint32 fourcc, width, height, stride; /* after cropping */
    /* by resource id */
    guint32 resource_id;           /* with snapshot: its number */
    HelixClientSnapshot *snapshot; /* NULL: a resource */
    guint8 source;                 /* HELIX_SOURCE_ */
    guint8 planes;
    guint32 crop_x, crop_y, res_width, res_height;
    guint32 offset[2], stride_of[2];
    guint64 modifier;
    int fence_fd;              /* wait for this to poll readable before the host is told; -1: nothing to wait for */
    HelixClientBuffer *buffer; /* GUEST_COPY */
    ClientCopyMode mode;       /* GUEST_COPY */
    gboolean unverified;       /* the host has not shown yet that it can read it in this mode */
    gboolean drawn;            /* GUEST_COPY: nothing was copied */
    gboolean again;            /* it was given to another host before: a refusal ends nothing */
    guint32 needs;             /* HELIX_CAP_ bits that frame_require() added, and the copy mode's */
    /* by pixels */
    struct {
        const void *data;
        gsize len;
    } part[4];
    guint n_parts;
    guint32 pixel_bytes; /* sum of the parts */
    guint64 cpu_bytes;   /* copied by this CPU, the copy into the socket included */
    guint8 *repacked;    /* what part points into, if that is the library's */
    GDestroyNotify release;
    gpointer release_data;
};

/* One reference; path and the rest are the caller's to fill. */
HelixClientFrame *client_frame_new(HelixClientPath path);
/* The part @rect of a picture of @width by @height that lies as @layout says. */
void client_frame_describe(HelixClientFrame *frame, const ClientRect *rect, const ClientLayout *layout, guint32 width,
                           guint32 height);
/* What is said of @frame on the wire; flags, times and force_keyframe are the caller's to add. */
void client_frame_to_wire(const HelixClientFrame *frame, ClientWireRequest *wire);
/* pixels.c: @frame's pixels in memory of its own, to be filled; NULL: no memory. */
guint8 *client_frame_add_pixels(HelixClientFrame *frame, const ClientLayout *layout);

#endif
