/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gl-blit.c - from ANGLE's texture to an IOSurface, by EGL_ANGLE_iosurface_client_buffer and a framebuffer blit.
 *
 * The end of a copy is known by an EGL fence whose status is asked for. ANGLE's eglClientWaitSync is of no use for
 * that: on Metal it takes a context and keeps EGL's lock while it waits, so a thread waiting in it would stop the main
 * loop.
 */
#include "../../protocol/error.h"
#include "gl-blit.h"

/*
 * EGL_ANGLE_iosurface_client_buffer and EGL_ANGLE_metal_shared_event_sync, from their texts in ANGLE's extensions
 * folder.
 */
#ifndef EGL_IOSURFACE_ANGLE
#define EGL_IOSURFACE_ANGLE 0x3454
#endif
#ifndef EGL_IOSURFACE_PLANE_ANGLE
#define EGL_IOSURFACE_PLANE_ANGLE 0x345A
#endif
#ifndef EGL_TEXTURE_RECTANGLE_ANGLE
#define EGL_TEXTURE_RECTANGLE_ANGLE 0x345B
#endif
#ifndef EGL_TEXTURE_TYPE_ANGLE
#define EGL_TEXTURE_TYPE_ANGLE 0x345C
#endif
#ifndef EGL_TEXTURE_INTERNAL_FORMAT_ANGLE
#define EGL_TEXTURE_INTERNAL_FORMAT_ANGLE 0x345D
#endif
#ifndef EGL_BIND_TO_TEXTURE_TARGET_ANGLE
#define EGL_BIND_TO_TEXTURE_TARGET_ANGLE 0x348D
#endif
#ifndef EGL_SYNC_METAL_SHARED_EVENT_ANGLE
#define EGL_SYNC_METAL_SHARED_EVENT_ANGLE 0x34D8
#endif
#ifndef EGL_SYNC_METAL_SHARED_EVENT_SIGNAL_VALUE_LO_ANGLE
#define EGL_SYNC_METAL_SHARED_EVENT_SIGNAL_VALUE_LO_ANGLE 0x34DA
#endif
#ifndef EGL_SYNC_METAL_SHARED_EVENT_SIGNAL_VALUE_HI_ANGLE
#define EGL_SYNC_METAL_SHARED_EVENT_SIGNAL_VALUE_HI_ANGLE 0x34DB
#endif
#ifndef GL_TEXTURE_RECTANGLE_ANGLE
#define GL_TEXTURE_RECTANGLE_ANGLE 0x84F5
#endif

/* A context that is lost says so each time it is asked. */
#define MOST_ERRORS 8

struct HelixGlBlit {
    EGLDisplay display;
    EGLContext context; /* EGL_NO_CONTEXT: not made yet */
    EGLConfig config;
    EGLint texture_target; /* what IOSurfaces are bound to, EGL_TEXTURE_2D or EGL_TEXTURE_RECTANGLE_ANGLE */
    GLuint source_framebuffer;
};

/* What is current, to be put back. */
typedef struct Current {
    EGLenum api;
    EGLDisplay display;
    EGLContext context;
    EGLSurface draw, read;
} Current;

static Current save_current(void)
{
    return (Current){ eglQueryAPI(), eglGetCurrentDisplay(), eglGetCurrentContext(), eglGetCurrentSurface(EGL_DRAW),
                      eglGetCurrentSurface(EGL_READ) };
}

static gboolean enter(HelixGlBlit *blit)
{
    return eglBindAPI(EGL_OPENGL_ES_API) &&
        eglMakeCurrent(blit->display, EGL_NO_SURFACE, EGL_NO_SURFACE, blit->context);
}

static void leave(HelixGlBlit *blit, const Current *saved)
{
    eglBindAPI(saved->api);
    if (saved->context != EGL_NO_CONTEXT) {
        eglMakeCurrent(saved->display, saved->draw, saved->read, saved->context);
    } else {
        eglMakeCurrent(blit->display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
    }
}

static gboolean failed(GError **error, const char *what)
{
    g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE, "%s (EGL error 0x%x)", what, eglGetError());
    return FALSE;
}

HelixGlBlit *helix_gl_blit_new(void)
{
    HelixGlBlit *blit = g_new0(HelixGlBlit, 1);

    blit->display = EGL_NO_DISPLAY;
    blit->context = EGL_NO_CONTEXT;
    return blit;
}

gboolean helix_gl_blit_usable(GError **error)
{
    if (!epoxy_has_egl()) {
        g_set_error_literal(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE,
                            "there is no EGL: the renderer must run on ANGLE");
        return FALSE;
    }
    return eglGetCurrentContext() != EGL_NO_CONTEXT || failed(error, "the renderer has no EGL context current");
}

