/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resource.h - from a virtio-gpu resource id to a surface: what the look-up's parts know of each other.
 *
 * resource.c decides what is read and checks the geometry; resource-pages.c copies guest pages and QEMU's own 2D
 * images; resource-virgl.c, which may be in a module, asks virglrenderer. All on the main loop with the BQL held, and
 * nothing of the guest's is referenced after the call that read it.
 */
#ifndef HELIX_RESOURCE_H
#define HELIX_RESOURCE_H

#include "hw/virtio/virtio-gpu.h"
#include "../core/error.h"
#include "../core/picture.h"

/* The order of a 32-bit pixel's bytes in memory: what to do to have one of the wire's formats. */
typedef struct HelixPixelLayout {
    uint32_t fourcc;            /* HELIX_FORMAT_ that it is, or becomes by moving bytes; 0: can't be read */
    uint8_t byte[4];            /* where the fourcc's bytes are found; 0 1 2 3 if nothing is to be moved */
} HelixPixelLayout;

/* A resource that exists, as far as the host knows it. */
typedef struct HelixResource {
    uint32_t id;
    uint32_t width, height;     /* 0: a blob, of which the host knows no geometry */
    uint32_t format;            /* of virtio-gpu and virgl, which share the numbers; 0 for a blob */
    bool has_texture;           /* the host has a texture, or the 2D device's image */
    uint64_t blob_size;         /* bytes; 0: not a blob */
    pixman_image_t *image;      /* 2D device */
    const struct iovec *iov;    /* guest pages, mapped only until the main loop goes on */
    unsigned iov_cnt;
} HelixResource;

/* What the GL device adds; registered by resource-virgl.c when it is loaded. */
typedef struct HelixTextureReader {
    /* Fill in what virglrenderer knows. FALSE: the renderer is not up, or knows no such resource. */
    bool (*describe)(VirtIOGPU *g, HelixResource *resource);
    /* Point @resource at the guest pages of a classic resource; leaves it alone if there are none. */
    void (*find_pages)(VirtIOGPU *g, HelixResource *resource);
    /* Fill @surface from @x, @y of the texture on: four bytes a pixel, top row first, in the resource's format. */
    bool (*read)(VirtIOGPU *g, const HelixResource *resource, uint32_t x, uint32_t y, HelixSurface *surface,
                 GError **error);
} HelixTextureReader;

extern const HelixTextureReader *helix_texture_reader;

/* What a host adds whose GPU brings a texture to the encoder by itself; NULL where there is none. On macOS: resource-apple.c. */
typedef struct HelixTextureCopier {
    /*
     * Begin to bring @picture out of the texture of resource @id. True: @done is or will be called, as HelixResolver says. False
     * with HELIX_ERROR: it does not take this one, and nothing was called.
     */
    bool (*copy)(uint32_t id, const HelixPicture *picture, HelixResolved done, gpointer data, GError **error);
    /* The GPU was reset, or QEMU exits: answer what is under way, let go of what was made with the renderer's context. */
    void (*reset)(void);
} HelixTextureCopier;

extern const HelixTextureCopier *helix_texture_copier;

/* The resolver of the exporting GPU; its self is the VirtIOGPU. */
extern const HelixResolver helix_resource_resolver;

/* The GPU was reset, or QEMU exits: looks up under way on the GPU are answered. */
void helix_resource_reset(void);

/* The memory layout of virtio-gpu (and virgl) format @format. */
HelixPixelLayout helix_pixel_layout(uint32_t format);

/* The error for a resource whose format has no layout. */
void helix_set_unreadable(const HelixResource *resource, GError **error);

/* Put the bytes of every pixel of @surface into the order its fourcc says. */
void helix_pixels_reorder(HelixSurface *surface, const HelixPixelLayout *layout);

/*
 * Copy @picture out of the guest pages (or the blob) of @resource into a surface of @pool. NULL with HELIX_ERROR:
 * HELIX_CODE_GEOMETRY if it does not lie within them, HELIX_CODE_NOT_READABLE for a format without rows of pixels.
 */
HelixSurface *helix_pages_read(const HelixResource *resource, const HelixPicture *picture, HelixSurfacePool *pool,
                               GError **error);

/* Copy @surface's size at @x, @y out of a 2D resource's host image, whose bounds the caller has checked. */
void helix_image_read(const HelixResource *resource, uint32_t x, uint32_t y, HelixSurface *surface);

#endif
