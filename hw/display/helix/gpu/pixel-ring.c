/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pixel-ring.c - see pixel-ring.h. */
#include "pixel-ring.h"
#include "../protocol/error.h"

#define ALIGN 64u /* of rows, as the surface pool has them */
#define WAIT_NS (5 * G_GUINT64_CONSTANT(1000000000))
#define MOST_ERRORS 8

typedef struct Buffer {
    HelixPixelBuffer pixels; /* first */
    GList link;
    GLuint name;
} Buffer;

struct HelixPixelRing {
    HelixGpuConverter *converter;
    GLuint framebuffer, planes[2]; /* luma, chroma, of the size below */
    guint32 width, height;
    GQueue idle; /* Buffer, the longest idle first */
    gsize idle_bytes;

    GMutex lock; /* what follows */
    GQueue back; /* Buffer, released */
    void (*returned)(gpointer data);
    gpointer data;
};

static gpointer fail(GError **error, const char *what)
{
    g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL, "pictures of the GPU in memory: %s", what);
    return NULL;
}

static gboolean gl_is_well(void)
{
    gboolean well = TRUE;

    for (guint i = 0; i < MOST_ERRORS && glGetError() != GL_NO_ERROR; i++) {
        well = FALSE;
    }
    return well;
}

static guint32 stride_of(guint32 width)
{
    return (width + ALIGN - 1) & ~(ALIGN - 1);
}

gsize helix_pixel_ring_buffer_size(guint32 width, guint32 height)
{
    return (gsize)stride_of(width) * height * 3 / 2;
}

/* ---- the ring ---- */

HelixPixelRing *helix_pixel_ring_new(void (*returned)(gpointer data), gpointer data, GError **error)
{
    HelixGpuConverter *converter = helix_gpu_converter_new(error);
    HelixPixelRing *ring;

    if (!converter) {
        return NULL;
    }
    if (epoxy_gl_version() < 44 && !epoxy_has_gl_extension("GL_ARB_buffer_storage")) {
        helix_gpu_converter_free(converter);
        return fail(error, "it takes buffers that stay mapped");
    }
    ring = g_new0(HelixPixelRing, 1);
    ring->converter = converter;
    ring->returned = returned;
    ring->data = data;
    g_mutex_init(&ring->lock);
    glGenFramebuffers(1, &ring->framebuffer);
    return ring;
}

static void free_buffer(Buffer *buffer)
{
    glDeleteBuffers(1, &buffer->name); /* unmaps it */
    g_free(buffer);
}

/* What was released becomes idle. */
static void take_back(HelixPixelRing *ring)
{
    GList *link;

    g_mutex_lock(&ring->lock);
    while ((link = g_queue_pop_head_link(&ring->back))) {
        ring->idle_bytes += ((Buffer *)link->data)->pixels.size;
        g_queue_push_tail_link(&ring->idle, link);
    }
    g_mutex_unlock(&ring->lock);
}

static Buffer *pop_idle(HelixPixelRing *ring, GList *link)
{
    Buffer *buffer = link->data;

    g_queue_unlink(&ring->idle, link);
    ring->idle_bytes -= buffer->pixels.size;
    return buffer;
}

void helix_pixel_ring_trim(HelixPixelRing *ring)
{
    take_back(ring);
    while (ring->idle.length > HELIX_PIXEL_RING_IDLE || ring->idle_bytes > HELIX_PIXEL_RING_IDLE_BYTES) {
        free_buffer(pop_idle(ring, ring->idle.head));
    }
}

void helix_pixel_ring_free(HelixPixelRing *ring)
{
    take_back(ring);
    while (ring->idle.head) {
        free_buffer(pop_idle(ring, ring->idle.head));
    }
    glDeleteTextures(2, ring->planes);
    glDeleteFramebuffers(1, &ring->framebuffer);
    helix_gpu_converter_free(ring->converter);
    g_mutex_clear(&ring->lock);
    g_free(ring);
}

void helix_pixel_ring_release(HelixPixelRing *ring, HelixPixelBuffer *buffer)
{
    g_mutex_lock(&ring->lock);
    g_queue_push_tail_link(&ring->back, &((Buffer *)buffer)->link);
    g_mutex_unlock(&ring->lock);
    ring->returned(ring->data);
}

/* ---- buffers ---- */