void helix_gl_blit_reset(HelixGlBlit *blit)
{
    Current saved;

    if (blit->context == EGL_NO_CONTEXT) {
        return;
    }
    saved = save_current();
    if (blit->source_framebuffer && enter(blit)) {
        glDeleteFramebuffers(1, &blit->source_framebuffer);
    }
    leave(blit, &saved);
    eglDestroyContext(blit->display, blit->context);
    blit->context = EGL_NO_CONTEXT;
    blit->source_framebuffer = 0;
}

void helix_gl_blit_free(HelixGlBlit *blit)
{
    helix_gl_blit_reset(blit);
    g_free(blit);
}

/* ---- the context ---- */

static gboolean check_display(HelixGlBlit *blit, GError **error)
{
    static const char *const needed[] = { "EGL_ANGLE_iosurface_client_buffer", "EGL_KHR_fence_sync",
                                          "EGL_KHR_surfaceless_context" };

    for (guint i = 0; i < G_N_ELEMENTS(needed); i++) {
        if (!epoxy_has_egl_extension(blit->display, needed[i])) {
            g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE, "EGL has no %s: the renderer must run on ANGLE",
                        needed[i]);
            return FALSE;
        }
    }
    return TRUE;
}

/* A configuration for pbuffers on IOSurfaces and a GLES 3 context. */
static gboolean choose_config(HelixGlBlit *blit, GError **error)
{
    static const EGLint attributes[] = {
        EGL_SURFACE_TYPE,
        EGL_PBUFFER_BIT,
        EGL_RENDERABLE_TYPE,
        EGL_OPENGL_ES3_BIT_KHR,
        EGL_RED_SIZE,
        8,
        EGL_GREEN_SIZE,
        8,
        EGL_BLUE_SIZE,
        8,
        EGL_ALPHA_SIZE,
        8,
        EGL_BIND_TO_TEXTURE_RGBA,
        EGL_TRUE,
        EGL_NONE,
    };
    EGLint n = 0;

    if (!eglChooseConfig(blit->display, attributes, &blit->config, 1, &n) || n < 1) {
        return failed(error, "EGL has no configuration for RGBA pbuffers and OpenGL ES 3");
    }
    if (!eglGetConfigAttrib(blit->display, blit->config, EGL_BIND_TO_TEXTURE_TARGET_ANGLE, &blit->texture_target)) {
        return failed(error, "EGL does not say what texture target IOSurfaces take");
    }
    return TRUE;
}

static gboolean make_context(HelixGlBlit *blit, GError **error)
{
    static const EGLint attributes[] = { EGL_CONTEXT_CLIENT_VERSION, 3, EGL_NONE };
    EGLContext renderer = eglGetCurrentContext();
    EGLenum api = eglQueryAPI();

    if (blit->context != EGL_NO_CONTEXT) {
        return TRUE;
    }
    blit->display = eglGetCurrentDisplay();
    if (!check_display(blit, error) || !choose_config(blit, error)) {
        return FALSE;
    }
    if (!eglBindAPI(EGL_OPENGL_ES_API)) {
        return failed(error, "EGL has no OpenGL ES");
    }
    blit->context = eglCreateContext(blit->display, blit->config, renderer, attributes);
    eglBindAPI(api);
    return blit->context != EGL_NO_CONTEXT || failed(error, "EGL makes no OpenGL ES 3 context beside the renderer's");
}

/* ---- slots ---- */

static GLenum gl_target(const HelixGlBlit *blit)
{
    return blit->texture_target == EGL_TEXTURE_RECTANGLE_ANGLE ? GL_TEXTURE_RECTANGLE_ANGLE : GL_TEXTURE_2D;
}

static gboolean prepare_slot(HelixGlBlit *blit, HelixPooledIOSurface *slot, GError **error)
{
    const EGLint attributes[] = {
        EGL_WIDTH,
        (EGLint)slot->width,
        EGL_HEIGHT,
        (EGLint)slot->height,
        EGL_IOSURFACE_PLANE_ANGLE,
        0,
        EGL_TEXTURE_TARGET,
        blit->texture_target,
        EGL_TEXTURE_INTERNAL_FORMAT_ANGLE,
        GL_BGRA_EXT,
        EGL_TEXTURE_FORMAT,
        EGL_TEXTURE_RGBA,
        EGL_TEXTURE_TYPE_ANGLE,
        GL_UNSIGNED_BYTE,
        EGL_NONE,
    };

    if (slot->pbuffer != EGL_NO_SURFACE) {
        return TRUE;
    }
    slot->pbuffer = eglCreatePbufferFromClientBuffer(blit->display, EGL_IOSURFACE_ANGLE, (EGLClientBuffer)slot->surface,
                                                     blit->config, attributes);
    if (slot->pbuffer == EGL_NO_SURFACE) {
        return failed(error, "EGL makes no surface on an IOSurface");
    }
    glGenTextures(1, &slot->texture);
    glGenFramebuffers(1, &slot->framebuffer);
    return TRUE;
}

