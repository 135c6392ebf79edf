/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stats.h - what a stream did, in numbers: how pictures went to the host, what that cost the guest, how long it took.
 *
 * Thread-safe.
 */
#ifndef VSOCKENC_STATS_H
#define VSOCKENC_STATS_H

#include <gst/gst.h>

/* How a picture's pixels come to the host. */
typedef enum VsockPath {
    VSOCK_PATH_DMABUF,     /* by resource id, nothing copied */
    VSOCK_PATH_GUEST_COPY, /* copied once into a virtio-gpu buffer of the element's, then by id */
    VSOCK_PATH_PIXEL_DATA, /* over the connection */
    VSOCK_N_PATHS
} VsockPath;

/* Stages with times. */
typedef enum VsockStage {
    VSOCK_STAGE_FENCE,        /* handed over by upstream to write fence open */
    VSOCK_STAGE_ROUND_TRIP,   /* handed over by upstream to answer here */
    VSOCK_STAGE_HOST_RESOLVE, /* host: request received to picture resolved */
    VSOCK_STAGE_HOST_SUBMIT,  /* host: resolved to handed to the encoder */
    VSOCK_STAGE_HOST_ENCODE,  /* host: in the encoder */
    VSOCK_N_STAGES
} VsockStage;

typedef enum VsockCounter {
    VSOCK_COUNT_FRAMES, /* access units that came back */
    VSOCK_COUNT_KEYFRAMES,
    VSOCK_COUNT_DROPPED, /* pictures without an access unit, for whatever reason */
    VSOCK_COUNT_ERRORS,  /* of these, answered with an error */
    VSOCK_COUNT_SKIPPED, /* of these, never sent: the host was busy until a newer one came */
    VSOCK_COUNT_LATE,    /* of these, never sent: too late for downstream (QoS) */
    VSOCK_COUNT_LOST,    /* of these, under way when the connection was lost */
    VSOCK_COUNT_REPEATS, /* the last picture asked for again, for a keyframe on a still screen */
    VSOCK_COUNT_RECONNECTS,
    VSOCK_COUNT_BYTES_TO_HOST, /* every byte written, headers too */
    VSOCK_COUNT_PIXEL_BYTES,   /* of these, pixels */
    VSOCK_COUNT_BITSTREAM_BYTES,
    VSOCK_COUNT_CPU_BYTES, /* pixel bytes this guest's CPU copied: into the socket, into another layout */
    VSOCK_COUNT_DRAWN,     /* guest-copy pictures that upstream drew into buffers of ours: nothing was copied */
    VSOCK_COUNT_IMPORTS,   /* DMA-BUFs imported into the render node */
    VSOCK_N_COUNTERS
} VsockCounter;

typedef struct VsockStats VsockStats;

/* "dmabuf", "guest-copy", "pixel-data". */
const char *vsock_path_name(VsockPath path);

VsockStats *vsock_stats_new(void);
void vsock_stats_free(VsockStats *stats);
void vsock_stats_reset(VsockStats *stats);
void vsock_stats_count(VsockStats *stats, VsockCounter counter, guint64 n);
void vsock_stats_path(VsockStats *stats, VsockPath path);
void vsock_stats_time(VsockStats *stats, VsockStage stage, gint64 us);
guint64 vsock_stats_get(VsockStats *stats, VsockCounter counter);
/* A structure "vsockenc-stats" with one integer field a number; freed by the caller. */
GstStructure *vsock_stats_structure(VsockStats *stats);

#endif
