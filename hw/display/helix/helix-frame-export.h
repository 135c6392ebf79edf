/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helix-frame-export.h - all that QEMU's virtio-gpu sees of the frame module.
 *
 * hw/display/virtio-gpu-virgl.c and virtio-gpu.c include this and call helix_frame_export_init() when
 * conf.helix_frame_export is set. Everything else hangs on class pointers and objects at run time.
 */
#ifndef HELIX_FRAME_EXPORT_H
#define HELIX_FRAME_EXPORT_H

typedef struct VirtIOGPU VirtIOGPU;
typedef struct HelixChannel HelixChannel;

/* The port the module answers on if helix-vsock-port= says nothing else. */
#define HELIX_VSOCK_PORT 5000

/*
 * Serve @g's resources on vsock port @port (g's helix-vsock-port= property, if set, wins). Main loop, BQL held. The first
 * call starts the module; a further one, as virtio_gpu_virgl_init() makes after every reset, only tells it that the
 * renderer is there again. Cannot fail: whatever could was checked when the device was realized.
 */
void helix_frame_export_init(VirtIOGPU *g, int port);

/*
 * A guest connected to vsock port @port of CID 2. TRUE if that is the module's port and it took the connection over;
 * FALSE leaves @channel with the caller. Main loop.
 */
bool helix_frame_export_accept(uint32_t port, HelixChannel *channel);

#endif
