/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * readback-thread.c - textures read by a thread with a GL context of its own, so that the main loop neither waits for
 * the GPU nor copies pixels.
 *
 * The main loop, in virglrenderer's context, creates an EGLImage of the texture and a fence behind the drawing: the
 * image keeps the pixels alive whatever the guest does to its resource, and the thread uses no GL name of
 * virglrenderer's. The thread's context shares no objects with any other. It asks GL for the image's size before it
 * reads, and GL writes no more than the rows of the order.
 *
 * This needs EGL with images of textures, fences and surfaceless contexts (GTK, egl-headless, SPICE; SDL on X11 uses
 * GLX unless SDL_VIDEO_X11_FORCE_EGL=1). Without them the main loop reads textures in pieces (readback.c).
 */
#include "qemu/osdep.h"
#include "qemu/lockable.h"
#include "qemu/main-loop.h"
#include "qemu/queue.h"
#include "qemu/thread.h"
#include "../loop/threads.h"
#include "../loop/loop-budget.h"
#include "../trace.h"
#include "draw-fence.h"
#include "gpu-readback.h"
#include "texture-hooks.h"

#include <epoxy/egl.h>
#include <epoxy/gl.h>
#include <virglrenderer.h>

/* Milliseconds that QEMU's shutdown waits for a GPU that does not finish. */
#define PAUSE_MS 2000
/* Orders in progress at a time: each keeps a texture alive that its guest may have destroyed. */
#define MOST_ORDERS 64

typedef struct Order {
    QSIMPLEQ_ENTRY(Order) next;
    bool converts;
    HelixReadbackOrder what;     /* unless it converts */
    HelixConvertOrder converted; /* if it does */
    HelixSurface *surface;       /* of that, once done */
    EGLImageKHR image;
    EGLSyncKHR drawn;
    bool usable; /* the thread's context works */
    bool good;
} Order;

static struct {
    QEMUBH *bh;
    EGLDisplay display; /* of every order; set before the thread starts */
    EGLContext context; /* the thread's; set before it starts */
    uint64_t count;
    unsigned n_orders; /* in progress; main loop, as count */
    gint converts;     /* atomic: the GPU converts faster than the CPU */

    QemuMutex lock; /* protects what follows */
    QemuCond changed;
    QSIMPLEQ_HEAD(, Order) orders, done;
    bool paused; /* orders are returned unread */
    bool in_gl;
    bool trim; /* memory that encoders read came back */
} reader;

static enum { UNKNOWN, RUNNING, PAUSED, UNUSABLE } state; /* main loop */

/* ---- the thread ---- */

static bool large_enough(const HelixReadbackOrder *what)
{
    GLint width = 0, height = 0;

    glGetTexLevelParameteriv(GL_TEXTURE_2D, 0, GL_TEXTURE_WIDTH, &width);
    glGetTexLevelParameteriv(GL_TEXTURE_2D, 0, GL_TEXTURE_HEIGHT, &height);
    return width > 0 && height > 0 && (uint64_t)what->x + what->width <= (uint64_t)width &&
        (uint64_t)what->y + what->rows <= (uint64_t)height;
}

static bool read_image(const Order *order)
{
    const HelixReadbackOrder *what = &order->what;
    const size_t row = (size_t)what->width * 4;
    GLuint framebuffer, texture;
    bool good;

    if (!helix_draw_fence_wait(reader.display, order->drawn)) {
        return false;
    }
    glGenTextures(1, &texture);
    glBindTexture(GL_TEXTURE_2D, texture);
    glEGLImageTargetTexture2DOES(GL_TEXTURE_2D, order->image);
    glGenFramebuffers(1, &framebuffer);
    glBindFramebuffer(GL_READ_FRAMEBUFFER, framebuffer);
    glFramebufferTexture2D(GL_READ_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, texture, 0);
    good = glGetError() == GL_NO_ERROR && large_enough(what) &&
        glCheckFramebufferStatus(GL_READ_FRAMEBUFFER) == GL_FRAMEBUFFER_COMPLETE;
    if (good) {
        glPixelStorei(GL_PACK_ALIGNMENT, 4);
        glPixelStorei(GL_PACK_ROW_LENGTH, (GLint)(what->stride / 4));
        glReadPixels((GLint)what->x, (GLint)what->y, (GLsizei)what->width, (GLsizei)what->rows,
                     what->red_first ? GL_RGBA : GL_BGRA, GL_UNSIGNED_BYTE, what->to);
    }
    for (int i = 0; i < 8 && glGetError() != GL_NO_ERROR; i++) { /* a lost context reports an error each time */
        good = false;
    }
    for (uint32_t y = 0; good && y < what->rows; y++) {
        memset(what->to + (size_t)y * what->stride + row, 0, what->stride - row);
    }
    glDeleteFramebuffers(1, &framebuffer);
    glDeleteTextures(1, &texture);
    return good;
}

/* On any thread. */
static void memory_returned(gpointer data)
{
    QEMU_LOCK_GUARD(&reader.lock);
    reader.trim = true;
    qemu_cond_broadcast(&reader.changed);
}