/* Also without a context, when that is gone: names go with it, the pbuffer is the display's. */
void helix_gl_blit_forget(HelixGlBlit *blit, HelixPooledIOSurface *slot)
{
    Current saved;

    if (slot->pbuffer == EGL_NO_SURFACE) {
        return;
    }
    saved = save_current();
    if (blit->context != EGL_NO_CONTEXT && enter(blit)) {
        glDeleteFramebuffers(1, &slot->framebuffer);
        glDeleteTextures(1, &slot->texture);
    }
    leave(blit, &saved);
    eglDestroySurface(blit->display, slot->pbuffer);
    slot->pbuffer = EGL_NO_SURFACE;
    slot->texture = slot->framebuffer = 0;
}

/* ---- the copy ---- */

static gboolean attach(GLenum which, GLuint framebuffer, GLenum target, GLuint texture, GError **error)
{
    glBindFramebuffer(which, framebuffer);
    glFramebufferTexture2D(which, GL_COLOR_ATTACHMENT0, target, texture, 0);
    if (glCheckFramebufferStatus(which) != GL_FRAMEBUFFER_COMPLETE) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE,
                    "the renderer's texture or the IOSurface can't be "
                    "drawn with");
        return FALSE;
    }
    return TRUE;
}

/* From columns and rows of the picture to a rectangle of the slot. */
static void copy_rect(const HelixBlit *from, HelixRect source, HelixRect to, GLenum filter)
{
    GLint top = (GLint)(from->source.y + source.y), bottom = top + (GLint)source.height;
    GLint left = (GLint)(from->source.x + source.x);

    if (from->bottom_up) {
        top = (GLint)from->texture_height - top;
        bottom = (GLint)from->texture_height - bottom;
    }
    glBlitFramebuffer(left, top, left + (GLint)source.width, bottom, (GLint)to.x, (GLint)to.y, (GLint)(to.x + to.width),
                      (GLint)(to.y + to.height), GL_COLOR_BUFFER_BIT, filter);
}

static void copy_all(const HelixBlit *from, const HelixPooledIOSurface *slot)
{
    guint32 width = from->source.width, height = from->source.height;

    if (slot->width != ((width + 1) & ~1u) || slot->height != ((height + 1) & ~1u)) {
        copy_rect(from, (HelixRect){ 0, 0, width, height }, (HelixRect){ 0, 0, slot->width, slot->height }, GL_LINEAR);
        return;
    }
    copy_rect(from, (HelixRect){ 0, 0, width, height }, (HelixRect){ 0, 0, width, height }, GL_NEAREST);
    if (slot->width > width) {
        copy_rect(from, (HelixRect){ width - 1, 0, 1, height }, (HelixRect){ width, 0, 1, height }, GL_NEAREST);
    }
    if (slot->height > height) {
        copy_rect(from, (HelixRect){ 0, height - 1, width, 1 }, (HelixRect){ 0, height, width, 1 }, GL_NEAREST);
    }
    if (slot->width > width && slot->height > height) {
        copy_rect(from, (HelixRect){ width - 1, height - 1, 1, 1 }, (HelixRect){ width, height, 1, 1 }, GL_NEAREST);
    }
}

/* While it is bound the IOSurface's contents are undefined: released before the fence. */
static gboolean draw(HelixGlBlit *blit, const HelixBlit *from, HelixPooledIOSurface *slot, GError **error)
{
    gboolean ok;

    if (!blit->source_framebuffer) {
        glGenFramebuffers(1, &blit->source_framebuffer);
    }
    glBindTexture(gl_target(blit), slot->texture);
    if (!eglBindTexImage(blit->display, slot->pbuffer, EGL_BACK_BUFFER)) {
        return failed(error, "EGL does not bind the IOSurface to a texture");
    }
    ok = attach(GL_DRAW_FRAMEBUFFER, slot->framebuffer, gl_target(blit), slot->texture, error) &&
        attach(GL_READ_FRAMEBUFFER, blit->source_framebuffer, GL_TEXTURE_2D, from->texture, error);
    if (ok) {
        copy_all(from, slot);
    }
    /* The renderer's texture is not to live on in here when the guest is done with it. */
    glBindFramebuffer(GL_READ_FRAMEBUFFER, blit->source_framebuffer);
    glFramebufferTexture2D(GL_READ_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, 0, 0);
    glBindFramebuffer(GL_DRAW_FRAMEBUFFER, slot->framebuffer);
    glFramebufferTexture2D(GL_DRAW_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, gl_target(blit), 0, 0);
    if (!eglReleaseTexImage(blit->display, slot->pbuffer, EGL_BACK_BUFFER) && ok) {
        ok = failed(error, "EGL does not give the IOSurface back");
    }
    return ok;
}

