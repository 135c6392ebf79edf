/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gl-fence.c - the end of GPU work, by a fence of EGL's or OpenGL's, or an event of Metal's.
 *
 * A fence's status is polled. ANGLE's eglClientWaitSync is no alternative: on Metal it takes a context and holds EGL's
 * lock while it waits, so a thread that waits in it would block the main loop.
 */
#include "gl-blit-private.h"

/* epoxy does not have this function. */
typedef void *(*CopyMetalSharedEvent)(EGLDisplay display, EGLSyncKHR sync);

struct HelixGlFence {
    EGLSyncKHR egl; /* EGL_NO_SYNC_KHR: gl */
    GLsync gl;      /* of the renderer's context */
};

static gboolean has_egl_fences(EGLDisplay display)
{
    return epoxy_has_egl_extension(display, "EGL_KHR_fence_sync");
}

/* Of the current context; flushed, or it may never be signalled. */
static HelixGlFence *new_egl_fence(HelixGlBlit *blit, EGLDisplay display)
{
    EGLSyncKHR egl = eglCreateSyncKHR(display, EGL_SYNC_FENCE_KHR, NULL);
    HelixGlFence *fence;

    glFlush();
    if (egl == EGL_NO_SYNC_KHR) {
        return NULL;
    }
    blit->display = display;
    fence = g_new(HelixGlFence, 1);
    *fence = (HelixGlFence){ egl, NULL };
    return fence;
}

HelixGlFence *helix_gl_blit_fence(HelixGlBlit *blit)
{
    EGLDisplay display = eglGetCurrentDisplay();

    return has_egl_fences(display) ? new_egl_fence(blit, display) : NULL;
}

HelixGlFence *helix_gl_blit_make_fence(HelixGlBlit *blit, GError **error)
{
    HelixGlFence *fence = NULL;

    if (has_egl_fences(blit->display)) {
        fence = new_egl_fence(blit, blit->display);
    } else {
        GLsync gl = glFenceSync(GL_SYNC_GPU_COMMANDS_COMPLETE, 0);

        glFlush();
        if (gl) {
            fence = g_new(HelixGlFence, 1);
            *fence = (HelixGlFence){ EGL_NO_SYNC_KHR, gl };
        }
    }
    if (!fence) {
        helix_gl_failed(error, "EGL and OpenGL make no fence");
    }
    return fence;
}

/* Contexts change, if the renderer's is not current; without a wait, as this is not ANGLE's Metal back end. */
static HelixGpuStatus gl_status(HelixGlBlit *blit, GLsync gl)
{
    HelixGlCurrent saved;
    GLint status = GL_UNSIGNALED;
    GLsizei n = 0;

    if (helix_gl_blit_enter(blit, &saved)) {
        glGetSynciv(gl, GL_SYNC_STATUS, 1, &n, &status);
    }
    helix_gl_blit_leave(blit, &saved);
    if (n != 1) {
        return HELIX_GPU_FAILED;
    }
    return status == GL_SIGNALED ? HELIX_GPU_DONE : HELIX_GPU_PENDING;
}

HelixGpuStatus helix_gl_blit_status(HelixGlBlit *blit, const HelixGlFence *fence)
{
    EGLint status = 0;

    if (fence->egl == EGL_NO_SYNC_KHR) {
        return gl_status(blit, fence->gl);
    }
    if (!eglGetSyncAttribKHR(blit->display, fence->egl, EGL_SYNC_STATUS_KHR, &status)) {
        return HELIX_GPU_FAILED;
    }
    return status == EGL_SIGNALED_KHR ? HELIX_GPU_DONE : HELIX_GPU_PENDING;
}

void helix_gl_blit_end(HelixGlBlit *blit, HelixGlFence *fence)
{
    if (fence->egl != EGL_NO_SYNC_KHR) {
        eglDestroySyncKHR(blit->display, fence->egl);
    } else {
        HelixGlCurrent saved;

        if (helix_gl_blit_enter(blit, &saved)) {
            glDeleteSync(fence->gl);
        }
        helix_gl_blit_leave(blit, &saved);
    }
    g_free(fence);
}

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
