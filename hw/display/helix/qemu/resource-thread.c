/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resource-thread.c - textures read back by a thread with a GL context of its own, so that the main loop does not wait
 * for the GPU or copy pixels.
 *
 * The context shares objects with virglrenderer's. It needs EGL (GTK, egl-headless, SPICE; SDL on X11 uses GLX unless
 * SDL_VIDEO_X11_FORCE_EGL=1) and desktop GL; without, or where a texture can't be attached, the main loop reads.
 *
 * What the guest drew before its request is in the texture: its fence was waited for in the guest, and making another
 * context current has flushed virglrenderer's. A texture that is destroyed meanwhile stays as long as it is attached;
 * that its name may be another's by then, whoever asked finds out afterwards (resource-read.c).
 */
#include "qemu/osdep.h"
#include "qemu/lockable.h"
#include "qemu/main-loop.h"
#include "qemu/queue.h"
#include "qemu/thread.h"
#include "../trace.h"
#include "resource.h"

#include <epoxy/egl.h>
#include <epoxy/gl.h>
#include <virglrenderer.h>

typedef struct Order {
    QSIMPLEQ_ENTRY(Order) next;
    HelixTextureOrder what;
    EGLContext context;         /* to read with */
    bool good;
} Order;

static struct {
    QemuThread thread;
    EGLDisplay display;
    QEMUBH *bh;

    /* Main loop. */
    bool started, unusable;
    EGLContext shared_with;     /* virglrenderer's, which is another one after a reset; none: not known */
    EGLContext context;         /* that shares with it */

    QemuMutex lock;             /* what follows */
    QemuCond arrived;
    QSIMPLEQ_HEAD(, Order) orders, done;
    bool stop;
} reader;

/* ---- the thread ---- */

static bool read_texture(GLuint framebuffer, const HelixTextureOrder *what)
{
    bool good;

    glBindFramebuffer(GL_READ_FRAMEBUFFER, framebuffer);
    glFramebufferTexture2D(GL_READ_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, what->texture, 0);
    good = glCheckFramebufferStatus(GL_READ_FRAMEBUFFER) == GL_FRAMEBUFFER_COMPLETE;
    if (good) {
        glPixelStorei(GL_PACK_ALIGNMENT, 4);
        glPixelStorei(GL_PACK_ROW_LENGTH, what->stride / 4);
        glReadPixels(what->x, what->y, what->width, what->rows, what->red_first ? GL_RGBA : GL_BGRA, GL_UNSIGNED_BYTE,
                     what->to);
    }
    glFramebufferTexture2D(GL_READ_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, 0, 0);
    while (glGetError() != GL_NO_ERROR) {
        good = false;
    }
    return good;
}

static Order *next_order(void)
{
    Order *order;

    QEMU_LOCK_GUARD(&reader.lock);
    while (!(order = QSIMPLEQ_FIRST(&reader.orders)) && !reader.stop) {
        qemu_cond_wait(&reader.arrived, &reader.lock);
    }
    if (order) {
        QSIMPLEQ_REMOVE_HEAD(&reader.orders, next);
    }
    return order;
}

/* Each context is used until the next one comes, and then no more. */
static bool use_context(EGLContext context, EGLContext *current, GLuint *framebuffer)
{
    EGLContext before = *current;

    if (context == before) {
        return true;
    }
    *current = EGL_NO_CONTEXT;
    if (!eglMakeCurrent(reader.display, EGL_NO_SURFACE, EGL_NO_SURFACE, context)) {
        return false;
    }
    if (before != EGL_NO_CONTEXT) {
        eglDestroyContext(reader.display, before);
    }
    *current = context;
    glGenFramebuffers(1, framebuffer);
    return true;
}

