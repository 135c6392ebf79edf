/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resource.h - from a virtio-gpu resource id to a surface: what the look-up's parts know of each other.
 *
 * resource-lookup.c finds the resource and decides what is read; readback.c reads it, a band in each turn of the main
 * loop, or has readback-thread.c read it, which has a thread and a GL context for that; guest-pages.c copies guest
 * pages and QEMU's own 2D images; virgl-resource-lookup.c, which may be in a module, asks virglrenderer; resource-lifetime.c
 * notices what is made and reset meanwhile. All else is on the main loop with the BQL held, and nothing of the guest's
 * is referenced after the call that read it.
 */
#ifndef HELIX_RESOURCE_H
#define HELIX_RESOURCE_H

#include "hw/virtio/virtio-gpu.h"
#include "../protocol/error.h"
#include "../frame/picture.h"

/* The order of a 32-bit pixel's bytes in memory: what to do to have one of the wire's formats. */
typedef struct HelixPixelLayout {
    uint32_t fourcc; /* HELIX_FORMAT_ that it is, or becomes by moving bytes; 0: can't be read */
    uint8_t byte[4]; /* where the fourcc's bytes are found; 0 1 2 3 if nothing is to be moved */
} HelixPixelLayout;

/* A resource that exists, as far as the host knows it. */
typedef struct HelixResource {
    uint32_t id;
    uint32_t texture_id;     /* virglrenderer's; 0: none */
    uint32_t width, height;  /* 0: a blob, of which the host knows no geometry */
    uint32_t format;         /* of virtio-gpu and virgl, which share the numbers; 0 for a blob */
    bool bottom_up;          /* the texture's first row is the picture's last (Y_0_TOP) */
    bool has_texture;        /* the host has a texture, or the 2D device's image */
    uint64_t blob_size;      /* bytes; 0: not a blob */
    pixman_image_t *image;   /* 2D device */
    const struct iovec *iov; /* guest pages, mapped only until the main loop goes on */
    unsigned iov_cnt;
    uint64_t pages_hash; /* of where they are; 0: not looked at */
} HelixResource;

/* One plane of a picture in guest pages. */
typedef struct HelixPlane {
    uint64_t start;  /* bytes from the resource's first to the crop's first */
    uint64_t stride; /* bytes */
    uint32_t row_bytes, rows;
} HelixPlane;

/* What the GL device adds; registered by virgl-resource-lookup.c when it is loaded. */
typedef struct HelixTextureReader {
    /* Fill in what virglrenderer knows. FALSE: the renderer is not up, or knows no such resource. */
    bool (*describe)(VirtIOGPU *g, HelixResource *resource);
    /* Point @resource at the guest pages that virglrenderer has for it now; leaves it alone if there are none. */
    void (*find_pages)(VirtIOGPU *g, HelixResource *resource);
    /*
     * Read @width x @rows at @x, @y of the texture to @to, rows @stride bytes apart: four bytes a pixel, top row first,
     * in the resource's format. False with HELIX_CODE_NOT_READABLE: it has not two dimensions and one sample, or GL
     * fails; HELIX_CODE_INTERNAL: memory is short. True does not say that all was written: helix_texture_read().
     */
    bool (*read)(VirtIOGPU *g, const HelixResource *resource, uint32_t x, uint32_t y, uint32_t width, uint32_t rows,
                 uint8_t *to, uint32_t stride, GError **error);
} HelixTextureReader;

extern const HelixTextureReader *helix_texture_reader;

/* Some rows of a texture, to be read by another thread. */
typedef struct HelixTextureOrder {
    uint32_t texture;                    /* of GL, in virglrenderer's context */
    bool red_first;                      /* bytes RGBx, else BGRx */
    uint32_t x, y, width, rows;          /* within the texture, its first row first */
    uint8_t *to;                         /* room for @rows of @stride bytes, until @done; their ends are cleared */
    uint32_t stride;                     /* bytes, a multiple of 4, @width * 4 at least */
    void (*done)(void *data, bool good); /* on the main loop, later */
    void *data;
} HelixTextureOrder;

