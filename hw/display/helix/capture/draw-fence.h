/* SPDX-License-Identifier: GPL-2.0-or-later */
/* draw-fence.h - the fence that is waited for before a texture is read: the end of the drawing submitted before it. */
#ifndef HELIX_DRAW_FENCE_H
#define HELIX_DRAW_FENCE_H

#include <epoxy/egl.h>

/* A fence behind everything that the current context has been given, flushed. EGL_NO_SYNC_KHR: EGL makes none. Free it
 * with eglDestroySyncKHR(). */
EGLSyncKHR helix_draw_fence_new(EGLDisplay display);
/* Wait for the drawing on another thread than the main loop's. false: it has not ended within 5 s. */
bool helix_draw_fence_wait(EGLDisplay display, EGLSyncKHR fence);

#endif