static void *reader_main(void *opaque)
{
    EGLContext current = EGL_NO_CONTEXT;
    GLuint framebuffer = 0;
    Order *order;

    eglBindAPI(EGL_OPENGL_API);
    while ((order = next_order())) {
        order->good = use_context(order->context, &current, &framebuffer) && read_texture(framebuffer, &order->what);
        WITH_QEMU_LOCK_GUARD(&reader.lock) {
            QSIMPLEQ_INSERT_TAIL(&reader.done, order, next);
        }
        qemu_bh_schedule(reader.bh);
    }
    eglMakeCurrent(reader.display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
    return NULL;
}

/* ---- the main loop ---- */

static void answer(void *opaque)
{
    while (true) {
        Order *order;

        WITH_QEMU_LOCK_GUARD(&reader.lock) {
            order = QSIMPLEQ_FIRST(&reader.done);
            if (order) {
                QSIMPLEQ_REMOVE_HEAD(&reader.done, next);
            }
        }
        if (!order) {
            return;
        }
        order->what.done(order->what.data, order->good);
        g_free(order);
    }
}

/* A context that shares with the current one, which is virglrenderer's. */
static EGLContext share_context(EGLDisplay display, EGLContext with)
{
    EGLint id, n, attributes[] = { EGL_CONFIG_ID, 0, EGL_NONE };
    EGLConfig config = NULL;
    EGLContext context;
    EGLenum api = eglQueryAPI();

    if (!epoxy_has_egl_extension(display, "EGL_KHR_surfaceless_context") ||
        !eglQueryContext(display, with, EGL_CONFIG_ID, &id)) {
        return EGL_NO_CONTEXT;
    }
    attributes[1] = id;
    if (id && (!eglChooseConfig(display, attributes, &config, 1, &n) || n != 1)) {
        return EGL_NO_CONTEXT;
    }
    eglBindAPI(EGL_OPENGL_API);
    context = eglCreateContext(display, config, with, NULL);
    eglBindAPI(api);
    return context;
}

static void start(void)
{
    qemu_mutex_init(&reader.lock);
    qemu_cond_init(&reader.arrived);
    QSIMPLEQ_INIT(&reader.orders);
    QSIMPLEQ_INIT(&reader.done);
    reader.bh = aio_bh_new(iohandler_get_aio_context(), answer, NULL);
    qemu_thread_create(&reader.thread, "helix-readback", reader_main, NULL, QEMU_THREAD_JOINABLE);
    reader.started = true;
}

/* There is a context that shares with virglrenderer's, which is current now. */
static bool ready(void)
{
    EGLContext with;

    if (reader.unusable) {
        return false;
    }
    with = epoxy_has_egl() ? eglGetCurrentContext() : EGL_NO_CONTEXT;
    if (with != EGL_NO_CONTEXT && with == reader.shared_with) {
        return true;
    }
    reader.context = EGL_NO_CONTEXT;
    if (with != EGL_NO_CONTEXT && epoxy_is_desktop_gl()) {
        reader.display = eglGetCurrentDisplay();
        reader.context = share_context(reader.display, with);
    }
    reader.shared_with = with;
    reader.unusable = reader.context == EGL_NO_CONTEXT;
    trace_helix_readback_thread(!reader.unusable);
    if (!reader.unusable && !reader.started) {
        start();
    }
    return !reader.unusable;
}

static bool begin(const HelixTextureOrder *what)
{
    Order *order;

    virgl_renderer_force_ctx_0();
    if (!ready()) {
        return false;
    }
    glFlush();
    order = g_new0(Order, 1);
    order->what = *what;
    order->context = reader.context;
    WITH_QEMU_LOCK_GUARD(&reader.lock) {
        QSIMPLEQ_INSERT_TAIL(&reader.orders, order, next);
    }
    qemu_cond_signal(&reader.arrived);
    return true;
}

/* virglrenderer makes its contexts anew, maybe at the same address, and the display its window's. */
static void reset(void)
{
    reader.shared_with = EGL_NO_CONTEXT;
}

/* QEMU exits: what is ordered is still read and answered. */
static void end(void)
{
    if (!reader.started) {
        return;
    }
    WITH_QEMU_LOCK_GUARD(&reader.lock) {
        reader.stop = true;
    }
    qemu_cond_signal(&reader.arrived);
    qemu_thread_join(&reader.thread);
    reader.started = false;
    reader.unusable = true;
    answer(NULL);
}

static const HelixTextureThread thread = { .begin = begin, .reset = reset, .end = end };

static void register_thread(void)
{
    helix_texture_thread = &thread;
}

type_init(register_thread)
