/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gl-blit.h - a GL texture copied into an IOSurface by the GPU: cropped, scaled and turned over on the way.
 *
 * Works in a context of its own that shares the renderer's objects, so the renderer's GL state is never touched;
 * whatever was current before a call is current again after it, also when it fails. Main loop only, with the renderer's
 * context current.
 */
#ifndef HELIX_APPLE_GL_BLIT_H
#define HELIX_APPLE_GL_BLIT_H

#include <epoxy/egl.h>
#include <epoxy/gl.h>

#include "iosurface-pool.h"

/* What a picture is and where it goes. */
typedef struct HelixBlit {
    GLuint texture; /* GL_TEXTURE_2D */
    guint32 texture_height;
    HelixRect source;
    gboolean bottom_up; /* the texture's row 0 is the picture's lowest (virgl's Y_0_TOP) */
} HelixBlit;

typedef struct HelixGlBlit HelixGlBlit;

HelixGlBlit *helix_gl_blit_new(void);
void helix_gl_blit_free(HelixGlBlit *blit);
/* The renderer began anew: everything made with its old context is worthless. Entries must have been forgotten before.
 */
void helix_gl_blit_reset(HelixGlBlit *blit);

/*
 * Is EGL there, and a context of it current? FALSE with HELIX_ERROR (HELIX_CODE_NOT_READABLE): a renderer on Core
 * OpenGL has none, and where there is no libEGL at all, epoxy ends the process at the first call into it. Before
 * anything below.
 */
gboolean helix_gl_blit_usable(GError **error);

/*
 * A fence behind all that was drawn so far in the current context, for helix_gl_blit_status(); NULL where EGL makes
 * none.
 */
EGLSyncKHR helix_gl_blit_fence(HelixGlBlit *blit);

/*
 * Begin to copy into @entry, whole. Returns the fence to ask, or NULL with HELIX_ERROR (HELIX_CODE_NOT_READABLE) if EGL
 * can't do it. A source one column or row smaller than @entry has its edge repeated; any other is scaled.
 */
EGLSyncKHR helix_gl_blit_begin(HelixGlBlit *blit, const HelixBlit *from, HelixPooledIOSurface *entry, GError **error);
/* Never waits. */
HelixGpuStatus helix_gl_blit_status(HelixGlBlit *blit, EGLSyncKHR fence);
void helix_gl_blit_end(HelixGlBlit *blit, EGLSyncKHR fence);

/* Free what @entry has of GL. */
void helix_gl_blit_forget(HelixGlBlit *blit, HelixPooledIOSurface *entry);

/*
 * A Metal event (MTLSharedEvent, the caller's to release) that reaches 1 when the GPU has done what was drawn so far in
 * the current context; NULL where EGL has none.
 */
id helix_gl_blit_metal_event(HelixGlBlit *blit);

#endif
