/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gl-fence.c - the end of GPU work, by an EGL fence or an event of Metal's.
 *
 * A fence's status is polled. ANGLE's eglClientWaitSync is no alternative: on Metal it takes a context and holds EGL's
 * lock while it waits, so a thread that waits in it would block the main loop.
 */
#include "gl-blit-private.h"

/* epoxy does not have this function. */
typedef void *(*CopyMetalSharedEvent)(EGLDisplay display, EGLSyncKHR sync);

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
