/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gl-blit.h - a GL texture copied into an IOSurface by the GPU, cropped, scaled and flipped vertically as needed.
 *
 * Runs in the renderer's own context and puts back the state that it changes, so contexts do not change for a copy:
 * ANGLE's Metal back end waits in each change until the GPU has taken the old context's commands. Main loop, with the
 * renderer's context current; what may be called at other times makes it current, and then the one before.
 */
#ifndef HELIX_APPLE_GL_BLIT_H
#define HELIX_APPLE_GL_BLIT_H

#include <epoxy/egl.h>
#include <epoxy/gl.h>

#include "iosurface-pool.h"

/* The source of a copy. */
typedef struct HelixBlit {
    GLuint texture; /* GL_TEXTURE_2D */
    guint32 texture_height;
    HelixRect source;
    gboolean bottom_up; /* the texture's row 0 is the picture's lowest (virgl's Y_0_TOP) */
} HelixBlit;

typedef struct HelixGlBlit HelixGlBlit;
/* The end of GPU work. */
typedef struct HelixGlFence HelixGlFence;

HelixGlBlit *helix_gl_blit_new(void);
void helix_gl_blit_free(HelixGlBlit *blit);
/*
 * The renderer was reset: objects of its old context are invalid. The pool's entries must have been forgotten before.
 */
void helix_gl_blit_reset(HelixGlBlit *blit);

/*
 * Whether EGL is available and has a current context. FALSE with HELIX_ERROR (HELIX_CODE_NOT_READABLE): a renderer on
 * Core OpenGL has none, and without libEGL epoxy aborts the process at the first call. To be called before anything
 * below.
 */
gboolean helix_gl_blit_usable(GError **error);

/*
 * A fence behind everything drawn so far in the current context, for helix_gl_blit_status(); NULL if EGL has none, as
 * in ANGLE's Core OpenGL back end.
 */
HelixGlFence *helix_gl_blit_fence(HelixGlBlit *blit);

/*
 * Begin to copy into all of @entry. Returns a fence for helix_gl_blit_status(), or NULL with HELIX_ERROR
 * (HELIX_CODE_NOT_READABLE) if EGL can't copy. If the source is one column or row smaller than @entry its edge is
 * repeated; other sizes are scaled.
 */
HelixGlFence *helix_gl_blit_begin(HelixGlBlit *blit, const HelixBlit *from, HelixPooledIOSurface *entry,
                                  GError **error);
/* Never waits. Where EGL has no fences, the renderer's context is made current to ask OpenGL. */
HelixGpuStatus helix_gl_blit_status(HelixGlBlit *blit, const HelixGlFence *fence);
/* Before helix_gl_blit_reset(). */
void helix_gl_blit_end(HelixGlBlit *blit, HelixGlFence *fence);

/* Free the GL objects of @entry. */
void helix_gl_blit_forget(HelixGlBlit *blit, HelixPooledIOSurface *entry);

/*
 * A Metal event (MTLSharedEvent, released by the caller) that reaches 1 when the GPU has finished everything drawn so
 * far in the current context; NULL if EGL does not support it.
 */
id helix_gl_blit_metal_event(HelixGlBlit *blit);

#endif