static EGLSyncKHR draw_and_fence(HelixGlBlit *blit, const HelixBlit *from, HelixPooledIOSurface *slot, GError **error)
{
    EGLSyncKHR fence;

    for (int i = 0; i < MOST_ERRORS && glGetError() != GL_NO_ERROR; i++) {
        continue;
    }
    if (!prepare_slot(blit, slot, error) || !draw(blit, from, slot, error)) {
        return EGL_NO_SYNC_KHR;
    }
    if (glGetError() != GL_NO_ERROR) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE, "OpenGL does not copy texture %u", from->texture);
        return EGL_NO_SYNC_KHR;
    }
    fence = eglCreateSyncKHR(blit->display, EGL_SYNC_FENCE_KHR, NULL);
    if (fence == EGL_NO_SYNC_KHR) {
        failed(error, "EGL makes no fence");
    }
    glFlush();
    return fence;
}

EGLSyncKHR helix_gl_blit_begin(HelixGlBlit *blit, const HelixBlit *from, HelixPooledIOSurface *slot, GError **error)
{
    EGLSyncKHR fence = EGL_NO_SYNC_KHR;
    Current saved = save_current();

    if (!make_context(blit, error)) {
        return EGL_NO_SYNC_KHR;
    }
    glFlush(); /* the renderer's commands reach the GPU before ours */
    if (enter(blit)) {
        fence = draw_and_fence(blit, from, slot, error);
    } else {
        failed(error, "EGL does not make the copying context current");
    }
    leave(blit, &saved);
    return fence;
}

EGLSyncKHR helix_gl_blit_fence(HelixGlBlit *blit)
{
    EGLDisplay display = eglGetCurrentDisplay();
    EGLSyncKHR fence;

    if (!epoxy_has_egl_extension(display, "EGL_KHR_fence_sync")) {
        return EGL_NO_SYNC_KHR;
    }
    fence = eglCreateSyncKHR(display, EGL_SYNC_FENCE_KHR, NULL);
    glFlush();
    blit->display = display;
    return fence;
}

HelixGpuStatus helix_gl_blit_status(HelixGlBlit *blit, EGLSyncKHR fence)
{
    EGLint status = 0;

    if (!eglGetSyncAttribKHR(blit->display, fence, EGL_SYNC_STATUS_KHR, &status)) {
        return HELIX_GPU_FAILED;
    }
    return status == EGL_SIGNALED_KHR ? HELIX_GPU_DONE : HELIX_GPU_PENDING;
}

void helix_gl_blit_end(HelixGlBlit *blit, EGLSyncKHR fence)
{
    eglDestroySyncKHR(blit->display, fence);
}

/* ---- for Metal ---- */

/* epoxy does not know this one. */
typedef void *(*CopyMetalSharedEvent)(EGLDisplay display, EGLSyncKHR sync);

id helix_gl_blit_metal_event(HelixGlBlit *blit)
{
    static const EGLAttrib attributes[] = { EGL_SYNC_METAL_SHARED_EVENT_SIGNAL_VALUE_LO_ANGLE, 1,
                                            EGL_SYNC_METAL_SHARED_EVENT_SIGNAL_VALUE_HI_ANGLE, 0, EGL_NONE };
    EGLDisplay display = eglGetCurrentDisplay();
    CopyMetalSharedEvent copy_event;
    EGLSync sync;
    id event;

    if (!epoxy_has_egl_extension(display, "EGL_ANGLE_metal_shared_event_sync")) {
        return NULL;
    }
    copy_event = (CopyMetalSharedEvent)eglGetProcAddress("eglCopyMetalSharedEventANGLE");
    sync = copy_event ? eglCreateSync(display, EGL_SYNC_METAL_SHARED_EVENT_ANGLE, attributes) : EGL_NO_SYNC;
    if (sync == EGL_NO_SYNC) {
        return NULL;
    }
    event = copy_event(display, sync);
    glFlush();
    eglDestroySync(display, sync);
    return event;
}