/* The buffer begins as zeros: GL writes the rows, and nothing ever what lies beside them. */
static Buffer *new_buffer(guint32 width, guint32 height, GError **error)
{
    const GLbitfield access = GL_MAP_READ_BIT | GL_MAP_PERSISTENT_BIT | GL_MAP_COHERENT_BIT;
    const gsize size = helix_pixel_ring_buffer_size(width, height);
    g_autofree guint8 *zeros = g_try_malloc0(size);
    Buffer *buffer;

    if (!zeros) {
        return fail(error, "no memory");
    }
    buffer = g_new0(Buffer, 1);
    buffer->pixels = (HelixPixelBuffer){ .size = size, .width = width, .height = height, .stride = stride_of(width) };
    buffer->link.data = buffer;
    glGenBuffers(1, &buffer->name);
    glBindBuffer(GL_PIXEL_PACK_BUFFER, buffer->name);
    glBufferStorage(GL_PIXEL_PACK_BUFFER, (GLsizeiptr)size, zeros, access | GL_CLIENT_STORAGE_BIT);
    buffer->pixels.data = glMapBufferRange(GL_PIXEL_PACK_BUFFER, 0, (GLsizeiptr)size, access);
    glBindBuffer(GL_PIXEL_PACK_BUFFER, 0);
    if (!gl_is_well() || !buffer->pixels.data) {
        free_buffer(buffer);
        return fail(error, "GL maps no buffer");
    }
    return buffer;
}

/* Of this size, the one used last as its memory is warm. */
static Buffer *take_buffer(HelixPixelRing *ring, guint32 width, guint32 height, GError **error)
{
    take_back(ring);
    for (GList *link = ring->idle.tail; link; link = link->prev) {
        const HelixPixelBuffer *buffer = link->data;

        if (buffer->width == width && buffer->height == height) {
            return pop_idle(ring, link);
        }
    }
    helix_pixel_ring_trim(ring);
    return new_buffer(width, height, error);
}

/* ---- a picture ---- */

static gboolean need_planes(HelixPixelRing *ring, guint32 width, guint32 height, GError **error)
{
    static const GLenum formats[2] = { GL_R8, GL_RG8 };

    if (ring->width == width && ring->height == height) {
        return TRUE;
    }
    ring->width = ring->height = 0;
    glDeleteTextures(2, ring->planes);
    glGenTextures(2, ring->planes);
    for (guint i = 0; i < 2; i++) {
        glBindTexture(GL_TEXTURE_2D, ring->planes[i]);
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAX_LEVEL, 0);
        glTexStorage2D(GL_TEXTURE_2D, 1, formats[i], (GLsizei)width >> i, (GLsizei)height >> i);
    }
    if (!gl_is_well()) {
        fail(error, "GL has no textures for them");
        return FALSE;
    }
    ring->width = width;
    ring->height = height;
    return TRUE;
}

static gboolean wait_for_gpu(void)
{
    GLsync fence = glFenceSync(GL_SYNC_GPU_COMMANDS_COMPLETE, 0);
    GLenum result = fence ? glClientWaitSync(fence, GL_SYNC_FLUSH_COMMANDS_BIT, WAIT_NS) : GL_WAIT_FAILED;

    glDeleteSync(fence);
    return result == GL_ALREADY_SIGNALED || result == GL_CONDITION_SATISFIED;
}

static gboolean read_planes(HelixPixelRing *ring, const Buffer *buffer)
{
    static const GLenum formats[2] = { GL_RED, GL_RG };
    const HelixPixelBuffer *to = &buffer->pixels;

    glBindFramebuffer(GL_READ_FRAMEBUFFER, ring->framebuffer);
    glBindBuffer(GL_PIXEL_PACK_BUFFER, buffer->name);
    glPixelStorei(GL_PACK_ALIGNMENT, 4);
    for (guint i = 0; i < 2; i++) {
        const guintptr at = i ? (guintptr)to->stride * to->height : 0;

        glFramebufferTexture2D(GL_READ_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, ring->planes[i], 0);
        glPixelStorei(GL_PACK_ROW_LENGTH, (GLint)(to->stride >> i));
        glReadPixels(0, 0, (GLsizei)to->width >> i, (GLsizei)to->height >> i, formats[i], GL_UNSIGNED_BYTE, (void *)at);
    }
    glPixelStorei(GL_PACK_ROW_LENGTH, 0);
    glBindBuffer(GL_PIXEL_PACK_BUFFER, 0);
    return gl_is_well() && wait_for_gpu();
}

HelixPixelBuffer *helix_pixel_ring_convert(HelixPixelRing *ring, const HelixGpuPicture *picture, guint32 width,
                                           guint32 height, GError **error)
{
    HelixGpuPlanes planes = {
        .width = width,
        .height = height,
        .padded_width = width,
        .padded_height = height,
    };
    Buffer *buffer;

    if (!need_planes(ring, width, height, error)) {
        return NULL;
    }
    planes.luma = ring->planes[0];
    planes.chroma = ring->planes[1];
    if (!helix_gpu_convert(ring->converter, picture, &planes, error)) {
        return NULL;
    }
    buffer = take_buffer(ring, width, height, error);
    if (buffer && !read_planes(ring, buffer)) {
        free_buffer(buffer); /* GL keeps it for as long as it may write there */
        return fail(error, "the GPU has not written one");
    }
    return buffer ? &buffer->pixels : NULL;
}