/* Where the host's GL allows it; registered by readback-thread.c. Called on the main loop. */
typedef struct HelixTextureThread {
    /* The renderer of @g may be there now: what takes time is done before there is a picture. */
    void (*prepare)(VirtIOGPU *g);
    /* False: it can't, and nothing is called. */
    bool (*begin)(const HelixTextureOrder *order);
    /*
     * QEMU may exit, and GL with it: waits until the thread is not in GL, unless the GPU does not finish. What it has
     * not read comes back as not good. Orders are refused until resume.
     */
    void (*pause)(void);
    /* The VM runs: QEMU did not exit. */
    void (*resume)(void);
    /* Textures read so far. */
    uint64_t (*count)(void);
} HelixTextureThread;

extern const HelixTextureThread *helix_texture_thread;

/*
 * See to it that the fences of @g, a GL device, are noticed soon while @wanted(); NULL: no more. Main loop. Registered
 * by fence-poll.c.
 */
extern void (*helix_fence_watch)(VirtIOGPU *g, bool (*wanted)(void));

/* What a host adds whose GPU brings a texture to the encoder by itself; NULL where there is none. On macOS:
 * texture-copy-apple.c. */
typedef struct HelixTextureCopier {
    /*
     * Begin to bring @picture out of the texture of resource @id. True: @done is or will be called, as HelixResolver
     * says. False with HELIX_ERROR: it does not take this one, and nothing was called.
     */
    bool (*copy)(uint32_t id, const HelixPicture *picture, HelixResolved done, gpointer data, GError **error);
    /* The GPU was reset, or QEMU exits: answer what is under way, let go of what was made with the renderer's context.
     */
    void (*reset)(void);
} HelixTextureCopier;

extern const HelixTextureCopier *helix_texture_copier;

/*
 * Is offered each texture before it is copied or read back: @resource has one, and @picture lies within it. True: it
 * has called @done, once. NULL but in builds that measure (measure/).
 */
typedef bool (*HelixTextureFilter)(const HelixResource *resource, const HelixPicture *picture, HelixResolved done,
                                   gpointer data);

extern HelixTextureFilter helix_texture_filter;

/* The resolver of the exporting GPU; its self is the VirtIOGPU. */
extern const HelixResolver helix_resource_resolver;

/*
 * The GPU was reset, after helix_resource_reset_begins() and _ends(): copies by the GPU are answered. Each read that
 * was under way ends by itself in a later turn of the loop.
 */
void helix_resource_was_reset(void);
/* QEMU exits: look-ups under way are answered, all at once. */
void helix_resource_reset(void);

/*
 * Enter and leave @g as device-guard.h says. Entered: this module is inside of it. Main loop.
 */
MemReentrancyGuard *helix_gpu_enter(VirtIOGPU *g);
void helix_gpu_leave(MemReentrancyGuard *guard);
bool helix_gpu_entered(void);

/*
 * @g takes part in look-ups from now on, or not any longer: then nothing of it is touched again, and look-ups under way
 * find no resource. BQL held, any thread, also inside of a look-up.
 */
void helix_resource_plugged(const VirtIOGPU *g, bool plugged);

/* QEMU shuts down or exits: no thread is in GL when this returns; textures are read on the main loop until resume. */
void helix_resource_pause(void);

/* Notice what is made and reset on @g, the exporting GPU, whose class is changed for that; until _unwatch(). Main loop.
 */
void helix_resource_watch(VirtIOGPU *g);
void helix_resource_unwatch(void);

/*
 * The GPU's reset is about to be carried out, and has been. With the BQL held, on any thread. A GL device's empties its
 * list of resources first, lets the main loop run if it is on a vCPU's thread, and only then forgets what virglrenderer
 * has: in between no id can be trusted and none is found. Reads under way end with HELIX_CODE_NOT_FOUND.
 */
