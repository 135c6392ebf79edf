/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * texture-hooks.h - parts of the look-up that depend on GL, virglrenderer or macOS. Each registers itself by
 * type_init(); the GL device of QEMU, and these parts with it, may be a module. A pointer is NULL where its part is not
 * built or not loaded. Main loop, BQL held.
 */
#ifndef HELIX_TEXTURE_HOOKS_H
#define HELIX_TEXTURE_HOOKS_H

#include "resource.h"

/* virgl-resource.c: what virglrenderer knows of a resource. */
typedef struct HelixTextureReader {
    /* Fill in what virglrenderer knows. False: the renderer is not initialised, or knows no such resource. */
    bool (*describe)(VirtIOGPU *g, HelixResource *resource);
    /* Point @resource at the guest pages that virglrenderer has for it; it is unchanged if there are none. */
    void (*find_pages)(VirtIOGPU *g, HelixResource *resource);
    /*
     * Read @width x @rows pixels at @x, @y of the texture to @to, rows @stride bytes apart: four bytes a pixel, top row
     * first, in the resource's format. False with HELIX_CODE_NOT_READABLE: the texture is not 2D or is multisampled, or
     * GL fails; with HELIX_CODE_INTERNAL: out of memory. True does not guarantee that every pixel was written: see
     * helix_texture_read().
     */
    bool (*read)(VirtIOGPU *g, const HelixResource *resource, uint32_t x, uint32_t y, uint32_t width, uint32_t rows,
                 uint8_t *to, uint32_t stride, GError **error);
} HelixTextureReader;

extern const HelixTextureReader *helix_texture_reader;

/* Rows of a texture, to be read by the read-back thread. */
typedef struct HelixReadbackOrder {
    uint32_t texture;           /* GL name in virglrenderer's context */
    bool red_first;             /* bytes RGBx, else BGRx */
    uint32_t x, y, width, rows; /* pixels, within the texture, its first row first */
    uint8_t *to;                /* @rows of @stride bytes, owned by the caller until @done; padding is cleared */
    uint32_t stride;            /* bytes, a multiple of 4, at least @width * 4 */
    void (*done)(void *data, bool good); /* called later on the main loop */
    void *data;
} HelixReadbackOrder;

/* A picture of a texture that the read-back thread has the GPU convert to NV12. */
typedef struct HelixConvertOrder {
    uint32_t texture;                   /* GL name in virglrenderer's context */
    bool bottom_up;                     /* its first row is the picture's last */
    uint32_t x, y, width, height;       /* pixels from the top left corner */
    uint32_t coded_width, coded_height; /* even; the picture is scaled to them */
    HelixSurfacePool *pool;             /* its limit counts the result */
    /* Called later on the main loop; takes @surface over. NULL: the GPU did not convert it. */
    void (*done)(void *data, HelixSurface *surface);
    void *data;
} HelixConvertOrder;

/* readback-thread.c: a thread with a GL context of its own. */
typedef struct HelixReadbackThread {
    /* The renderer of @g may be initialised now: create the context and the thread before there is a picture. */
    void (*prepare)(VirtIOGPU *g);
    /* Queue @order. False: it can't be read by the thread, and done is not called. */
    bool (*begin)(const HelixReadbackOrder *order);
    /* The same for a conversion. False also where the CPU was measured to be faster, or nothing was measured yet. */
    bool (*convert)(const HelixConvertOrder *order);
    /*
     * QEMU may exit and tear down GL: wait until the thread is outside of GL, two seconds at most. Orders that were not
     * read are answered as not good; further ones are refused until resume.
     */
    void (*pause)(void);
    /* The VM runs: QEMU did not exit. */
    void (*resume)(void);
    /* Textures read so far. */
    uint64_t (*count)(void);
} HelixReadbackThread;

extern const HelixReadbackThread *helix_readback_thread;

/* texture-copy-apple.c: a copy into an IOSurface by the GPU. */
typedef struct HelixTextureCopier {
    /*
     * Begin to copy @picture from the texture of resource @id. True: @done was or will be called, as HelixResolver
     * says. False with HELIX_ERROR: this texture can't be copied by the GPU, and @done was not called.
     */
    bool (*copy)(uint32_t id, const HelixPicture *picture, const HelixCaptureTarget *target, HelixResolved done,
                 gpointer data, GError **error);
    /* The GPU was reset, or QEMU exits: answer copies in progress, free what was made with the renderer's context. */
    void (*reset)(void);
} HelixTextureCopier;

extern const HelixTextureCopier *helix_texture_copier;

/*
 * guest-fence-poll.c: poll the fences of @g, a GL device, every millisecond while @wanted() and a fence is open; with a
 * NULL
 * @g no longer.
 */
extern void (*helix_fence_watch)(VirtIOGPU *g, bool (*wanted)(void));

/*
 * measure/: is offered each texture before it is copied or read back: @resource has one, and @picture lies within it.
 * True: it has called @done, once. NULL but in builds that measure.
 */
typedef bool (*HelixTextureFilter)(const HelixResource *resource, const HelixPicture *picture,
                                   const HelixCaptureTarget *target, HelixResolved done, gpointer data);

extern HelixTextureFilter helix_texture_filter;

#endif
