/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * buffer.h - pictures in virtio-gpu resources of every kind a guest can make, as DMA-BUFs with a resource id.
 *
 * Every function that can fail returns 0 or -1 after printing what failed to stderr.
 */
#ifndef HELIX_TEST_BUFFER_H
#define HELIX_TEST_BUFFER_H

#include <stdbool.h>
#include <stdint.h>

typedef enum BufferKind {
    BUFFER_GL,      /* GBM buffer, drawn by the GPU: the texture is right, the pages are not */
    BUFFER_CLASSIC, /* RESOURCE_CREATE on the render node, painted by the CPU, transferred */
    BUFFER_DUMB,    /* CREATE_DUMB on the card node, painted by the CPU, transferred unless it is a blob */
    BUFFER_BLOB,    /* guest memory only: painted by the CPU, nothing to transfer */
} BufferKind;

typedef struct Gpu {
    int render; /* fd of virtio_gpu's render node */
    int card;   /* of its card node, or -1 */
    int import; /* an own open of the render node, for looking up resource ids */
    char render_path[64];
    bool has_3d, has_blob;
    struct GlState *gl; /* NULL until the first BUFFER_GL */
} Gpu;

typedef struct Buffer {
    Gpu *gpu;
    BufferKind kind;
    int width, height; /* pixels of the resource */
    uint32_t fourcc, stride;
    uint32_t offset; /* bytes before the first row */
    uint32_t chroma; /* NV12: where the second plane starts */
    uint32_t handle; /* on gpu->render or gpu->card */
    uint32_t resource_id, blob_mem;
    uint64_t size;
    int dmabuf;
    uint8_t *map; /* CPU's view; NULL for BUFFER_GL */
    struct GlBuffer *gl;
} Buffer;

typedef struct BufferSpec {
    BufferKind kind;
    int width, height;
    uint32_t fourcc;  /* 0: XR24; NV12 for BUFFER_BLOB only */
    uint32_t padding; /* BUFFER_BLOB: bytes behind each row */
    uint32_t offset;  /* BUFFER_BLOB: bytes before the first row; NV12: between the planes too */
} BufferSpec;

/* Where in the resource the drawing goes; what lies outside becomes a picture of its own (a decoy). */
typedef struct BufferArea {
    int x, y, width, height;
} BufferArea;

int gpu_open(Gpu *gpu);
void gpu_close(Gpu *gpu);
/*
 * Wait until the device has carried out all that was asked before. A 2D device's TRANSFER_TO_HOST has no fence of its
 * own: this is for tests that need the texture to stay as it is while the pages change, not for what the host must get
 * right by itself.
 */
int gpu_settle(Gpu *gpu);

int buffer_new(Gpu *gpu, const BufferSpec *spec, Buffer *buffer);
/* A BUFFER_CLASSIC of any size with @backing bytes of guest memory, too few to draw into: the host's texture is what
 * counts. */
int buffer_new_unbacked(Gpu *gpu, int width, int height, uint32_t backing, Buffer *buffer);
void buffer_free(Buffer *buffer);

/* Paint drawing @number (pattern.h) into @area. With the CPU: into the pages only. */
int buffer_draw(Buffer *buffer, unsigned number, const BufferArea *area);
/* Make the host's texture equal to the pages, where there is one and the CPU painted. */
int buffer_upload(Buffer *buffer);
/* Wait until the GPU has finished writing (5 s at most). */
int buffer_wait(Buffer *buffer);
/* Compare what the GPU drew with the drawing, read back by the GPU (BUFFER_GL) */
int buffer_verify(Buffer *buffer, unsigned number, const BufferArea *area);

bool fourcc_red_first(uint32_t fourcc);

#endif
