/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gl-blit-private.h - what gl-context.c, gl-blit.c and gl-fence.c share. Main loop.
 */
#ifndef HELIX_APPLE_GL_BLIT_PRIVATE_H
#define HELIX_APPLE_GL_BLIT_PRIVATE_H

#include "../../protocol/error.h"
#include "gl-blit.h"

/*
 * EGL_ANGLE_iosurface_client_buffer and EGL_ANGLE_metal_shared_event_sync, from their specifications in ANGLE's
 * extensions folder.
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
#ifndef GL_TEXTURE_BINDING_RECTANGLE_ANGLE
#define GL_TEXTURE_BINDING_RECTANGLE_ANGLE 0x84F6
#endif

struct HelixGlBlit {
    EGLDisplay display;
    EGLContext context; /* the renderer's, borrowed; EGL_NO_CONTEXT: not seen yet */
    EGLConfig config;
    EGLint texture_target; /* what IOSurfaces are bound to, EGL_TEXTURE_2D or EGL_TEXTURE_RECTANGLE_ANGLE */
    GLuint source_framebuffer;
};

/* The current context, to be restored. */
typedef struct HelixGlCurrent {
    EGLenum api;
    EGLDisplay display;
    EGLContext context;
    EGLSurface draw, read;
    gboolean is_renderer; /* nothing to restore */
} HelixGlCurrent;

/*
 * Make the renderer's context current where it is not; the caller restores @saved by leave, also after FALSE: EGL
 * fails, or the renderer's context is not known.
 */
gboolean helix_gl_blit_enter(HelixGlBlit *blit, HelixGlCurrent *saved);
void helix_gl_blit_leave(HelixGlBlit *blit, const HelixGlCurrent *saved);

/* What a copy changes of the renderer's GL state. */
typedef struct HelixGlState {
    GLint texture, draw_framebuffer, read_framebuffer;
    gboolean scissor;
} HelixGlState;

/* Save it, and switch off what a blit obeys. */
HelixGlState helix_gl_save_state(const HelixGlBlit *blit);
void helix_gl_restore_state(const HelixGlBlit *blit, const HelixGlState *state);

/* What IOSurfaces are bound to. */
GLenum helix_gl_blit_target(const HelixGlBlit *blit);

/* Take the current context for the renderer's, once. FALSE with HELIX_CODE_NOT_READABLE. */
gboolean helix_gl_blit_take_context(HelixGlBlit *blit, GError **error);

/* A fence in the renderer's context, which is current: EGL's, else OpenGL's. NULL with HELIX_CODE_NOT_READABLE. */
HelixGlFence *helix_gl_blit_make_fence(HelixGlBlit *blit, GError **error);

/* FALSE, with @what and EGL's last error as HELIX_CODE_NOT_READABLE. */
gboolean helix_gl_failed(GError **error, const char *what);

#endif
