/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resource.h - a virtio-gpu resource by its id, and its way to a surface that an encoder thread can read.
 *
 * resource-find.c finds the resource; resource-resolver.c is the HelixResolver: it chooses between texture and guest
 * pages and starts the copy; resource-lifetime.c notices resets and resources that are made again; gpu-state.c enters
 * the GPU under its guard. Everything runs on the main loop with the BQL held unless a comment says otherwise,
 * and nothing of the guest's is referenced after the call that read it.
 */
#ifndef HELIX_RESOURCE_H
#define HELIX_RESOURCE_H

#include "hw/virtio/virtio-gpu.h"
#include "../protocol/error.h"
#include "../frame/resolver.h"

/* A resource that exists, as far as the host knows it. */
typedef struct HelixResource {
    uint32_t id;
    uint32_t texture_id;     /* virglrenderer's; 0: none */
    uint32_t width, height;  /* pixels; 0: a blob, of which the host knows no geometry */
    uint32_t format;         /* of virtio-gpu and virgl, which share the numbers; 0 for a blob */
    bool bottom_up;          /* the texture's first row is the picture's last (Y_0_TOP) */
    bool has_texture;        /* the host has a texture, or the 2D device's image */
    uint64_t blob_size;      /* bytes; 0: not a blob */
    pixman_image_t *image;   /* 2D device */
    const struct iovec *iov; /* guest pages; valid within the current callback of the main loop */
    unsigned iov_cnt;
    uint64_t pages_hash; /* helix_pages_hash(); 0: not computed */
} HelixResource;

/* The resolver of the exporting GPU; its self is the VirtIOGPU. */
extern const HelixResolver helix_resource_resolver;

/* ---- resource-find.c ---- */

/*
 * The resource @id as it is now, with its guest pages and their hash if @pages. False with HELIX_CODE_NOT_FOUND if
 * there is none. Commands that the guest has queued are not processed first.
 */
bool helix_resource_find(VirtIOGPU *g, uint32_t id, bool pages, HelixResource *resource, GError **error);

/* The same without guest pages of a GL device, and without the hash. */
bool helix_resource_describe(VirtIOGPU *g, uint32_t id, HelixResource *resource, GError **error);

/* Point @resource at its guest pages, of a GL device; their number does not matter for the time that takes. */
void helix_resource_find_pages(VirtIOGPU *g, HelixResource *resource);

/* ---- gpu-state.c ---- */

/*
 * Enter and leave @g under its re-entrancy guard, as device-guard.h says; enter returns NULL if it must not be entered.
 * Entered: this module is inside of it.
 */
MemReentrancyGuard *helix_gpu_enter(VirtIOGPU *g);
void helix_gpu_leave(MemReentrancyGuard *guard);
bool helix_gpu_entered(void);

/*
 * @g takes part in look-ups from now on, or no longer: then nothing of it is touched again, and look-ups in progress
 * find no resource. Any thread with the BQL, also inside of a look-up.
 */
void helix_resource_plugged(const VirtIOGPU *g, bool plugged);

/* Whether @g is plugged. False with HELIX_CODE_NOT_FOUND, naming resource @id. */
bool helix_gpu_check_plugged(const VirtIOGPU *g, uint32_t id, GError **error);

/*
 * The GPU was reset (after helix_resource_reset_begins() and _ends()): copies by the GPU are answered. Each read-back
 * in progress ends by itself in a later iteration of the main loop.
 */
void helix_resource_cancel_copies(void);

/* QEMU exits: all look-ups in progress are answered at once. */
void helix_resource_cancel_all(void);

/* QEMU shuts down or exits: when this returns no thread is in GL; textures are read on the main loop until resume. */
void helix_resource_pause(void);

/* The VM runs again: look-ups in progress continue. */
void helix_resource_resume(void);

/* ---- resource-lifetime.c ---- */

/* Observe the commands of @g, the exporting GPU, by its class pointer, until unwatch. */
void helix_resource_watch(VirtIOGPU *g);
void helix_resource_unwatch(void);

/*
 * The GPU's reset begins, and has ended. Any thread with the BQL. A GL device's reset first empties its list of
 * resources, then may let the main loop run (on a vCPU's thread), and only then resets virglrenderer: between the two
 * calls no id is valid and none is found. Read-backs in progress end with HELIX_CODE_NOT_FOUND.
 */
void helix_resource_reset_begins(void);
void helix_resource_reset_ends(void);
bool helix_resource_resetting(void);

#endif