/* Wait for an order, also while paused: it is then returned unread. NULL: there is memory to trim. */
static Order *next_order(bool *paused)
{
    Order *order;

    QEMU_LOCK_GUARD(&reader.lock);
    reader.in_gl = false;
    qemu_cond_broadcast(&reader.changed);
    while (!(order = QSIMPLEQ_FIRST(&reader.orders)) && (!reader.trim || reader.paused)) {
        qemu_cond_wait(&reader.changed, &reader.lock);
    }
    if (order) {
        QSIMPLEQ_REMOVE_HEAD(&reader.orders, next);
    } else {
        reader.trim = false;
    }
    reader.in_gl = true;
    *paused = reader.paused;
    return order;
}

/* The pool has counted its memory. */
static void finish_conversion(HelixPixelRing *ring, Order *order, bool paused)
{
    const HelixConvertOrder *what = &order->converted;

    if (!paused && helix_draw_fence_wait(reader.display, order->drawn)) {
        order->surface = helix_gpu_readback(ring, order->image, what);
    }
    if (!order->surface) {
        helix_surface_pool_uncharge(what->pool, helix_pixel_ring_buffer_size(what->coded_width, what->coded_height));
    }
    order->good = order->surface;
}

/* Never ends: when QEMU exits it waits for an order outside of GL, which the display may have closed. */
static void *reader_main(void *opaque)
{
    bool current = eglBindAPI(EGL_OPENGL_API) &&
        eglMakeCurrent(reader.display, EGL_NO_SURFACE, EGL_NO_SURFACE, reader.context);
    bool usable = current && epoxy_has_gl_extension("GL_OES_EGL_image");
    HelixPixelRing *ring = usable ? helix_gpu_readback_choose(memory_returned) : NULL;

    g_atomic_int_set(&reader.converts, ring != NULL);
    while (true) {
        bool paused;
        Order *order = next_order(&paused);

        if (!order) {
            if (ring) {
                helix_pixel_ring_trim(ring);
            }
            continue;
        }
        order->usable = usable;
        if (order->converts) {
            finish_conversion(ring, order, paused);
        } else {
            order->good = usable && !paused && read_image(order);
        }
        eglDestroyImageKHR(reader.display, order->image);
        eglDestroySyncKHR(reader.display, order->drawn);
        WITH_QEMU_LOCK_GUARD (&reader.lock) {
            QSIMPLEQ_INSERT_TAIL(&reader.done, order, next);
        }
        qemu_bh_schedule(reader.bh);
    }
    return NULL;
}

/* ---- the main loop ---- */

/* Take an order that the thread has finished; NULL: none. */
static Order *next_done(void)
{
    Order *order;

    QEMU_LOCK_GUARD(&reader.lock);
    order = QSIMPLEQ_FIRST(&reader.done);
    if (order) {
        QSIMPLEQ_REMOVE_HEAD(&reader.done, next);
    }
    return order;
}

static void answer(Order *order)
{
    reader.count += order->good;
    reader.n_orders--;
    if (!order->usable) {
        state = UNUSABLE;
    }
    if (order->converts) {
        order->converted.done(order->converted.data, order->surface);
    } else {
        order->what.done(order->what.data, order->good);
    }
    g_free(order);
}

/* Answer finished orders until the iteration's time budget is spent; one at least. */
static void answer_some(void *opaque)
{
    HELIX_LOOP_SCOPE;
    Order *order;

    while ((order = next_done())) {
        answer(order);
        if (helix_loop_budget_is_spent()) {
            qemu_bh_schedule(reader.bh);
            return;
        }
    }
}

static bool has_extensions(EGLDisplay display)
{
    return epoxy_has_egl_extension(display, "EGL_KHR_surfaceless_context") &&
        epoxy_has_egl_extension(display, "EGL_KHR_fence_sync") &&
        epoxy_has_egl_extension(display, "EGL_KHR_image_base") &&
        epoxy_has_egl_extension(display, "EGL_KHR_gl_texture_2D_image");
}

/* A context with the configuration of the current one, virglrenderer's. */
static EGLContext make_context(EGLDisplay display)
{
    EGLint id = 0, n = 0, attributes[] = { EGL_CONFIG_ID, 0, EGL_NONE };
    EGLConfig config = NULL;

    if (!has_extensions(display) || !eglQueryContext(display, eglGetCurrentContext(), EGL_CONFIG_ID, &id)) {
        return EGL_NO_CONTEXT;
    }
    attributes[1] = id;
    if (id && (!eglChooseConfig(display, attributes, &config, 1, &n) || n != 1)) {
        return EGL_NO_CONTEXT;
    }
    return eglCreateContext(display, config, EGL_NO_CONTEXT, NULL);
}