void helix_resource_reset_begins(void);
void helix_resource_reset_ends(void);
bool helix_resource_resetting(void);

/* The VM runs again: look-ups under way go on. */
void helix_resource_resume(void);

/*
 * The resource @id as it is now, with its guest pages if @pages. False with HELIX_CODE_NOT_FOUND if there is none.
 * Between bands of a picture; what the guest has queued is not carried out first.
 */
bool helix_resource_find(VirtIOGPU *g, uint32_t id, bool pages, HelixResource *resource, GError **error);

/*
 * Read @picture out of @resource's texture (or the 2D device's image), or out of its guest pages, and answer as
 * HelixResolver says. Geometry is checked before anything is allocated: HELIX_CODE_GEOMETRY. A texture's bounds the
 * caller has checked.
 */
void helix_read_begin(VirtIOGPU *g, const HelixResource *resource, bool texture, const HelixPicture *picture,
                      HelixSurfacePool *pool, HelixResolved done, gpointer data);
/* Whether a picture of this size is brought into host memory at all. FALSE with HELIX_CODE_GEOMETRY. */
bool helix_read_check_size(const HelixResource *resource, const HelixPicture *picture, GError **error);
/* Go on with what is under way, if the VM runs. */
void helix_read_continue(void);
/* Answer HELIX_CODE_NOT_FOUND to all that is under way. */
void helix_read_reset(void);
/* Resource @id is another one from now on; 0: all are. What is being read of it ends with HELIX_CODE_NOT_FOUND. BQL
 * held. */
void helix_read_replaced(uint32_t id);

/* The memory layout of virtio-gpu (and virgl) format @format. */
HelixPixelLayout helix_pixel_layout(uint32_t format);

/* virgl's sRGB formats: GL may convert what a screen shows as it is. */
bool helix_format_is_srgb(uint32_t format);

/* The error for a resource whose format has no layout. */
void helix_set_unreadable(const HelixResource *resource, GError **error);

/* Put the bytes of every pixel into the order @layout's fourcc says; rows are @stride bytes apart. FALSE: nothing was
 * to do. */
bool helix_pixels_reorder(uint8_t *pixels, uint32_t width, uint32_t rows, uint32_t stride,
                          const HelixPixelLayout *layout);

/* Whether the guest says that a resource's pages hold NV12, whatever format and size the resource itself has. */
bool helix_pages_hold_nv12(const HelixPicture *picture);

/*
 * Where @picture's planes lie in the guest pages (or the blob) of @resource. Their number, or 0 with
 * HELIX_CODE_GEOMETRY if it does not lie within them. No side of @picture is over HELIX_MAX_DIMENSION.
 */
unsigned helix_pages_plan(const HelixResource *resource, const HelixPicture *picture, uint32_t fourcc,
                          HelixPlane planes[2], GError **error);
/* Copy @rows of @plane from row @row on to @to, rows @to_stride bytes apart. False: the pages end before. */
bool helix_pages_read(const HelixResource *resource, const HelixPlane *plane, uint32_t row, uint32_t rows, uint8_t *to,
                      size_t to_stride);
/* Where the pages of @resource are, as one number. */
uint64_t helix_pages_hash(const HelixResource *resource);

/* As the reader's read(), and when it returns true all pixels were written. What is between the rows is left alone. */
bool helix_texture_read(VirtIOGPU *g, const HelixResource *resource, uint32_t x, uint32_t y, uint32_t width,
                        uint32_t rows, uint8_t *to, uint32_t stride, GError **error);

/* Copy @rows of @row_bytes at @x, @y out of a 2D resource's host image, whose bounds the caller has checked. */
void helix_image_read(const HelixResource *resource, uint32_t x, uint32_t y, uint32_t row_bytes, uint32_t rows,
                      uint8_t *to, size_t to_stride);

#endif
