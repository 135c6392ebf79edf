/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu-readback.c - see gpu-readback.h. */
#include "qemu/osdep.h"
#include "../encode/convert-cost.h"
#include "../trace.h"
#include "gpu-readback.h"

/* The picture that is measured, and how often: the best counts. */
#define WIDTH 1280u
#define HEIGHT 720u
#define TIMES 3u

/* ---- which way is faster ---- */

static gint64 gpu_cost_ns(HelixPixelRing *ring, GLuint texture)
{
    const HelixGpuPicture picture = { .texture = texture, .width = WIDTH, .height = HEIGHT };
    gint64 best = G_MAXINT64;

    for (unsigned i = 0; i <= TIMES; i++) { /* the first compiles and allocates */
        gint64 began = g_get_monotonic_time();
        HelixPixelBuffer *buffer = helix_pixel_ring_convert(ring, &picture, WIDTH, HEIGHT, NULL);

        if (!buffer) {
            return G_MAXINT64;
        }
        best = i ? MIN(best, (g_get_monotonic_time() - began) * 1000) : best;
        helix_pixel_ring_release(ring, buffer);
    }
    return best;
}

/* Time to read the pixels as readback-thread.c does. */
static gint64 read_cost_ns(GLuint texture)
{
    g_autofree guint8 *pixels = g_malloc0((gsize)WIDTH * HEIGHT * 4);
    gint64 best = G_MAXINT64;
    GLuint framebuffer;

    glGenFramebuffers(1, &framebuffer);
    glBindFramebuffer(GL_READ_FRAMEBUFFER, framebuffer);
    glFramebufferTexture2D(GL_READ_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, texture, 0);
    for (unsigned i = 0; i <= TIMES; i++) {
        gint64 began = g_get_monotonic_time();

        glReadPixels(0, 0, WIDTH, HEIGHT, GL_BGRA, GL_UNSIGNED_BYTE, pixels);
        best = i ? MIN(best, (g_get_monotonic_time() - began) * 1000) : best;
    }
    glDeleteFramebuffers(1, &framebuffer);
    return best;
}

static bool gpu_is_faster(HelixPixelRing *ring)
{
    g_autofree guint8 *pixels = g_malloc0((gsize)WIDTH * HEIGHT * 4);
    gint64 gpu, cpu;
    GLuint texture;

    glGenTextures(1, &texture);
    glBindTexture(GL_TEXTURE_2D, texture);
    glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA8, WIDTH, HEIGHT, 0, GL_BGRA, GL_UNSIGNED_BYTE, pixels);
    gpu = gpu_cost_ns(ring, texture);
    cpu = read_cost_ns(texture) + helix_convert_cost_ns(WIDTH, HEIGHT);
    glDeleteTextures(1, &texture);
    trace_helix_gpu_readback(gpu / 1000, cpu / 1000);
    return gpu < cpu;
}

HelixPixelRing *helix_gpu_readback_choose(void (*returned)(gpointer data))
{
    HelixPixelRing *ring = helix_pixel_ring_new(returned, NULL, NULL);

    if (ring && !gpu_is_faster(ring)) {
        helix_pixel_ring_free(ring);
        ring = NULL;
    }
    return ring;
}

/* ---- a picture ---- */

typedef struct RingSurface {
    HelixSurface surface; /* first */
    HelixPixelRing *ring;
    HelixPixelBuffer *buffer;
    HelixSurfacePool *pool;
} RingSurface;

static void ring_surface_destroy(HelixSurface *surface)
{
    RingSurface *self = (RingSurface *)surface;
    gsize size = self->buffer->size;

    helix_pixel_ring_release(self->ring, self->buffer);
    helix_surface_pool_uncharge(self->pool, size);
    g_free(self);
}

static HelixSurface *wrap(HelixPixelRing *ring, HelixPixelBuffer *buffer, HelixSurfacePool *pool)
{
    RingSurface *self = g_new0(RingSurface, 1);

    self->surface = (HelixSurface){
        .kind = HELIX_SURFACE_MEMORY,
        .width = buffer->width,
        .height = buffer->height,
        .fourcc = HELIX_FORMAT_NV12,
        .n_planes = 2,
        .offset = { 0, (gsize)buffer->stride * buffer->height },
        .stride = { buffer->stride, buffer->stride },
        .data = (guint8 *)buffer->data, /* only read */
        .size = buffer->size,
        .fd = -1,
        .path = HELIX_HOST_PATH_GPU_READBACK,
        .cpu_bytes = (guint64)buffer->width * buffer->height * 3 / 2,
        .destroy = ring_surface_destroy,
    };
    g_atomic_ref_count_init(&self->surface.refs);
    self->ring = ring;
    self->buffer = buffer;
    self->pool = pool;
    return &self->surface;
}

HelixSurface *helix_gpu_readback(HelixPixelRing *ring, EGLImageKHR image, const HelixConvertOrder *what)
{
    HelixGpuPicture picture = {
        .bottom_up = what->bottom_up,
        .x = what->x,
        .y = what->y,
        .width = what->width,
        .height = what->height,
    };
    HelixPixelBuffer *buffer;

    glGenTextures(1, &picture.texture);
    glBindTexture(GL_TEXTURE_2D, picture.texture);
    glEGLImageTargetTexture2DOES(GL_TEXTURE_2D, image);
    buffer = helix_pixel_ring_convert(ring, &picture, what->coded_width, what->coded_height, NULL);
    glDeleteTextures(1, &picture.texture);
    return buffer ? wrap(ring, buffer, what->pool) : NULL;
}
