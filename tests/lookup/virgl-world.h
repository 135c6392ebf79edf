/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virgl-world.h - a real virglrenderer on Mesa without a screen, and resources in it as QEMU would have made them. */
#ifndef HELIX_TEST_VIRGL_WORLD_H
#define HELIX_TEST_VIRGL_WORLD_H

#include "qemu-rig.h"

/* False: this machine's EGL can't draw without a screen. Once in a program. */
bool virgl_world_start(void);

/*
 * What virgl's command to make a resource says; 0 for a depth or an array of one, and for what a buffer or a texture is
 * mostly bound to. @level is the last mipmap.
 */
typedef struct VirglWanted {
    uint32_t target, format, width, height, samples, flags, depth, array, bind, level;
} VirglWanted;

enum {
    BUFFER = 0,
    TEXTURE_1D = 1,
    TEXTURE_2D = 2,
    TEXTURE_3D = 3,
    TEXTURE_CUBE = 4,
    TEXTURE_RECT = 5,
    TEXTURE_1D_ARRAY = 6,
    TEXTURE_2D_ARRAY = 7,
    TEXTURE_CUBE_ARRAY = 8
};

/* Resource @id, in @g's list too; @entry is the caller's. False: virglrenderer makes none. */
bool virgl_world_create(VirtIOGPU *g, struct virtio_gpu_simple_resource *entry, uint32_t id, const VirglWanted *wanted);
/*
 * The same as a blob: of the guest's memory @iov without @wanted, else what @wanted says, made by a command of a
 * context of virgl's. @mem is VIRGL_RENDERER_BLOB_MEM_.
 */
bool virgl_world_create_blob(VirtIOGPU *g, struct virtio_gpu_simple_resource *entry, uint32_t id, uint32_t mem,
                             const VirglWanted *wanted, const struct iovec *iov, uint32_t iov_cnt);
void virgl_world_destroy(VirtIOGPU *g, struct virtio_gpu_simple_resource *entry);

/* Put @pixels, four bytes each, top row first, into all of a texture. */
void virgl_world_write(uint32_t id, uint32_t width, uint32_t height, uint8_t *pixels);

/* What the next readings of virglrenderer do: as it is; write @virgl_world_rows rows at most and say that all is well;
 * leave GL an error. */
typedef enum VirglReads { READS_RIGHT, READS_LESS, READS_WITH_ERROR } VirglReads;

extern VirglReads virgl_world_reads;
extern uint32_t virgl_world_rows;

#endif
