/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helix-frame-export.h - all that QEMU's virtio-gpu sees of the frame module.
 *
 * hw/display/virtio-gpu-virgl.c and virtio-gpu.c include this, after qemu/osdep.h, and call it when
 * conf.helix_frame_export is set. Everything else hangs on class pointers and objects at run time.
 */
#ifndef HELIX_FRAME_EXPORT_H
#define HELIX_FRAME_EXPORT_H

typedef struct VirtIOGPU VirtIOGPU;
typedef struct HelixChannel HelixChannel;

/* The port the module answers on if helix-vsock-port= says nothing else. */
#define HELIX_VSOCK_PORT 5000
/* What a guest may use of the module if the helix-max-*= properties say nothing else: stream/host.h has the ranges. */
#define HELIX_MAX_CONNECTIONS 64
#define HELIX_MAX_STREAMS 16
#define HELIX_MAX_IN_FLIGHT 4
#define HELIX_MAX_ENCODERS 0 /* twice the streams */
#define HELIX_MAX_MEMORY (1024ull * 1024 * 1024)

/*
 * Make @g the VM's exporting GPU: check its helix-*= properties, make the module and open what it listens on. FALSE
 * with @errp set (main loop, BQL held): a value that can't be used, a second exporting GPU, rutabaga.
 */
bool helix_frame_export_realize(VirtIOGPU *g, Error **errp);

/*
 * @g's renderer is there: serve its resources on vsock port @port (g's helix-vsock-port= property, if set, wins).
 * Main loop, BQL held. May be called again and again, as virtio_gpu_virgl_init() does after every reset. Cannot fail:
 * whatever could was checked by helix_frame_export_realize(), without which this does nothing.
 */
void helix_frame_export_init(VirtIOGPU *g, int port);

/* Is @port the module's vsock port, whether or not it takes connections at the moment? Main loop. */
bool helix_frame_export_has_port(uint32_t port);

/*
 * A guest connected to vsock port @port of CID 2. TRUE if that is the module's port and it took the connection over;
 * FALSE leaves @channel with the caller, which resets it: no other service answers a port of the module. Main loop.
 */
bool helix_frame_export_accept(uint32_t port, HelixChannel *channel);

#endif
