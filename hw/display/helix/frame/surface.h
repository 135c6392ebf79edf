/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * surface.h - a picture and where it lies: one refcounted type that look-up fills and an encoder reads.
 *
 * A surface is made on the main loop and read on an encoder thread; its reference count is atomic and its fields do not
 * change after it was published. Host memory comes from a pool so that a stream in steady state allocates nothing.
 */
#ifndef HELIX_SURFACE_H
#define HELIX_SURFACE_H

#include <glib.h>
#include "../protocol/picture.h"

typedef enum HelixSurfaceKind {
    HELIX_SURFACE_MEMORY,    /* host memory: data, offset[], stride[] */
    HELIX_SURFACE_DMABUF,    /* Linux: fd, offset[], stride[], modifier */
    HELIX_SURFACE_IOSURFACE, /* macOS: native is an IOSurfaceRef */
    HELIX_SURFACE_TEXTURE,   /* the guest's texture, left on the GPU: for the encoder that looks at nothing */
} HelixSurfaceKind;

/* How the picture came to where it is; counted per frame in the statistics. */
typedef enum HelixHostPath {
    HELIX_HOST_PATH_IOSURFACE,    /* used in place, nothing copied */
    HELIX_HOST_PATH_METAL_COPY,   /* copied by the GPU with Metal */
    HELIX_HOST_PATH_GL_BLIT,      /* copied by the GPU with GL */
    HELIX_HOST_PATH_READBACK,     /* texture read into host memory */
    HELIX_HOST_PATH_GPU_READBACK, /* texture converted by the GPU into host memory */
    HELIX_HOST_PATH_PAGES,        /* guest pages copied by the CPU inside one main-loop callback */
    HELIX_HOST_PATH_PIXEL_DATA,   /* pixels came over the wire */
    HELIX_HOST_PATH_REPEAT,       /* the stream's last picture again */
    HELIX_HOST_PATH_TEXTURE,      /* found and left where it is (encoder null-texture) */
    HELIX_HOST_PATH_SNAPSHOT,     /* kept by the host since an earlier SNAPSHOT */
    HELIX_N_HOST_PATHS
} HelixHostPath;

/* "readback", "pages", ...: the names used in statistics and documents. */
const char *helix_host_path_name(HelixHostPath path);

typedef struct HelixSurface HelixSurface;
typedef struct HelixSurfacePool HelixSurfacePool;

struct HelixSurface {
    gatomicrefcount refs;
    HelixSurfaceKind kind;
    guint32 width, height; /* pixels of the picture */
    guint32 fourcc;        /* HELIX_FORMAT_ values */
    guint n_planes;
    gsize offset[3];   /* bytes from data, or from the dma-buf's start */
    guint32 stride[3]; /* bytes a row */
    guint8 *data;      /* MEMORY; first row of the picture is its top row */
    gsize size;        /* bytes at data */
    int fd;            /* DMABUF, else -1 */
    guint64 modifier;  /* DMABUF */
    gpointer native;   /* IOSURFACE */
    HelixHostPath path;
    guint64 cpu_bytes;      /* bytes the host's CPU moved to bring the picture here; 0 for GPU paths */
    gboolean borrows_guest; /* the guest's own memory: FRAME_RELEASED only after the encoder is done with it */
    void (*destroy)(HelixSurface *surface); /* last reference gone, any thread */
    gpointer destroy_data;
};

HelixSurface *helix_surface_ref(HelixSurface *surface);
void helix_surface_unref(HelixSurface *surface);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HelixSurface, helix_surface_unref)

/* A pool that keeps up to @keep idle memory surfaces for reuse. Thread-safe; outlived by the surfaces taken from it. */
HelixSurfacePool *helix_surface_pool_new(guint keep);

/* Drops the owner's reference. What was given up and is not free yet (helix_surface_pool_free_later()) a thread frees.
 */
void helix_surface_pool_unref(HelixSurfacePool *pool);
/* Rows of a pool's surfaces begin at multiples of this many bytes. */
#define HELIX_SURFACE_ALIGN 64u
/* The stride of a pool's surfaces in bytes, the same for each plane. */
guint64 helix_surface_pool_row(guint32 fourcc, guint32 width);
/* Free idle surfaces, and those that come back, until one is taken again. */
void helix_surface_pool_trim(HelixSurfacePool *pool);
/*
 * From now on the calling thread, the main loop's, frees no surface by itself, as freeing pages takes time. Surfaces
 * that it lets go are given up: @given_up(@data) is called, on that thread and without the lock, and
 * helix_surface_pool_free_piece() frees them. Other threads free what they let go, as all do with @given_up NULL.
 * Memory that was given up is not counted, but take() fails while there is more of it than the limit.
 */
void helix_surface_pool_free_later(HelixSurfacePool *pool, void (*given_up)(gpointer data), gpointer data);
/* Free this many bytes at most (on Linux; elsewhere one surface). FALSE: nothing more was given up. */
#define HELIX_SURFACE_PIECE ((gsize)4 << 20)
gboolean helix_surface_pool_free_piece(HelixSurfacePool *pool);
/* Bytes in surfaces handed out and idle ones. */
guint64 helix_surface_pool_bytes(HelixSurfacePool *pool);
/* At most @max_bytes in surfaces handed out and idle ones together; beyond that take() fails. Not called: no limit. */
void helix_surface_pool_set_limit(HelixSurfacePool *pool, guint64 max_bytes);
/*
 * Clear what is beside @rows of plane @plane from row @row on: the ends of the rows up to the next one, and NV12's
 * additional row below an odd height. Encoders read these bytes with the pixels. Code that writes rows of a pool's
 * surface calls this for them, and not earlier: each row of new memory costs a page fault.
 */
void helix_surface_clear_edges(HelixSurface *surface, guint plane, guint32 row, guint32 rows);
/*
 * A MEMORY surface for this picture with contents undefined, rows padded to 64 bytes. NULL with HELIX_ERROR
 * (HELIX_CODE_GEOMETRY for an unusable format or size, HELIX_CODE_INTERNAL when memory is short: sizes are chosen by
 * the guest, so this never aborts).
 */
HelixSurface *helix_surface_pool_take(HelixSurfacePool *pool, guint32 fourcc, guint32 width, guint32 height,
                                      GError **error);
/*
 * Count @bytes of a picture's memory that is not the pool's as handed out, until uncharge with as many. FALSE with
 * HELIX_CODE_INTERNAL: the limit does not allow it. Charged memory keeps the pool. Any thread.
 */
gboolean helix_surface_pool_charge(HelixSurfacePool *pool, gsize bytes, GError **error);
void helix_surface_pool_uncharge(HelixSurfacePool *pool, gsize bytes);
/*
 * The same for pixels that come over the wire. A guest may announce them and send slowly, or let them wait: with other
 * held surfaces they take no more than half of the limit, so that look-ups always find room.
 */
HelixSurface *helix_surface_pool_take_for_wire(HelixSurfacePool *pool, guint32 fourcc, guint32 width, guint32 height,
                                               GError **error);
/*
 * @surface, taken from @pool, is held for as long as the guest wants: it counts in that half from now on. FALSE with
 * HELIX_CODE_INTERNAL: the half is used up, or @surface is not of @pool.
 */
gboolean helix_surface_pool_hold(HelixSurfacePool *pool, HelixSurface *surface, GError **error);

#endif
