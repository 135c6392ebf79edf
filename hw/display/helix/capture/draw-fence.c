/* SPDX-License-Identifier: GPL-2.0-or-later */
/* draw-fence.c - see draw-fence.h. */
#include "qemu/osdep.h"
#include "draw-fence.h"

#include <epoxy/gl.h>

/* Nanoseconds until the main loop tries to read the texture itself. */
#define DRAWN_NS (5 * UINT64_C(1000000000))

EGLSyncKHR helix_draw_fence_new(EGLDisplay display)
{
    EGLSyncKHR fence = eglCreateSyncKHR(display, EGL_SYNC_FENCE_KHR, NULL);

    if (fence != EGL_NO_SYNC_KHR) {
        glFlush();
    }
    return fence;
}

bool helix_draw_fence_wait(EGLDisplay display, EGLSyncKHR fence)
{
    return eglClientWaitSyncKHR(display, fence, 0, DRAWN_NS) == EGL_CONDITION_SATISFIED_KHR;
}