static bool start(void)
{
    HelixThreadsBefore before;
    QemuThread thread;

    state = UNUSABLE;
    if (epoxy_is_desktop_gl() && eglQueryAPI() == EGL_OPENGL_API) {
        reader.display = eglGetCurrentDisplay();
        reader.context = make_context(reader.display);
    }
    trace_helix_readback_thread(reader.context != EGL_NO_CONTEXT);
    if (reader.context == EGL_NO_CONTEXT) {
        return false;
    }
    qemu_mutex_init(&reader.lock);
    qemu_cond_init(&reader.changed);
    QSIMPLEQ_INIT(&reader.orders);
    QSIMPLEQ_INIT(&reader.done);
    reader.bh = aio_bh_new(iohandler_get_aio_context(), answer_some, NULL);
    reader.in_gl = true;
    helix_threads_begin(&before, true);
    qemu_thread_create(&thread, "helix-readback", reader_main, NULL, QEMU_THREAD_DETACHED);
    helix_threads_end(&before);
    state = RUNNING;
    return true;
}

static Order *new_order(uint32_t texture)
{
    static const EGLint level[] = { EGL_GL_TEXTURE_LEVEL_KHR, 0, EGL_NONE };
    EGLImageKHR image = eglCreateImageKHR(reader.display, eglGetCurrentContext(), EGL_GL_TEXTURE_2D_KHR,
                                          (EGLClientBuffer)(uintptr_t)texture, level);
    EGLSyncKHR drawn = image == EGL_NO_IMAGE_KHR ? EGL_NO_SYNC_KHR : helix_draw_fence_new(reader.display);
    Order *order;

    if (drawn == EGL_NO_SYNC_KHR) {
        if (image != EGL_NO_IMAGE_KHR) {
            eglDestroyImageKHR(reader.display, image);
        }
        return NULL;
    }
    order = g_new0(Order, 1);
    order->image = image;
    order->drawn = drawn;
    return order;
}

/* A context takes milliseconds to create: it is created with the renderer, before the first picture. */
static void prepare(VirtIOGPU *g)
{
    VirtIOGPU *gl = (VirtIOGPU *)object_dynamic_cast(OBJECT(g), TYPE_VIRTIO_GPU_GL);

    if (state == UNKNOWN && gl && VIRTIO_GPU_GL(gl)->fence_poll) { /* virglrenderer runs */
        virgl_renderer_force_ctx_0();
        if (epoxy_has_egl() && eglGetCurrentContext() != EGL_NO_CONTEXT) {
            start();
        }
    }
}

/* Whether the thread can take an order; in virglrenderer's context then. */
static bool is_ready(void)
{
    virgl_renderer_force_ctx_0();
    return state != UNUSABLE && state != PAUSED && reader.n_orders < MOST_ORDERS && epoxy_has_egl() &&
        eglGetCurrentContext() != EGL_NO_CONTEXT && (state != UNKNOWN || start()) &&
        eglGetCurrentDisplay() == reader.display;
}

static void queue(Order *order)
{
    reader.n_orders++;
    WITH_QEMU_LOCK_GUARD (&reader.lock) {
        QSIMPLEQ_INSERT_TAIL(&reader.orders, order, next);
    }
    qemu_cond_broadcast(&reader.changed);
}

static bool begin(const HelixReadbackOrder *what)
{
    Order *order = is_ready() ? new_order(what->texture) : NULL;

    if (!order) {
        return false;
    }
    order->what = *what;
    queue(order);
    return true;
}

static bool begin_conversion(const HelixConvertOrder *what)
{
    const size_t bytes = helix_pixel_ring_buffer_size(what->coded_width, what->coded_height);
    Order *order;

    if (!g_atomic_int_get(&reader.converts) || !is_ready() || !helix_surface_pool_charge(what->pool, bytes, NULL)) {
        return false;
    }
    order = new_order(what->texture);
    if (!order) {
        helix_surface_pool_uncharge(what->pool, bytes);
        return false;
    }
    order->converts = true;
    order->converted = *what;
    queue(order);
    return true;
}

/* The only place where the main loop waits for the thread. The main loop reads the remaining orders itself. */
static void pause_thread(void)
{
    int64_t until = g_get_monotonic_time() / 1000 + PAUSE_MS;
    Order *order;

    if (state == RUNNING) {
        state = PAUSED;
        WITH_QEMU_LOCK_GUARD (&reader.lock) {
            reader.paused = true;
            while ((reader.in_gl || QSIMPLEQ_FIRST(&reader.orders)) && g_get_monotonic_time() / 1000 < until) {
                qemu_cond_timedwait(&reader.changed, &reader.lock, 50);
            }
        }
        while ((order = next_done())) {
            answer(order);
        }
    }
}

/* An order in which the thread hangs blocks those behind it, MOST_ORDERS at most. */
static void resume_thread(void)
{
    if (state == PAUSED) {
        state = RUNNING;
        WITH_QEMU_LOCK_GUARD (&reader.lock) {
            reader.paused = false;
        }
    }
}

static uint64_t count(void)
{
    return reader.count;
}

static const HelixReadbackThread thread = {
    .prepare = prepare,
    .begin = begin,
    .convert = begin_conversion,
    .pause = pause_thread,
    .resume = resume_thread,
    .count = count,
};

static void register_thread(void)
{
    helix_readback_thread = &thread;
}

type_init(register_thread)
