/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helix-frame-export.h - the interface of the frame module for QEMU's virtio-gpu.
 *
 * hw/display/virtio-gpu-virgl.c and virtio-gpu.c include this after qemu/osdep.h, and call it when
 * conf.helix_frame_export is set. Everything else is reached at run time, by class pointers and objects.
 */
#ifndef HELIX_FRAME_EXPORT_H
#define HELIX_FRAME_EXPORT_H

typedef struct VirtIOGPU VirtIOGPU;
typedef struct HelixChannel HelixChannel;

/* The default of helix-vsock-port. */
#define HELIX_VSOCK_PORT 5000
/* The defaults of helix-max-*, which limit what a guest may use; stream/host.h has the ranges. Memory is in bytes. */
#define HELIX_MAX_CONNECTIONS 64
#define HELIX_MAX_STREAMS 16
#define HELIX_MAX_IN_FLIGHT 4
#define HELIX_MAX_ENCODERS 0 /* twice the streams */
#define HELIX_MAX_MEMORY (1024ull * 1024 * 1024)

/*
 * Make @g the VM's exporting GPU: check its helix-*= properties, create the host and open its listening socket. FALSE
 * with @errp set: a property has an invalid value, the VM has an exporting GPU already, or the device uses rutabaga.
 * Main loop, BQL held.
 */
bool helix_frame_export_realize(VirtIOGPU *g, Error **errp);

/*
 * The renderer of @g is initialised: serve its resources. @port is not used, as the property helix-vsock-port always
 * has a value; the parameter stays for trees edited by earlier versions. May be called repeatedly, as
 * virtio_gpu_virgl_init() does after each reset. Cannot fail: helix_frame_export_realize() has checked everything, and
 * without it this does nothing. Main loop, BQL held.
 */
void helix_frame_export_init(VirtIOGPU *g, int port);

/* Whether @port is the module's vsock port, also while it takes no connections. Main loop. */
bool helix_frame_export_has_port(uint32_t port);

/*
 * A guest connects to vsock port @port of CID 2. TRUE: it is the module's port, and @channel has a user. FALSE: the
 * caller keeps @channel and resets it; no other service answers a port of the module's. Main loop.
 */
bool helix_frame_export_accept(uint32_t port, HelixChannel *channel);

#endif
